import asyncio
import json
import tempfile
import threading

import cv2
import numpy as np
import pytest

from gluon_glore.data.clips import Clip
from gluon_glore.data.image import Preprocess, encode_png
from gluon_glore.inference.recognize import Recognizer, moment_fields
from gluon_glore.weights.manifest import Manifest
from tests.helpers.served import Gate, got, posted, run_served, until
from tests.helpers.videos import moving, write_video

pytest.importorskip("aiohttp", reason="serve needs aiohttp")
pytest.importorskip("prometheus_client", reason="serve needs prometheus_client")

import aiohttp  # noqa: E402

NAMES = ("a", "b", "c")
PIXELS = Preprocess((32, 32), 36, (100.0, 110.0, 120.0), 1 / 50)
CLIP = Clip(4, 2)


class Network(Gate):
    """Logits of a view by its colours and what moves in it; waits while shut."""

    def logits(self, x):
        moved = np.diff(x, axis=2).std((1, 2, 3, 4))
        return np.stack([x[:, 0].mean((1, 2, 3)), x[:, 2].std((1, 2, 3)), moved], axis=1)


def recognizer(network, clip=CLIP):
    return Recognizer(network, Manifest("m", NAMES, PIXELS, clip=clip, task="recognize"))


def run(scenario, network=None, clip=CLIP, **settings):
    network = network or Network()
    run_served(scenario, {"m": recognizer(network, clip)}, network.open.set, **settings)
    return network


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """Two seconds, brighter and brighter."""
    frames = moving(50) // 2 + np.arange(50, dtype=np.uint8)[:, None, None, None] * 2
    return write_video(tmp_path_factory.mktemp("videos") / "v.mp4", frames, g=10)


def form(*files, field="file"):
    given = aiohttp.FormData()
    for number, data in enumerate(files):
        given.add_field(field, data, filename=f"{number}")
    return given


def near(fields):
    """JSON whose numbers may differ by the rounding of another batch."""
    if isinstance(fields, float):
        return pytest.approx(fields, abs=2e-6)
    if isinstance(fields, dict):
        return {key: near(value) for key, value in fields.items()}
    return [near(value) for value in fields] if isinstance(fields, list) else fields


@pytest.mark.parametrize("query", ["", "?clips=3", "?crops=3&top=2", "?clips=20&crops=5&top=1"])
def test_a_video_is_answered_as_predict_does_from_the_body_or_a_form(query, video, monkeypatch):
    asked = dict(part.split("=") for part in query[1:].split("&") if part)
    expected = recognizer(Network()).watch(video, **{k: int(v) for k, v in asked.items()})
    monkeypatch.setattr(tempfile, "_get_candidate_names", None)  # no file is made

    async def scenario(client, _):
        data = video.read_bytes()
        for body in (data, form(data)):
            status, fields = await posted(client, body, f"/predict{query}")
            assert (status, fields["model"], fields["seconds"]) == (200, "m", 2.0)
            assert fields["clips"] == near(moment_fields(expected.moments))
            top = [(row["class"], row["probability"]) for row in fields["top"]]
            assert top == [(name, pytest.approx(p, abs=2e-6)) for name, p in expected.top]

    run(scenario)


@pytest.mark.parametrize("clip", [Clip(4, 2), Clip(4, 1), Clip(4, 3, 25.0)])
def test_pictures_in_a_form_are_the_frames_of_one_clip(clip):
    frames = moving(1 + 3 * clip.stride, seed=3)

    class Frames:
        rate = 25.0

        def __len__(self):
            return len(frames)

        def frames(self, indices, _):
            return ((i, frames[i]) for i in sorted(set(indices)))

    expected = recognizer(Network(), clip).watch(Frames(), clips=1, crops=3)

    async def scenario(client, _):
        pictures = [encode_png(frame) for frame in frames[:: clip.stride]]
        status, fields = await posted(client, form(*pictures), "/predict?crops=3")
        assert (status, sorted(fields)) == (200, ["model", "top"])
        top = [(row["class"], row["probability"]) for row in fields["top"]]
        assert top == [(name, pytest.approx(p, abs=2e-6)) for name, p in expected.top]
        status, reverse = await posted(client, form(*pictures[::-1]), "/predict?crops=3")
        assert status == 200 and len(pictures) == 4

    run(scenario, clip=clip)


