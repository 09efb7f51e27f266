"""`/ping` and `/invocations`, as SageMaker's platform and its clients ask."""

import io
import json

import cv2
import numpy as np
import pytest

from gluon_glore.data.image import Preprocess
from gluon_glore.inference.predictor import Predictor
from gluon_glore.weights.deployment import Deployment
from gluon_glore.weights.manifest import Manifest
from tests.helpers.digits import Network, digits, png
from tests.helpers.served import posted, run_served

pytest.importorskip("aiohttp", reason="serve needs aiohttp")
pytest.importorskip("prometheus_client", reason="serve needs prometheus_client")

NPY, JSON = "application/x-npy", "application/json"
PIXELS = Preprocess(size=(8, 8), resize=0, mean=(0.0,), scale=1.0)


def npy(array, **how):
    file = io.BytesIO()
    np.save(file, array, **how)
    return file.getvalue()


def batch(*digits):
    return np.tile(np.float32(digits)[:, None, None, None], (1, 1, 8, 8))


def run(scenario, predictor=None, **settings):
    run_served(scenario, {"digits": predictor or digits(Network())}, **settings)


async def invoked(client, data, content_type, accept=None):
    headers = {"Accept": accept} if accept else {}
    headers["Content-Type"] = content_type
    return await posted(client, data, "/invocations", headers=headers)


def test_ping_is_200_while_the_server_is_healthy():
    async def scenario(client, service):
        async with client.get("/ping") as answer:
            assert answer.status == 200
        service.stopping = True
        async with client.get("/ping") as answer:
            assert answer.status == 503

    run(scenario)


@pytest.mark.parametrize(
    "content_type", ["image/png", "image/jpeg", "application/x-image", "application/octet-stream"]
)
def test_pictures_are_answered_as_predict_does(content_type):
    async def scenario(client, _):
        expected = await posted(client, png(4))
        assert expected[1]["top"][0]["class"] == "class 4"
        assert await invoked(client, png(4), content_type) == expected
        form = {"file": png(4)}
        import aiohttp

        data = aiohttp.FormData()
        data.add_field("file", form["file"], filename="a.png")
        assert await posted(client, data, "/invocations") == expected

    run(scenario)


def test_networks_that_segment_answer_a_png_where_it_is_accepted():
    def network(x):
        return np.concatenate([x, 9 - x], axis=1)

    manifest = Manifest("digits", ("a", "b"), PIXELS, task="segment")

    async def scenario(client, _):
        status, data = await invoked(client, png(7), "image/png", "image/png")
        ids = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        assert status == 200 and ids.shape == (8, 8) and not ids.any()
        assert (await invoked(client, png(7), "image/png"))[1]["top"][0]["class"] == "a"

    run(scenario, Predictor(network, manifest))


@pytest.mark.parametrize("accept", [None, "*/*", JSON, f"text/html, {NPY};q=0.5", NPY])
@pytest.mark.parametrize("kind", [NPY, JSON, f"{JSON}; charset=utf-8"])
def test_arrays_are_answered_by_the_networks_output(kind, accept):
    x = batch(1, 7, 3)
    data = npy(x) if kind == NPY else json.dumps(x.tolist()).encode()

    async def scenario(client, _):
        status, answer = await invoked(client, data, kind, accept)
        assert status == 200
        if accept and NPY in accept:
            answer = np.load(io.BytesIO(answer))
            assert answer.dtype == np.float32
        assert np.array_equal(answer, Network()(x))

    run(scenario)


@pytest.mark.parametrize("dtype", ["float64", "float16", "int64", "uint8", "int8"])
@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_arrays_of_other_types_are_converted(dtype, version):
    file = io.BytesIO()
    np.lib.format.write_array(file, batch(2).astype(dtype), version)

    async def scenario(client, _):
        status, answer = await invoked(client, file.getvalue(), NPY)
        assert status == 200 and np.array_equal(answer, Network()(batch(2)))

    run(scenario)


def test_networks_of_pixels_take_whole_numbers_up_to_255():
    def network(x):
        assert x.dtype == np.uint8
        return x.reshape(len(x), -1)[:, :2].astype(np.float32)

    deployment = Deployment((None, 8, 8, 1), "NHWC", "uint8")
    model = Predictor(network, Manifest("digits", ("a", "b"), PIXELS, deployment=deployment))
    x = np.full((2, 8, 8, 1), 255)

    async def scenario(client, _):
        for data, kind in ((npy(x), NPY), (json.dumps(x.tolist()).encode(), JSON)):
            assert await invoked(client, data, kind) == (200, [[255.0, 255.0]] * 2)
        for wrong in (x + 1, x - 256, x / 2):
            for data, kind in ((npy(wrong), NPY), (json.dumps(wrong.tolist()).encode(), JSON)):
                assert (await invoked(client, data, kind))[0] == 400

    run(scenario, model)


GOOD = npy(batch(1))


@pytest.mark.parametrize(
    "data, kind, status",
    [
        (b"", NPY, 400),
        (GOOD[:-1], NPY, 400),
        (GOOD + b"\0", NPY, 400),
        (GOOD.replace(b"(1, 1, 8, 8)", b"(9, 1, 8, 8)"), NPY, 400),
        (GOOD.replace(b"(1, 1, 8, 8)", b"(0, 1, 8, 8)"), NPY, 400),
        (GOOD.replace(b"<f4", b">f4"), NPY, 400),
        (GOOD.replace(b"<f4", b"<c8"), NPY, 400),
        (npy(np.array([{}]), allow_pickle=True), NPY, 400),
        (npy(np.full((2, 8, 8, 1), 1.0).T), NPY, 400),
        (npy(np.full((1, 1, 8, 8), np.nan)), NPY, 400),
        (npy(np.full((1, 1, 8, 8), 1e300)), NPY, 400),
        (npy(np.zeros((1, 1, 8, 9))), NPY, 400),
        (npy(np.zeros(())), NPY, 400),
        (b"", JSON, 400),
        (b"{}", JSON, 400),
        (b"[[1, 2], [3]]", JSON, 400),
        (b"[NaN]", JSON, 400),
        (b"[1]", JSON, 400),
        (b"1,2", "text/csv", 415),
        (b"", "a" * 5000, 415),
        (b"no picture", "image/png", 400),
    ],
)
def test_what_is_no_input_is_refused_in_a_line(data, kind, status):
    async def scenario(client, service):
        given, fields = await invoked(client, data, kind)
        assert given == status and list(fields) == ["error"]
        assert "\n" not in fields["error"] and len(fields["error"]) < 300
        assert service.models["digits"].in_hand == 0

    run(scenario)


def test_what_is_not_accepted_is_refused():
    async def scenario(client, _):
        assert (await invoked(client, GOOD, NPY, "text/csv"))[0] == 406

    run(scenario)


def test_an_endpoint_has_one_model():
    async def scenario(client, _):
        status, fields = await invoked(client, GOOD, NPY)
        assert status == 404 and "one model" in fields["error"]

    run_served(scenario, {name: digits(Network()) for name in "ab"})


def test_the_error_of_a_network_is_the_servers():
    async def scenario(client, _):
        for number in (8, 9):  # not finite, and an exception
            assert (await invoked(client, npy(batch(number)), NPY))[0] == 500

    run(scenario)
