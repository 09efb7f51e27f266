"""Triton's own client against `serve` of an exported network, in a process of its own."""

import asyncio
import contextlib
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest

from gluon_glore.data.image import decode_image
from gluon_glore.inference.classify import load_classifier
from tests.helpers.places import ROOT
from tests.helpers.small_export import FOLDER, NAMES

pytest.importorskip("aiohttp", reason="serve needs aiohttp")
pytest.importorskip("prometheus_client", reason="serve needs prometheus_client")
pytest.importorskip("onnxruntime", reason="runs the exported folder")
triton = pytest.importorskip("tritonclient.http", reason="Triton's client is not installed")

pytestmark = pytest.mark.process


@contextlib.contextmanager
def serving(*options):
    """The port of a server of the small export."""
    command = [sys.executable, "-m", "gluon_glore", "serve", f"small={FOLDER}", "--port", "0"]
    process = subprocess.Popen(
        [*command, "--runtime", "onnxruntime", *options],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        line = process.stdout.readline()
        assert line.startswith("serving small on http://127.0.0.1:"), line
        yield int(line.rpartition(":")[2])
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def port():
    with serving("--wait-ms", "20") as port:
        yield port


@pytest.fixture(scope="module")
def client(port):
    client = triton.InferenceServerClient(f"127.0.0.1:{port}", concurrency=4)
    with contextlib.closing(client):
        yield client


@pytest.fixture(scope="module")
def classifier():
    return load_classifier(str(FOLDER), runtime="onnxruntime")


@pytest.fixture(scope="module")
def pictures():
    noise = np.random.RandomState(0).randint(0, 256, (6, 40, 48, 3)).astype("uint8")
    blurred = (cv2.GaussianBlur(x, (0, 0), 1 + i) for i, x in enumerate(noise))
    return [cv2.imencode(".png", x)[1].tobytes() for x in blurred]


@pytest.fixture(scope="module")
def batch(classifier, pictures):
    return np.stack([classifier.prepare(decode_image(x, 3)) for x in pictures])


def an_input(array, binary=True):
    datatype = "BYTES" if array.dtype == object else "FP32"
    given = triton.InferInput("data" if datatype == "FP32" else "image", array.shape, datatype)
    return given.set_data_from_numpy(array, binary_data=binary)


def test_the_server_and_its_model_are_as_the_client_expects(client):
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready("small") and client.is_model_ready("small", "1")
    assert not client.is_model_ready("other")
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
    [model] = client.get_model_repository_index()
    assert (model["name"], model["state"]) == ("small", "READY")
    metadata = client.get_model_metadata("small")
    assert metadata["platform"] == "onnxruntime_onnx"
    assert metadata["inputs"][0] == {"name": "data", "datatype": "FP32", "shape": [-1, 3, 32, 32]}
    assert metadata["outputs"] == [{"name": "logits", "datatype": "FP32", "shape": [-1, 6]}]
    with pytest.raises(triton.InferenceServerException, match="no model 'other'"):
        client.get_model_metadata("other")


@pytest.mark.parametrize("binary", [False, True])
def test_outputs_are_those_of_the_runtime_bit_by_bit(client, classifier, batch, binary):
    asked = [triton.InferRequestedOutput("logits", binary_data=binary)]
    for x in batch:  # one by one, as a batch of another size may round otherwise
        result = client.infer("small", [an_input(x[None], binary)], outputs=asked, request_id="7")
        assert np.array_equal(result.as_numpy("logits"), classifier.raw(x[None]))
        assert result.get_response()["id"] == "7"
    output = client.infer("small", [an_input(batch, binary)]).as_numpy("logits")
    assert output.shape == (6, 6) and np.allclose(output, classifier.raw(batch), atol=1e-5)


def test_encoded_pictures_have_the_classes_that_predict_gives(client, classifier, pictures):
    elements = np.array(pictures, object)
    output = client.infer("small", [an_input(elements)]).as_numpy("logits")
    asked = [triton.InferRequestedOutput("logits", class_count=3)]
    told = client.infer("small", [an_input(elements)], outputs=asked).as_numpy("logits")
    for picture, logits, row in zip(pictures, output, told):
        expected = classifier.classify(decode_image(picture, 3), 3)
        assert [name for name, _ in classifier.best(logits, 3)] == [name for name, _ in expected]
        for (_, p), (_, q) in zip(classifier.best(logits, 3), expected):
            assert p == pytest.approx(q, abs=1e-5)
        values, indices, names = zip(*(element.decode().split(":") for element in row))
        assert list(names) == [name for name, _ in expected] == [NAMES[int(i)] for i in indices]
        assert float(values[0]) == pytest.approx(logits.max(), abs=1e-5)


def test_several_requests_at_once_and_without_waiting(client, classifier, batch):
    expected = [classifier.raw(x[None]) for x in batch]
    pending = [client.async_infer("small", [an_input(x[None])]) for x in batch]
    for request, rows in zip(pending, expected):
        assert np.allclose(request.get_result().as_numpy("logits"), rows, atol=1e-5)


def test_clients_of_asyncio_are_answered_at_once(port, classifier, batch):
    aio = pytest.importorskip("tritonclient.http.aio", reason="Triton's client is not installed")

    async def main():
        async with aio.InferenceServerClient(f"127.0.0.1:{port}") as client:
            answers = [client.infer("small", [an_input(x[None])]) for x in batch for _ in range(5)]
            return [answer.as_numpy("logits") for answer in await asyncio.gather(*answers)]

    expected = [classifier.raw(x[None]) for x in batch for _ in range(5)]
    assert np.allclose(asyncio.run(main()), expected, atol=1e-5)


def test_a_refusal_is_the_clients_exception(client, batch):
    wrong = triton.InferInput("data", [1, 3, 32, 33], "FP32")
    wrong.set_data_from_numpy(np.zeros((1, 3, 32, 33), np.float32))
    with pytest.raises(triton.InferenceServerException, match="data is FP32 of shape") as refused:
        client.infer("small", [wrong])
    assert refused.value.status() == "400"
    with pytest.raises(triton.InferenceServerException, match="there is logits"):
        client.infer("small", [an_input(batch)], outputs=[triton.InferRequestedOutput("x")])
    with pytest.raises(triton.InferenceServerException, match="Content-Encoding"):
        client.infer("small", [an_input(batch)], request_compression_algorithm="gzip")