def test_clips_of_several_requests_share_batches(video):
    async def scenario(client, service):
        network.open.clear()
        data = video.read_bytes()
        tasks = [asyncio.ensure_future(posted(client, data, "/predict?clips=1")) for _ in range(9)]
        await until(lambda: len(service.models["m"].batcher) >= 5)  # a batch that runs has up to 4
        network.shapes.clear()
        network.open.set()
        answers = await asyncio.gather(*tasks)
        assert [status for status, _ in answers] == [200] * 9
        assert len({json.dumps(near(fields), default=str) for _, fields in answers}) == 1
        assert max(shape[0] for shape in network.shapes) == 4

    network = Network()
    run(scenario, network, workers=10)


def test_what_is_wrong_with_a_request_is_said_in_one_line(video):
    data = video.read_bytes()
    picture, small = encode_png(moving(1)[0]), encode_png(moving(1, (40, 40))[0])
    jpeg = cv2.imencode(".jpg", moving(1)[0])[1].tobytes()
    four = "m watches videos: a video, or 4 pictures in a form, given "

    async def scenario(client, _):
        for query, body, message in (
            ("crops=2", data, "crops is 1, 3, 5, given '2'"),
            ("crops=6", data, "crops is a whole number from 1 to 5, given '6'"),
            ("clips=101", data, "clips is a whole number from 1 to 100, given '101'"),
            ("clips=21&crops=5", data, "clips is a whole number from 1 to 20, given '21'"),
            ("top=x", data, "top is a whole number from 1 to 3, given 'x'"),
            ("", b"no video", "not a readable video"),
            ("", b"", "not a readable video"),
            ("", data[: len(data) // 2], "not a readable video"),
            ("", picture, four + "1 picture"),
            ("", jpeg, four + "1 picture"),
            ("", form(*[picture] * 3), four + "3 pictures"),
            ("", form(data, data), four + "2 files"),
            ("", form(*[picture] * 5), "more than 4 files in the form"),
            (
                "clips=1",
                form(*[picture] * 4),
                "pictures are the frames of one clip: leave clips out",
            ),
            (
                "",
                form(picture, picture, small, picture),
                "frames of one size, given 40x40 after 48x64 pixels",
            ),
            ("", form(picture, picture, picture, b"no"), "not a readable picture"),
        ):
            given = await posted(client, body, f"/predict?{query}")
            assert given == (400, {"error": message})
        assert (await got(client, "/"))[1]["does"] == "watches videos"

    run(scenario)


@pytest.mark.parametrize(
    "limits, message",
    [
        ({"frames": 49}, "video of more than 49 frames"),
        ({"pixels": 48 * 64 - 1}, f"video of more than {48 * 64 - 1} pixels"),
    ],
)
def test_videos_have_limits(limits, message, video):
    async def scenario(client, _):
        assert await posted(client, video.read_bytes()) == (400, {"error": message})

    run(scenario, **limits)
    run_allowed = {key: value + 1 for key, value in limits.items()}

    async def allowed(client, _):
        assert (await posted(client, video.read_bytes()))[0] == 200

    run(allowed, **run_allowed)


def test_pictures_of_a_clip_have_the_limit_of_a_frame():
    async def scenario(client, _):
        body = form(*[encode_png(moving(1)[0])] * 4)
        assert await posted(client, body) == (400, {"error": "picture of more than 1000 pixels"})

    run(scenario, pixels=1000)


def test_reading_a_video_ends_with_the_time_of_its_request(video, monkeypatch):
    import gluon_glore.data.video as module

    decoded, slow, begun = module._decoded, threading.Event(), threading.Event()

    def slowly(*given):
        begun.set()
        assert slow.wait(30)
        return decoded(*given)

    monkeypatch.setattr(module, "_decoded", slowly)

    async def scenario(client, service):
        late = (504, {"error": "no answer within 0.3 s"})
        assert await posted(client, video.read_bytes()) == late and begun.is_set()
        assert service.in_hand == 1  # the thread, until its packet is decoded
        slow.set()
        await until(lambda: service.in_hand == 0)
        assert network.shapes == shapes  # it has read no further
        assert (await posted(client, video.read_bytes()))[0] == 200

    network = Network()
    shapes = [(1, 3, 4, 32, 32), (4, 3, 4, 32, 32)]  # of the warm-up
    run(scenario, network, timeout=0.3)


def test_a_network_that_fails_costs_its_request_and_no_more(video, caplog):
    class Fails(Network):
        def __call__(self, x):
            if len(self.shapes) == 2:
                self.shapes.append(None)
                raise ValueError("fails once")
            return super().__call__(x)

    async def scenario(client, service):
        assert (await posted(client, video.read_bytes()))[0] == 500
        assert (await posted(client, video.read_bytes()))[0] == 200
        assert service.in_hand == 0

    run(scenario, Fails())
    assert "fails once" in caplog.text
