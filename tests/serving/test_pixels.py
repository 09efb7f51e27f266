import asyncio

import cv2
import numpy as np
import pytest

from gluon_glore import InputError
from gluon_glore.data.image import Preprocess, decode_image, encode_png
from gluon_glore.inference.segment import Segmenter
from gluon_glore.weights.deployment import Deployment
from gluon_glore.weights.manifest import Manifest
from tests.helpers.served import Gate, got, posted, run_served, sample, until

pytest.importorskip("aiohttp", reason="serve needs aiohttp")
pytest.importorskip("prometheus_client", reason="serve needs prometheus_client")

NAMES = ("a", "b", "c")
PIXELS = Preprocess(size=(8, 8), resize=0, mean=(10.0, 20.0, 30.0), scale=0.1)


class Network(Gate):
    """Logits of each pixel by its surroundings; waits while shut, remembers shapes."""

    def logits(self, x):
        planes = [[cv2.blur(plane, (7, 7)) for plane in one] for one in x]
        return np.array(planes, np.float32) * [[[[1]], [[1.1]], [[1.2]]]]


def segmenter(network, size=None, names=NAMES):
    """A network that segments; exported for pictures of `size` where that is given."""
    deployment = size and Deployment((None, 3, *size))
    return Segmenter(network, Manifest("m", names, PIXELS, deployment=deployment, task="segment"))


def picture(height=23, width=31, seed=0):
    noise = np.random.RandomState(seed).randint(0, 256, (height, width, 3)).astype("uint8")
    return cv2.imencode(".png", cv2.GaussianBlur(noise, (5, 5), 0))[1].tobytes()


def ids_of(png):
    return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)


def run(scenario, size=None, network=None, **settings):
    network = network or Network()
    run_served(scenario, {"m": segmenter(network, size)}, network.open.set, **settings)
    return network


@pytest.mark.parametrize("size", [None, (16, 16), (40, 40)])
@pytest.mark.parametrize("batch", [None, 4])
def test_ids_are_those_of_predict_and_the_json_tells_their_shares(size, batch):
    expected = [
        segmenter(Network(), size).classes(decode_image(picture(seed=seed), 3)) for seed in range(6)
    ]
    alone = segmenter(Network(), size)

    async def scenario(client, _):
        accept = {"headers": {"Accept": "image/png"}}
        answers = [posted(client, picture(seed=seed), **accept) for seed in range(6)]
        for (status, png), ids in zip(await asyncio.gather(*answers), expected):
            assert status == 200 and np.array_equal(ids_of(png), ids) and png == encode_png(ids)
        status, fields = await posted(client, picture(seed=2), "/predict?top=2")
        largest = alone.largest(expected[2], 2)
        assert (fields["model"], fields["height"], fields["width"]) == ("m", 23, 31)
        assert [(row["class"], row["share"]) for row in fields["top"]] == [
            (name, pytest.approx(share, abs=1e-6)) for name, share in largest
        ]
        assert "image/png" in fields["ids"]

    run(scenario, size, batch=batch)


@pytest.mark.parametrize(
    "accept, query, png",
    [
        ("*/*", "", False),
        ("image/png", "", True),
        ("image/png;q=0.5, application/json", "", False),
        ("application/json;q=0.5, IMAGE/PNG ; q=0.9", "", True),
        ("image/png;q=0", "", False),
        ("image/png;q=x", "", False),
        ("text/html,image/avif,image/apng,*/*;q=0.8", "", False),
        ("image/png", "?format=json", False),
        ("application/json", "?format=png", True),
    ],
)
def test_the_format_is_what_the_query_says_or_what_the_client_accepts(accept, query, png):
    async def scenario(client, _):
        headers = {"Accept": accept}
        async with client.post(f"/predict{query}", data=picture(), headers=headers) as answer:
            kind = "image/png" if png else "application/json"
            assert (answer.status, answer.content_type) == (200, kind)

    run(scenario)


