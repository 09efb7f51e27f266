"""The list of docs/open-inference.md, point by point, over plain HTTP; and the server's limits."""

import asyncio
import base64
import json
import re

import cv2
import numpy as np
import pytest

from gluon_glore.data.clips import Clip
from gluon_glore.data.image import Preprocess, decode_image
from gluon_glore.export.files import read_files
from gluon_glore.export.layouts import CONFIG, LAYOUTS
from gluon_glore.inference.predictor import Predictor
from gluon_glore.weights.deployment import Deployment
from gluon_glore.weights.golden import logits_of
from gluon_glore.weights.manifest import Manifest
from tests.helpers.digits import CLASSES, digits, png
from tests.helpers.digits import Network as Digits
from tests.helpers.places import ROOT
from tests.helpers.served import got, posted, run_served, sample
from tests.helpers.small_export import FOLDER

pytest.importorskip("aiohttp", reason="serve needs aiohttp")
pytest.importorskip("prometheus_client", reason="serve needs prometheus_client")

PAGE = ROOT / "docs" / "open-inference.md"
MODEL = "/v2/models/digits"
HEADER = "Inference-Header-Content-Length"
PIXELS = Preprocess(size=(4, 6), resize=0, mean=(10.0, 20.0, 30.0), scale=0.1)


def batch(*digits):
    """A batch of pictures, each of equal pixels."""
    return np.tile(np.float32(digits)[:, None, None, None], (1, 1, 8, 8))


def expected(*digits):
    return Digits()(batch(*digits))


def an_input(x, **changes):
    fields = {"name": "data", "shape": list(x.shape), "datatype": "FP32", "data": x.tolist()}
    return {name: value for name, value in {**fields, **changes}.items() if value is not None}


def binary(x):
    return an_input(x, data=None, parameters={"binary_data_size": x.nbytes})


async def infer(client, request, data=b"", path=f"{MODEL}/infer", **headers):
    """(status, fields of the JSON, the bytes behind it) of an inference."""
    text = json.dumps(request).encode()
    if data:
        headers.setdefault(HEADER, str(len(text)))
    async with client.post(path, data=text + data, headers=headers) as answer:
        body, length = await answer.read(), answer.headers.get(HEADER)
        kind = "application/json" if length is None else "application/octet-stream"
        assert answer.content_type == kind
        length = len(body) if length is None else int(length)
        return answer.status, json.loads(body[:length]), body[length:]


async def logits(client, *digits, **fields):
    status, answer, _ = await infer(client, {"inputs": [an_input(batch(*digits))], **fields})
    assert status == 200, answer
    [output] = answer["outputs"]
    return answer, output


async def server_live(client, service):
    assert await got(client, "/v2/health/live") == (200, {"live": True})


async def server_ready(client, service):
    assert await got(client, "/v2/health/ready") == (200, {"live": True, "ready": True})
    service.stopping = True
    assert (await got(client, "/v2/health/ready"))[0] == 503
    assert (await got(client, "/v2/health/live"))[0] == 200


async def server_metadata(client, service):
    for path in ("/v2", "/v2/"):
        status, fields = await got(client, path)
        assert (status, fields["name"]) == (200, "gluon_glore") and fields["version"]
        assert fields["extensions"] == ["binary_tensor_data", "classification"]


async def model_metadata(client, service):
    for path in (MODEL, f"{MODEL}/versions/1"):
        assert await got(client, path) == (
            200,
            {
                "name": "digits",
                "versions": ["1"],
                "platform": "mxnet_mxnet",
                "inputs": [
                    {"name": "data", "datatype": "FP32", "shape": [-1, 1, 8, 8]},
                    {"name": "image", "datatype": "BYTES", "shape": [-1]},
                ],
                "outputs": [{"name": "logits", "datatype": "FP32", "shape": [-1, 10]}],
            },
        )


async def model_ready(client, service):
    for path in (f"{MODEL}/ready", f"{MODEL}/versions/1/ready"):
        assert await got(client, path) == (200, {"name": "digits", "ready": True})
    service.stopping = True
    assert await got(client, f"{MODEL}/ready") == (503, {"name": "digits", "ready": False})


