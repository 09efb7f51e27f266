"""`/v2`: the Open Inference Protocol, as KServe and Triton speak it over HTTP.

github.com/kserve/open-inference-protocol, specification/protocol/inference_rest.md, with Triton's
extensions for binary data and classification, and the index of its model repository. A client needs
not know whether it speaks to Triton or to this server: names, datatypes and shapes of tensors are
those of an exported ONNX file. docs/open-inference.md lists point by point what is done.
"""

import base64
import binascii

import numpy as np

from ..data.image import decode_image
from ..data.picture_header import read_header
from ..export.runtime import refuse_infinite
from ..inference.predictor import Task
from ..utils.errors import InputError
from ..utils.json_text import parse_json
from ..utils.version import __version__
from ..weights.manifest import spec_of
from .connection import web
from .inference_messages import TensorSpec, classified, read_request, write_response
from .limits import Refusal
from .tensors import BYTES

VERSION = "1"  # of each model, as in an exported model repository
EXTENSIONS = ("binary_tensor_data", "classification")
_HEADER_LENGTH = "Inference-Header-Content-Length"
_IMAGE = "image"  # the input that takes encoded pictures: an extension of this server
_DATATYPES = {"float32": "FP32", "uint8": "UINT8"}
_FORMATS = {"mxnet": "mxnet", "onnxruntime": "onnx", "openvino": "onnx", "pytorch": "export"}


def routes(service):
    """The routes of a `Service`."""
    ends = {name: Ends(model, service.settings) for name, model in service.models.items()}

    def model_of(request):
        model = service.model(request.match_info["name"])
        version = request.match_info.get("version", VERSION)
        if version != VERSION:
            raise Refusal(404, f"no version {version[:20]!r} of {model.name}, there is {VERSION}")
        return model

    async def server_metadata(_):
        fields = {"name": "gluon_glore", "version": __version__, "extensions": EXTENSIONS}
        return web.json_response(fields)

    async def live(_):
        return web.json_response({"live": True})

    async def ready(_):
        is_ready = service.status == "ok"
        return web.json_response({"live": True, "ready": is_ready}, status=200 if is_ready else 503)

    async def model_ready(request):
        model = model_of(request)
        is_ready = service.status_of(model) == "ok"
        fields = {"name": model.name, "ready": is_ready}
        return web.json_response(fields, status=200 if is_ready else 503)

    async def model_metadata(request):
        return web.json_response(ends[model_of(request).name].metadata())

    async def infer(request):
        model = model_of(request)
        length = request.headers.get(_HEADER_LENGTH)
        return await service.receive(
            request, model, lambda body: ends[model.name].infer(body, length)
        )

    async def index(request):
        try:
            given = parse_json((await service.body(request)).decode() or "{}")
            only_ready = given.get("ready", False)
        except (InputError, UnicodeDecodeError, AttributeError):
            raise Refusal(400, "an index is asked for with an object in JSON") from None
        states = []
        for model in service.models.values():
            status = service.status_of(model)
            state = ("READY", "") if status == "ok" else ("UNAVAILABLE", status)
            if status == "ok" or not only_ready:
                told = dict(zip(("state", "reason"), state))
                states.append({"name": model.name, "version": VERSION, **told})
        return web.json_response(states)

    table = [
        web.get("/v2", server_metadata),
        web.get("/v2/", server_metadata),
        web.get("/v2/health/live", live),
        web.get("/v2/health/ready", ready),
        web.post("/v2/repository/index", index),
    ]
    for path in ("/v2/models/{name}", "/v2/models/{name}/versions/{version}"):
        table += [
            web.get(path, model_metadata),
            web.get(f"{path}/ready", model_ready),
            web.post(f"{path}/infer", infer),
        ]
    return table


