"""Requests of the Open Inference Protocol, with tensors in JSON and behind it."""

import base64
import json

import numpy as np

from gluon_glore.serving.inference_messages import TensorSpec, read_request

from .kind import Kind
from .mutate import mutate_bytes
from .mutate_text import mutate_json

_END = b"\n\n"  # what is sent, as one: Inference-Header-Content-Length, then the body
SPECS = (
    TensorSpec("data", "FP32", (None, 2, 3)),
    TensorSpec("pixels", "UINT8", (None, None, None, 1)),
    TensorSpec("flags", "BOOL", (2, 2)),
    TensorSpec("image", "BYTES", (None,)),
)
_PICTURE = b"\xff\xd8\xff\x00picture"


def _request(inputs, data=b"", header=True, **fields):
    text = json.dumps({"inputs": inputs, **fields}).encode()
    return (str(len(text)).encode() if header else b"") + _END + text + data


def requests():
    """With every datatype that is read, flat and nested, in JSON and in bytes."""
    numbers = np.arange(12, dtype=np.float32).reshape(2, 2, 3) / 7
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 3, 4, 1)
    data = {"name": "data", "shape": [2, 2, 3], "datatype": "FP32"}
    of_pixels = {"name": "pixels", "shape": [2, 3, 4, 1], "datatype": "UINT8"}
    flags = {"name": "flags", "shape": [2, 2], "datatype": "BOOL", "data": [True, False] * 2}
    image = {"name": "image", "shape": [1], "datatype": "BYTES"}
    outputs = [{"name": "logits", "parameters": {"classification": 2, "binary_data": True}}]
    element = len(_PICTURE).to_bytes(4, "little") + _PICTURE
    sizes = [{"parameters": {"binary_data_size": n}} for n in (48, 24, len(element))]
    return [
        _request([{**data, "data": numbers.tolist()}, flags], header=False, id="42"),
        _request([{**of_pixels, "data": pixels.ravel().tolist()}], header=False, outputs=outputs),
        _request([{**image, "data": [base64.b64encode(_PICTURE).decode()]}], header=False),
        _request([{**data, **sizes[0]}, {**of_pixels, **sizes[1]}], numbers.tobytes() + bytes(24)),
        _request([{**image, **sizes[2]}], element, parameters={"binary_data_output": True}),
    ]


def mutate_request(rng, seeds):
    """Bytes changed, or values of the JSON; then mostly the header says its length again."""
    if rng.random() < 0.3:
        return mutate_bytes(rng, seeds)
    seed = rng.choice(seeds)
    header, _, body = seed.partition(_END)
    end = int(header) if header else len(body)
    text = mutate_json(rng, [body[:end]])
    if header and rng.random() < 0.9:
        header = str(len(text)).encode()
    return header + _END + text + body[end:]


def read(data, folder):
    """Read a request."""
    header, _, body = data.partition(_END)
    header = header.decode("utf-8", "surrogateescape") or None  # as aiohttp does
    request = read_request(bytearray(body), header, SPECS, ["logits"])
    specs = {spec.name: spec for spec in SPECS}
    for name, array in request.inputs.items():
        assert len(array.shape) == len(specs[name].shape) and array.size
    assert [output.name for output in request.outputs] == ["logits"]


ROWS = {"inference-request": Kind(requests, mutate_request, read)}