async def unknown_models(client, service):
    for name in ("/v2/models/other", f"{MODEL}/versions/2"):
        for path in (name, f"{name}/ready"):
            status, fields = await got(client, path)
            assert status == 404 and fields["error"].startswith("no ")
        assert (await infer(client, {}, path=f"{name}/infer"))[0] == 404


async def tensors_in_json(client, service):
    x = batch(3, 5)
    for data in (x.tolist(), x.ravel().tolist()):
        request = {"inputs": [an_input(x, data=data)]}
        for path in (f"{MODEL}/infer", f"{MODEL}/versions/1/infer"):
            status, answer, _ = await infer(client, request, path=path)
            assert (status, answer["model_name"], answer["model_version"]) == (200, "digits", "1")
            [output] = answer["outputs"]
            assert (output["name"], output["datatype"]) == ("logits", "FP32")
            assert output["shape"] == [2, 10] and "id" not in answer
            assert output["data"] == expected(3, 5).ravel().tolist()


async def request_id(client, service):
    answer, _ = await logits(client, 1, id="a 42")
    assert answer["id"] == "a 42"


async def outputs_by_name(client, service):
    for outputs in ([], [{"name": "logits"}], [{"name": "logits", "parameters": {}}]):
        answer, _ = await logits(client, 1, outputs=outputs)
        assert [output["name"] for output in answer["outputs"]] == ["logits"]
    request = {"inputs": [an_input(batch(1))], "outputs": [{"name": "other"}]}
    status, answer, _ = await infer(client, request)
    assert status == 400 and "there is logits" in answer["error"]


async def parameters(client, service):
    told = {"text": "x", "number": 1.5, "flag": True, "priority": 1, "timeout": 9}
    _, output = await logits(client, 1, parameters=told)
    assert output["data"] == expected(1).ravel().tolist()


async def rows(client, service):
    every = [i % 8 for i in range(50)]
    _, output = await logits(client, *every)
    assert output["shape"] == [50, 10]
    assert output["data"] == expected(*every).ravel().tolist()


async def datatypes(client, service):
    for datatype in ("FP64", "UINT8", "BF16", "BYTES"):
        request = {"inputs": [an_input(batch(1), datatype=datatype)]}
        status, answer, _ = await infer(client, request)
        assert status == 400 and "FP32" in answer["error"]


async def errors(client, service):
    for request, status in (({}, 400), ({"inputs": [an_input(batch(9))]}, 500)):
        given, answer, _ = await infer(client, request)
        assert given == status and list(answer) == ["error"] and "\n" not in answer["error"]
    assert (await got(client, f"{MODEL}/infer"))[0] == 405
    assert (await got(client, "/v2/other"))[0] == 404


async def binary_inputs(client, service):
    x = batch(2, 7)
    status, answer, _ = await infer(client, {"inputs": [binary(x)]}, x.tobytes())
    assert status == 200
    assert answer["outputs"][0]["data"] == expected(2, 7).ravel().tolist()


async def binary_outputs(client, service):
    inputs, wish = [an_input(batch(4))], {"name": "logits", "parameters": {"binary_data": True}}
    for fields in ({"outputs": [wish]}, {"parameters": {"binary_data_output": True}}):
        status, answer, data = await infer(client, {"inputs": inputs, **fields})
        [output] = answer["outputs"]
        assert status == 200 and output["parameters"] == {"binary_data_size": 40}
        assert "data" not in output and data == expected(4).tobytes()


async def classification(client, service):
    wish = {"name": "logits", "parameters": {"classification": 2}}
    _, output = await logits(client, 3, 5, outputs=[wish])
    assert (output["datatype"], output["shape"]) == ("BYTES", [2, 2])
    assert output["data"] == [
        "5.000000:3:class 3",
        "0.000000:0:class 0",
        "5.000000:5:class 5",
        "0.000000:0:class 0",
    ]