def test_pictures_of_one_shape_share_a_batch_of_no_more_pixels_than_a_picture_may_have():
    def seen():
        return sum(batch for batch, *_ in network.shapes)

    async def scenario(client, service):
        network.shapes.clear()
        network.open.clear()
        sizes = [(20, 20), (10, 30)] * 5
        tasks = [asyncio.ensure_future(posted(client, picture(*size))) for size in sizes]
        await until(lambda: len(service.models["m"].batcher) + seen() == 10)
        network.open.set()
        assert [status for status, _ in await asyncio.gather(*tasks)] == [200] * 10

    network = Network()
    run(scenario, network=network, batch=4, workers=10, pixels=1000)
    assert seen() == 10 and all(b * h * w <= 1000 for b, _, h, w in network.shapes)
    assert network.shapes.count((2, 3, 20, 20)) >= 1 and (3, 3, 10, 30) in network.shapes


def test_what_is_wrong_with_a_request_is_said_in_one_line():
    async def scenario(client, _):
        for path, data, status, message in (
            ("/predict?format=gif", picture(), 400, "format is json or png, given 'gif'"),
            ("/predict?top=0", picture(), 400, "top is a whole number from 1 to 3, given '0'"),
            ("/predict", b"no picture", 400, "not a readable picture"),
            ("/predict", picture(40, 40), 400, "picture of more than 1000 pixels"),
        ):
            assert await posted(client, data, path) == (status, {"error": message})
        assert (await got(client, "/"))[1]["pixels"] == 1000

    run(scenario, pixels=1000)


def test_a_network_whose_outputs_are_no_good_is_an_error_of_the_server(caplog):
    class Broken(Network):
        def __call__(self, x):
            return super().__call__(x) * np.float32(np.nan if x.max() > 20 else 1)

    def bright(value):
        return encode_png(np.full((9, 9, 3), value, np.uint8))

    async def scenario(client, _):
        assert (await posted(client, bright(100)))[0] == 200
        status, fields = await posted(client, bright(240))
        assert status == 500 and "not finite" in fields["error"]

    run(scenario, network=Broken())
    assert caplog.text == ""

    class Fails(Network):
        def __call__(self, x):
            if x.max() > 20:
                raise InputError("fails on a batch")
            return super().__call__(x)

    async def failing(client, _):
        assert (await posted(client, bright(240)))[0] == 500
        assert (await posted(client, bright(100)))[0] == 200

    run(failing, network=Fails())
    assert "fails on a batch" in caplog.text


def test_who_waits_too_long_frees_the_thread_and_takes_no_place_in_a_batch():
    async def scenario(client, service):
        network.open.clear()
        late = (504, {"error": "no answer within 0.3 s"})
        answers = [posted(client, picture()) for _ in range(4)]
        assert await asyncio.gather(*answers) == [late] * 4
        await until(lambda: service.in_hand == 0)  # though the batch has not ended
        network.shapes.clear()
        network.open.set()
        assert (await posted(client, picture()))[0] == 200
        assert len(network.shapes) == 1  # none of those that wait no more

    network = Network()
    run(scenario, network=network, timeout=0.3)


def test_more_classes_than_a_png_has_numbers_are_refused():
    names = tuple(map(str, range(256)))
    with pytest.raises(InputError, match="m tells 256 classes apart, serve at most 255"):
        run_served(None, {"m": segmenter(Network(), names=names)})


def test_figures_of_the_model_are_told():
    async def scenario(client, _):
        assert (await posted(client, picture()))[0] == 200
        assert await sample(client, 'glore_model_requests_total{model="m",status="200"}') == 1
        assert await sample(client, 'glore_model_ready{model="m"}') == 1

    run(scenario)


def test_a_graph_that_gives_probabilities_is_answered_by_its_logits():
    class Softmaxed(Network):
        def raw(self, x):
            logits = Network.__call__(self, x)
            e = np.exp(logits - logits.max(axis=1, keepdims=True))
            return e / e.sum(axis=1, keepdims=True)

        def __call__(self, x):
            raise AssertionError("batches have what the graph gives")

    deployment = Deployment((None, 3, None, None), probabilities=True)
    manifest = Manifest("m", NAMES, PIXELS, deployment=deployment, task="segment")
    expected = segmenter(Network()).classes(decode_image(picture(), 3))

    async def scenario(client, service):
        _, png = await posted(client, picture(), "/predict?format=png")
        assert (ids_of(png) == expected).mean() > 0.99  # but for ties by rounding
        row = service.models["m"].answers.a_row()
        [output] = await service.models["m"].run([row])
        assert np.allclose(output.sum(axis=0), 1)

    run_served(scenario, {"m": Segmenter(Softmaxed(), manifest)})
