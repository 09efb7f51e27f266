import asyncio
import threading

import cv2
import numpy as np
import pytest

from tests.helpers.digits import png, served
from tests.helpers.served import got, posted, sample

pytest.importorskip("aiohttp", reason="serve needs aiohttp")
pytest.importorskip("prometheus_client", reason="serve needs prometheus_client")

import aiohttp  # noqa: E402


async def health(client):
    status, fields = await got(client, "/health")
    return status, fields["status"]


def test_a_picture_is_answered_from_the_body_or_a_form():
    async def scenario(client, service, _):
        status, answer = await posted(client, png(3))
        assert (status, answer["model"]) == (200, "digits")
        assert len(answer["top"]) == 5
        e = np.exp(5)
        best = {"class": "class 3", "probability": pytest.approx(e / (e + 9), abs=1e-6)}
        assert answer["top"][0] == best
        form = aiohttp.FormData()
        form.add_field("comment", "a text before")
        form.add_field("any", png(4), filename="four.png")
        status, answer = await posted(client, form, "/predict?top=1")
        assert (status, [row["class"] for row in answer["top"]]) == (200, ["class 4"])
        status, answer = await posted(client, png(4), "/predict?top=100")
        assert len(answer["top"]) == 10

    served(scenario)


def test_what_is_wrong_with_a_request_is_said_in_one_line():
    form = aiohttp.FormData({"a": "b"}, default_to_multipart=True)
    broken_form = {"Content-Type": "multipart/form-data; boundary=x"}
    cases = [
        (400, "not a readable picture", b"no picture", {}),
        (400, "not a readable picture", b"", {}),
        (400, "not a readable picture", png()[:-10], {}),
        (400, "picture of 4x4 pixels, the network takes 8x8", None, {}),
        (400, "top is a whole number from 1 to 10, given '0'", png(), {"params": {"top": "0"}}),
        (400, "top is a whole number from 1 to 10, given 'x'", png(), {"params": {"top": "x"}}),
        (400, "no file in the form", form, {}),
        (400, "not a readable body", b"no form", {"headers": broken_form}),
        (400, "not a readable body", b"", {"headers": {"Content-Type": "multipart/form-data"}}),
        (413, "at most 1000 bytes are taken", bytes(1001), {}),
        (415, "send the picture without Content-Encoding", None, {"compress": "gzip"}),
    ]
    small = cv2.imencode(".png", np.zeros((4, 4), np.uint8))[1].tobytes()

    async def scenario(client, *_):
        for status, message, data, options in cases:
            given = await posted(client, small if data is None else data, **options)
            assert given == (status, {"error": message})
        for method, path, status in (("GET", "/predict", 405), ("GET", "/none", 404)):
            async with client.request(method, path) as answer:
                assert (answer.status, list(await answer.json())) == (status, ["error"])
        assert (await posted(client, png()))[0] == 200

    served(scenario, max_bytes=1000)


def test_a_body_of_unknown_length_is_read_up_to_the_limit():
    sent = 0

    async def endless(start=b""):
        nonlocal sent
        yield start
        while sent < 10**9:
            sent += 2**16
            yield bytes(2**16)

    head = b'--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n'
    form = {"headers": {"Content-Type": "multipart/form-data; boundary=x"}}

    async def scenario(client, *_):
        for start, options in ((b"", {}), (head, form)):
            given = await posted(client, endless(start), **options)
            assert given == (413, {"error": "at most 100000 bytes are taken"})

    served(scenario, max_bytes=100_000)
    assert sent < 10**8