async def repository_index(client, service):
    row = {"name": "digits", "version": "1", "state": "READY", "reason": ""}
    for body in (b"", b"{}", b'{"ready": true}'):
        assert await posted(client, body, "/v2/repository/index") == (200, [row])
    for body in (b"[]", b"x", b"\xff"):
        assert (await posted(client, body, "/v2/repository/index"))[0] == 400
    service.stopping = True
    row.update(state="UNAVAILABLE", reason="stopping")
    assert await posted(client, b"{}", "/v2/repository/index") == (200, [row])
    assert await posted(client, b'{"ready": true}', "/v2/repository/index") == (200, [])


async def encoded_pictures(client, service):
    elements = [png(3), png(6)]
    tensor = {"name": "image", "shape": [2], "datatype": "BYTES"}
    data = b"".join(len(e).to_bytes(4, "little") + e for e in elements)
    sent = {**tensor, "parameters": {"binary_data_size": len(data)}}
    text = {**tensor, "data": [base64.b64encode(e).decode() for e in elements]}
    for request, behind in (({"inputs": [sent]}, data), ({"inputs": [text]}, b"")):
        status, answer, _ = await infer(client, request, behind)
        assert status == 200, answer
        assert answer["outputs"][0]["data"] == expected(3, 6).ravel().tolist()
    for element, message in (("AAAA", "image[0]: "), ("?", "base64")):
        request = {"inputs": [{**tensor, "shape": [1], "data": [element]}]}
        status, answer, _ = await infer(client, request)
        assert status == 400 and message in answer["error"]
    service.models["digits"].answers.pixels = 100
    status, answer, _ = await infer(client, {"inputs": [text]})
    told = "image[1]: the pictures have more than 100 pixels together"
    assert (status, answer["error"]) == (400, told)
    both = {"inputs": [an_input(batch(3)), {**text, "shape": [2]}]}
    status, answer, _ = await infer(client, both)
    assert (status, answer["error"]) == (400, "either data or image, not both")


async def no_shared_memory(client, service):
    region = {"shared_memory_region": "a", "shared_memory_byte_size": 256}
    request = {"inputs": [an_input(batch(1), data=None, parameters=region)]}
    assert (await infer(client, request))[0] == 400
    output = {"name": "logits", "parameters": region}
    assert (await infer(client, {"inputs": [an_input(batch(1))], "outputs": [output]}))[0] == 400
    assert (await got(client, "/v2/systemsharedmemory/status"))[0] == 404


async def no_sequences(client, service):
    request = {"inputs": [an_input(batch(1))], "parameters": {"sequence_id": 1}}
    assert (await infer(client, request))[0] == 400


async def no_compression(client, service):
    request = {"inputs": [an_input(batch(1))]}
    assert (await infer(client, request, **{"Content-Encoding": "gzip"}))[0] == 415


async def no_loading(client, service):
    for what in ("load", "unload"):
        assert (await posted(client, b"", f"/v2/repository/models/digits/{what}"))[0] == 404


async def no_statistics(client, service):
    for path in ("/v2/models/stats", f"{MODEL}/stats", f"{MODEL}/config"):
        assert (await got(client, path))[0] == 404
    for path in ("/v2/trace/setting", "/v2/logging"):
        assert (await got(client, path))[0] == 404


POINTS = (server_live, server_ready, server_metadata, model_metadata, model_ready)
POINTS += (unknown_models, tensors_in_json, request_id, outputs_by_name, parameters, rows)
POINTS += (datatypes, errors, binary_inputs, binary_outputs, classification, repository_index)
POINTS += (encoded_pictures, no_shared_memory, no_sequences, no_compression, no_loading)
POINTS += (no_statistics,)


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.__name__)
def test_a_point_of_the_list_holds(point, caplog):
    run_served(point, {"digits": digits(Digits())})
    logged = [record for record in caplog.records if record.levelname == "ERROR"]
    assert bool(logged) == (point is errors)  # where the network fails