class Ends:
    """The inputs and the output of a `ServedModel`, and inference from one to the other.

    All inputs of a request together have at most the settings' `max_bytes`, and so has its output.
    """

    def __init__(self, model, settings):
        self._model, self._most = model, settings.max_bytes
        self._predictor = model.predictor
        self.data, self.layout = _input_of(self._predictor)
        self.inputs = (self.data,)
        if self._predictor.task is Task.CLASSIFY:
            self.inputs += (TensorSpec(_IMAGE, BYTES, (None,)),)
        space = ()
        if self._predictor.task is Task.SEGMENT:
            space = [n for n, axis in zip(self.data.shape, self.layout) if axis in "HW"]
        classes = len(self._predictor.manifest.class_names)
        batch = self.data.shape[0]
        self.output = TensorSpec(self._predictor.output, "FP32", (batch, classes, *space))

    def metadata(self):
        """What a model is, in JSON."""
        runtime = self._predictor.runtime
        return {
            "name": self._model.name,
            "versions": [VERSION],
            "platform": f"{runtime}_{_FORMATS.get(runtime, 'model')}",
            "inputs": [spec.fields() for spec in self.inputs],
            "outputs": [self.output.fields()],
        }

    async def infer(self, body, header_length):
        """The response of aiohttp to a body. Raises Refusal."""
        request, rows = await self._model.decode(self._read, body, header_length)
        outputs = await self._model.run(rows)
        answer, length = await self._model.decode(self._write, request, outputs)
        if length is None:
            return web.Response(body=answer, content_type="application/json")
        headers = {_HEADER_LENGTH: str(length)}
        return web.Response(body=answer, content_type="application/octet-stream", headers=headers)

    def rows(self, array):
        """The inputs of one sample in a batch. Raises InputError where they are not taken."""
        shape = array.shape
        if not self.data.fits(shape):
            raise InputError(
                f"data has shape {self.data.fields()['shape']}, given {list(shape)[:8]}"
            )
        sizes = dict(zip(self.layout, shape))
        pixels = sizes["H"] * sizes["W"]
        if self._predictor.task is Task.SEGMENT and pixels > self._model.answers.pixels:
            raise InputError(f"at most {self._model.answers.pixels} pixels, given {pixels}")
        spec = spec_of(self._predictor.manifest)
        if spec is not None and None in self.data.shape[1:]:
            spec.check_input(tuple(sizes[axis] for axis in self.layout if axis in "DHW"))
        self._bound("inputs", array.nbytes)
        space = pixels if self._predictor.task is Task.SEGMENT else 1
        self._bound("outputs", shape[0] * self.output.shape[1] * space * 4)
        return list(array)

    def _read(self, body, header_length):
        """(the request, its rows). Runs in a decoding thread."""
        request = read_request(body, header_length, self.inputs, [self.output.name])
        if len(request.inputs) != 1:
            raise InputError(f"either {' or '.join(spec.name for spec in self.inputs)}, not both")
        if _IMAGE in request.inputs:
            return request, self._pictures(request.inputs[_IMAGE])
        rows = self.rows(request.inputs["data"])
        if any(output.classes for output in request.outputs) and len(self.output.shape) > 2:
            raise InputError("classification is for networks with one answer for each row")
        return request, rows

    def _pictures(self, elements):
        """The inputs for encoded pictures, prepared as `/predict` does."""
        row = self._model.answers.a_row()
        self._bound("prepared inputs", row.nbytes * len(elements))
        self._bound("outputs", len(elements) * self.output.shape[1] * 4)
        rows, most = [], self._model.answers.pixels
        left = most
        for place, element in enumerate(elements):
            try:
                data = _encoded(element)
                header = read_header(data, most)
                left -= header.height * header.width
                if left < 0:
                    raise InputError(f"the pictures have more than {most} pixels together")
                rows.append(self._predictor.prepare(decode_image(data, self._predictor.channels)))
            except InputError as error:
                raise InputError(f"image[{place}]: {error}") from None
        return rows

    def _write(self, request, outputs):
        """The answer to a request. Runs in a decoding thread."""
        array = stacked(outputs)
        fields = {"model_name": self._model.name, "model_version": VERSION}
        if request.id is not None:
            fields["id"] = request.id
        names = self._predictor.manifest.class_names
        asked = [
            (output, classified(array, output.classes, names) if output.classes else array)
            for output in request.outputs
        ]
        return write_response(fields, asked)

    def _bound(self, what, size):
        """Raise InputError where tensors have too many bytes."""
        if size > self._most:
            raise InputError(
                f"{what} of {size} bytes, at most {self._most} in a request: send fewer rows"
            )


def stacked(outputs):
    """Rows of outputs as one array. Raises OutputError where a number is not finite."""
    array = np.stack(outputs)
    refuse_infinite(array)
    return array


def _input_of(predictor):
    """(the input of a network, the letters of its axes)."""
    manifest = predictor.manifest
    if manifest.deployment is not None:
        deployment = manifest.deployment
        return TensorSpec(
            "data", _DATATYPES[deployment.dtype], tuple(deployment.shape)
        ), deployment.layout
    preprocess = manifest.preprocess
    space, layout = tuple(preprocess.size), "NCHW"
    if predictor.task is Task.SEGMENT:
        space = (None, None)
    elif predictor.task is Task.RECOGNIZE:
        space, layout = (predictor.clip.frames, *space), "NCDHW"
    return TensorSpec("data", "FP32", (None, preprocess.channels, *space)), layout


def _encoded(element):
    """The bytes of an encoded picture, which JSON has in base64."""
    if isinstance(element, bytes):
        return element
    try:
        return base64.b64decode(element, validate=True)
    except (binascii.Error, ValueError):
        raise InputError("a picture in JSON is in base64 (or send it as binary data)") from None