def test_requests_that_wait_together_are_one_batch():
    async def scenario(client, service, network):
        network.open.clear()
        tasks = [asyncio.ensure_future(posted(client, png(i % 8))) for i in range(33)]
        while await sample(client, "glore_waiting") < 25:
            await asyncio.sleep(0.01)
        assert await sample(client, "glore_requests_in_hand") == 33
        network.open.set()
        answers = await asyncio.gather(*tasks)
        for i, (status, answer) in enumerate(answers):
            assert (status, answer["top"][0]["class"]) == (200, f"class {i % 8}")
        warm_up = 2
        batches = await sample(client, "glore_batch_size_count") - warm_up
        assert await sample(client, "glore_batch_size_sum") == 33 + 1 + 8
        assert batches <= 1 + 5  # the one that waited; the others, eight at once
        assert await sample(client, 'glore_requests_total{path="/predict",status="200"}') == 33
        assert await sample(client, "process_resident_memory_bytes") > 10**7

    served(scenario)


def test_more_requests_than_are_taken_in_hand_are_told_to_come_again():
    async def scenario(client, service, network):
        network.open.clear()
        tasks = [asyncio.ensure_future(posted(client, png())) for _ in range(3)]
        while await sample(client, "glore_requests_in_hand") < 3:
            await asyncio.sleep(0.01)
        async with client.post("/predict", data=png()) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
            assert await answer.json() == {"error": "3 requests in hand, try again"}
        network.open.set()
        assert [status for status, _ in await asyncio.gather(*tasks)] == [200] * 3
        assert (await posted(client, png()))[0] == 200

    served(scenario, queue=3)


def test_a_network_that_fails_costs_its_batch_and_no_more(caplog):
    async def scenario(client, *_):
        assert (await posted(client, png(9)))[0] == 500
        assert (await posted(client, png(1)))[0] == 200
        status, answer = await posted(client, png(8))
        assert status == 500 and "outputs are not finite" in answer["error"]

    served(scenario)
    assert "no network for a 9" in caplog.text


def test_health_tells_a_network_that_does_not_end_and_requests_do_not_wait_for_it():
    async def scenario(client, service, network):
        assert await health(client) == (200, "ok")
        network.open.clear()
        assert await posted(client, png()) == (504, {"error": "no answer within 0.1 s"})
        while (status := await health(client)) == (200, "ok"):
            await asyncio.sleep(0.01)
        assert status == (503, "stuck")
        network.open.set()
        while (await posted(client, png()))[0] != 200:
            pass
        service.stopping = True
        assert await health(client) == (503, "stopping")
        async with client.post("/predict", data=png()) as answer:  # answered, but the last
            assert (answer.status, answer.headers["Connection"]) == (200, "close")

    served(scenario, timeout=0.1)


def test_a_body_that_does_not_come_is_not_waited_for():
    async def slowly():
        yield png()[:10]
        await asyncio.sleep(30)

    async def scenario(client, *_):
        given = await posted(client, slowly())
        assert given == (408, {"error": "the body did not come within 0.2 s"})

    served(scenario, timeout=0.2)


def test_the_description_says_what_is_served():
    async def scenario(client, *_):
        async with client.get("/") as answer:
            fields = await answer.json()
        assert (fields["model"], fields["classes"]) == ("digits", 10)
        assert fields["limits"]["bytes"] == 16 * 10**6

    served(scenario)


def test_decoding_that_outlives_its_504_counts_as_in_hand_until_it_ends():
    begun, end = threading.Event(), threading.Event()

    async def scenario(client, service, _):
        answers = service.models["digits"].answers
        prepare = answers.prepare

        def slowly(data, content_type):
            if data == b"slow":
                begun.set()
                assert end.wait(30)
            return prepare(data, content_type)

        answers.prepare = slowly
        late = (504, {"error": "no answer within 0.2 s"})
        assert await posted(client, b"slow") == late and begun.is_set()
        assert (service.unanswered, service.in_hand) == (0, 1)
        assert await sample(client, "glore_requests_in_hand") == 1
        assert await posted(client, png()) == late  # its thread is taken
        assert service.in_hand == 1
        assert await health(client) == (200, "ok")
        end.set()
        while service.in_hand:
            await asyncio.sleep(0.01)
        assert (await posted(client, png(5)))[0] == 200

    served(scenario, timeout=0.2, workers=1)