def test_the_list_has_these_points_and_no_others():
    listed = re.findall(r"^\| `([a-z_]+)` \|", PAGE.read_text(encoding="utf-8"), re.M)
    assert listed == [point.__name__ for point in POINTS]


def served(predictor, scenario, **settings):
    run_served(scenario, {"m": predictor}, **settings)


def predictor(network, deployment=None, **manifest):
    names = manifest.pop("names", ("a", "b", "c"))
    return Predictor(network, Manifest("m", names, PIXELS, deployment=deployment, **manifest))


async def answered(client, x, datatype="FP32"):
    """The output for a batch, as binary data."""
    sent = {**binary(x), "datatype": datatype}
    request = {"inputs": [sent], "parameters": {"binary_data_output": True}}
    status, answer, data = await infer(client, request, x.tobytes(), "/v2/models/m/infer")
    if status != 200:
        return status, answer["error"]
    [output] = answer["outputs"]
    return output["name"], np.frombuffer(data, np.float32).reshape(output["shape"])


def means(x):
    """Logits of each picture or clip: the means of its channels."""
    return x.reshape(len(x), 3, -1).mean(axis=2, dtype=np.float32)


def test_rows_of_several_clients_share_batches():
    seen = []

    def network(x):
        seen.append(len(x))
        return means(x)

    async def scenario(client, _):
        x = np.random.RandomState(0).rand(16, 3, 4, 6).astype("float32")
        parts = await asyncio.gather(*(answered(client, x[i : i + 2]) for i in range(0, 16, 2)))
        assert np.array_equal(np.concatenate([part for _, part in parts]), means(x))
        assert await sample(client, 'glore_model_requests_total{model="m",status="200"}') == 8

    served(predictor(network), scenario, wait=0.2)
    assert max(seen) > 2 and sum(seen[2:]) == 16  # two batches warm it up


class Probabilities:
    """A graph that ends in a softmax, as a runtime runs it."""

    def raw(self, x):
        odds = np.exp(means(x))
        return odds / odds.sum(axis=1, keepdims=True)

    def __call__(self, x):
        return logits_of(self.raw(x))


def test_probabilities_are_those_of_the_graph_and_predict_is_as_before():
    x = np.random.RandomState(0).rand(5, 3, 4, 6).astype("float32")
    picture = cv2.imencode(".png", np.full((4, 6, 3), 77, np.uint8))[1].tobytes()
    model = predictor(Probabilities(), Deployment((None, 3, 4, 6), probabilities=True))
    prepared = PIXELS(decode_image(picture, 3))
    [told] = Probabilities().raw(prepared[None])

    async def scenario(client, _):
        name, output = await answered(client, x)
        assert name == "probabilities" and np.array_equal(output, Probabilities().raw(x))
        _, fields = await got(client, "/v2/models/m")
        assert fields["outputs"][0]["name"] == "probabilities"
        _, fields = await posted(client, picture)
        given = {row["class"]: row["probability"] for row in fields["top"]}
        assert given == {name: pytest.approx(p, abs=2e-6) for name, p in zip("abc", told)}

    served(model, scenario)


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_networks_that_normalize_take_pixels(layout):
    shape = (None, 4, 6, 3) if layout == "NHWC" else (None, 3, 4, 6)

    def network(x):
        assert x.dtype == np.uint8
        return means(np.moveaxis(x, -1, 1) if layout == "NHWC" else x)

    async def scenario(client, _):
        x = np.random.RandomState(0).randint(0, 256, (2, *shape[1:])).astype("uint8")
        assert np.array_equal((await answered(client, x, "UINT8"))[1], network(x))
        status, message = await answered(client, x)
        assert status == 400 and f"UINT8 of shape {[-1, *shape[1:]]}" in message

    served(predictor(network, Deployment(shape, layout, "uint8")), scenario)


def test_networks_that_segment_take_any_size_within_their_limits():
    def network(x):
        return np.stack([x.mean(axis=1)] * 3, axis=1)

    async def scenario(client, service):
        model = service.models["m"]
        _, fields = await got(client, "/v2/models/m")
        assert fields["inputs"] == [{"name": "data", "datatype": "FP32", "shape": [-1, 3, -1, -1]}]
        assert fields["outputs"][0]["shape"] == [-1, 3, -1, -1]
        for size in ((5, 7), (9, 4)):
            x = np.random.RandomState(0).rand(2, 3, *size).astype("float32")
            name, output = await answered(client, x)
            assert name == "logits" and np.array_equal(output, network(x))
        status, message = await answered(client, np.zeros((1, 3, 10, 11), np.float32))
        assert (status, message) == (400, "at most 100 pixels, given 110")
        status, message = await answered(client, np.zeros((3, 3, 10, 10), np.float32))
        assert (status, message) == (413, "at most 3000 bytes are taken")
        sent = {**binary(x), "shape": list(x.shape)}
        request = {
            "inputs": [sent],
            "outputs": [{"name": "logits", "parameters": {"classification": 1}}],
        }
        status, answer, _ = await infer(client, request, x.tobytes(), "/v2/models/m/infer")
        assert status == 400 and "classification" in answer["error"]
        assert model.in_hand == 0

    served(predictor(network, task="segment"), scenario, pixels=100, max_bytes=3000)


def test_the_answer_is_bounded_too():
    async def scenario(client, _):
        status, message = await answered(client, np.zeros((2, 3, 4, 6), np.float32))
        assert status == 400 and message.startswith("outputs of 8000 bytes, at most 3000")

    def network(x):
        return np.zeros((len(x), 1000), np.float32)

    names = tuple(f"c{i}" for i in range(1000))
    served(predictor(network, names=names), scenario, max_bytes=3000)


def test_networks_of_videos_take_clips():
    async def scenario(client, _):
        x = np.random.RandomState(0).rand(2, 3, 5, 4, 6).astype("float32")
        assert np.array_equal((await answered(client, x))[1], means(x))
        _, fields = await got(client, "/v2/models/m")
        assert [spec["name"] for spec in fields["inputs"]] == ["data"]

    served(predictor(means, clip=Clip(5, 2), task="recognize"), scenario)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("size, probabilities", [((32, 32), False), ((None, None), True)])
def test_the_metadata_are_those_of_an_exported_model_repository(layout, size, probabilities):
    changes = {"shape": (None, 3, *size), "probabilities": probabilities}
    if layout == "NHWC":
        changes.update(shape=(None, *size, 3), layout="NHWC", dtype="uint8")
    files = read_files(FOLDER).with_deployment(**changes)
    text = LAYOUTS["triton"].files[CONFIG](files)
    ends = re.findall(r'name: "(\w+)"\s+data_type: TYPE_(\w+)\s+dims: \[ (.*?) \]', text)
    expected = [
        {"name": name, "datatype": kind, "shape": [-1, *map(int, dims.split(","))]}
        for name, kind, dims in ends
    ]

    async def scenario(client, _):
        _, fields = await got(client, "/v2/models/m")
        assert [fields["inputs"][0], *fields["outputs"]] == expected and len(expected) == 2

    class Black:
        def raw(self, x):
            return np.full((len(x), 6), 0.125, np.float32)

        __call__ = raw

    served(Predictor(Black(), files.manifest), scenario)


def test_outputs_that_are_not_finite_are_an_error_of_the_server():
    async def scenario(client, _):
        request = {"inputs": [an_input(batch(8))]}
        status, answer, _ = await infer(client, request)
        assert status == 500 and "not finite" in answer["error"]

    run_served(scenario, {"digits": digits(Digits())})
    assert len(CLASSES) == 10


def test_a_request_waits_for_its_answer_no_longer_than_others():
    network = Digits()

    async def scenario(client, service):
        network.open.clear()
        late = await infer(client, {"inputs": [an_input(batch(1))]})
        assert late[:2] == (504, {"error": "no answer within 0.5 s"})
        network.open.set()

    run_served(scenario, {"digits": digits(network)}, network.open.set, timeout=0.5)
