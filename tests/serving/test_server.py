"""`serve` as a process: what clients and signals do to it."""

import contextlib
import http.client
import json
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from gluon_glore.data.image import decode_image
from gluon_glore.inference.classify import load_classifier
from tests.helpers.jp2_pair import pair
from tests.helpers.pictures import of_size
from tests.helpers.places import ROOT
from tests.helpers.serve_process import MODEL, Server

pytest.importorskip("aiohttp", reason="serve needs aiohttp")
pytest.importorskip("prometheus_client", reason="serve needs prometheus_client")

MIB = 2**20


@pytest.fixture(scope="module")
def server():
    with Server("--timeout", "2", "--max-bytes", "1M", "--max-pixels", "1M") as server:
        yield server


@pytest.fixture(scope="module")
def pictures():
    """(PNG, its likeliest class and probability by `Classifier`) several times."""
    classifier, rng = load_classifier(MODEL), np.random.RandomState(0)
    noise = (rng.randint(0, 256, (64, 64)).astype("uint8") for _ in range(8))
    blurred = (cv2.GaussianBlur(x, (0, 0), 1 + i) for i, x in enumerate(noise))
    files = [cv2.imencode(".png", x)[1].tobytes() for x in blurred]
    return [(file, classifier.classify(decode_image(file, 1), 1)[0]) for file in files]


def header(length, path="/predict"):
    return b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (path.encode(), length)


def assert_right(answer, expected):
    status, fields = answer
    top = fields["top"][0]
    assert status == 200 and top["class"] == expected[0]
    assert top["probability"] == pytest.approx(expected[1], abs=1e-4)


def test_fifty_clients_get_what_predict_says(server, pictures):
    jobs = pictures * 50
    with ThreadPoolExecutor(50) as clients:
        answers = list(clients.map(lambda job: server.post(job[0]), jobs))
    for answer, (_, expected) in zip(answers, jobs):
        assert_right(answer, expected)
    assert server.sample("glore_batch_size_sum") > 1.5 * server.sample("glore_batch_size_count")


def test_a_request_of_a_gigabyte_is_refused_without_memory_for_it(server, pictures):
    server.post(pictures[0][0])
    before = server.peak()
    connection = server.connect(header(10**9) + bytes(MIB))
    assert connection.recv(100).startswith(b"HTTP/1.1 413 ")
    connection.close()

    head = b"POST /predict HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    connection = server.connect(head)
    block = b"%x\r\n%s\r\n" % (MIB, bytes(MIB))
    with contextlib.suppress(ConnectionError):  # when it has heard enough
        for _ in range(1000):
            connection.sendall(block)
    connection.close()
    assert server.peak() - before < 20 * MIB
    assert_right(server.post(pictures[0][0]), pictures[0][1])


def test_pictures_of_too_many_pixels_are_refused_without_memory_for_them(server, pictures):
    server.post(pictures[0][0])
    before = server.peak()
    jpeg = cv2.imencode(".jpg", np.zeros((64, 64), np.uint8))[1].tobytes()
    given = server.post(of_size(jpeg, 10_000, 10_000))
    assert given == (400, {"error": "picture of more than 1000000 pixels"})
    assert server.peak() - before < 20 * MIB


def test_clients_that_go_away_leave_nothing_behind(server, pictures):
    server.until("glore_requests_in_hand", 0)
    files = server.sample("process_open_fds")
    picture = pictures[0][0]
    for sent in (header(len(picture)) + picture[:100], header(len(picture)) + picture, b"POST /pr"):
        connections = [server.connect(sent) for _ in range(20)]
        for connection in connections:  # closed as by kill -9 of the client
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
    server.until("glore_requests_in_hand", 0)
    server.until("process_open_fds", files)
    assert_right(server.post(picture), pictures[0][1])


def test_who_stops_talking_is_not_waited_for(server):
    cases = [
        (b"", b""),
        (b"POST /predict HTTP/1.1\r\nHost:", b""),
        (header(1000) + b"abc", b"HTTP/1.1 408 "),
        (b"hello\r\n\r\n", b"HTTP/1.0 400 "),
        (b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 200 "),
    ]
    connections = [(server.connect(sent), answer) for sent, answer in cases]
    for connection, answer in connections:
        with contextlib.closing(connection), connection.makefile("rb") as stream:
            assert stream.read()[:13] == answer  # and the connection is closed


@pytest.mark.skipif(
    sys.version_info[:3] == (3, 13, 0),
    reason="asyncio of Python 3.13.0 writes a traceback of what connects while a server closes",
)
def test_sigterm_lets_what_is_in_flight_finish(pictures):
    picture, expected = pictures[0]
    with Server("--timeout", "30") as server:
        slow = [server.connect(header(len(picture)) + picture[:50]) for _ in range(10)]
        idle = server.connect()
        server.until("glore_requests_in_hand", 10)
        server.process.send_signal(signal.SIGTERM)
        server.until_closed()
        for connection in slow:
            connection.sendall(picture[50:])
        for connection in slow:
            with contextlib.closing(connection), connection.makefile("rb") as stream:
                assert stream.readline().startswith(b"HTTP/1.1 200 ")
                body = stream.read().partition(b"\r\n\r\n")[2]  # and the connection is closed
                assert_right((200, json.loads(body)), expected)
        assert server.process.wait(20) == 0
        idle.close()


def test_sigterm_under_load_loses_no_request(pictures):
    with Server() as server:
        statuses = []

        def client(_):
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
            with contextlib.closing(connection):
                try:
                    connection.connect()
                except ConnectionError:
                    return  # too late
                last = False
                while not last:
                    connection.request("POST", "/predict", pictures[0][0])
                    answer = connection.getresponse()
                    answer.read()
                    statuses.append(answer.status)
                    last = answer.headers["Connection"] == "close"

        with ThreadPoolExecutor(50) as clients:
            done = [clients.submit(client, i) for i in range(50)]
            while len(statuses) < 100:
                time.sleep(0.01)
            server.process.send_signal(signal.SIGTERM)
            for future in done:
                future.result()
        assert set(statuses) == {200}
        assert server.process.wait(20) == 0


def test_the_second_signal_ends_at_once(pictures):
    with Server("--timeout", "60") as server:
        slow = server.connect(header(1000))
        server.until("glore_requests_in_hand", 1)
        server.process.send_signal(signal.SIGINT)
        server.until_closed()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(20) == 128 + signal.SIGTERM
        slow.close()


def test_two_pictures_that_kill_opencv_are_refused_fifty_times(server, pictures):
    for _ in range(50):
        for data in pair():
            status, answer = server.post(data)
            assert status == 400 and list(answer) == ["error"]
    assert_right(server.post(pictures[0][0]), pictures[0][1])


def worst():
    """{name: a request that costs a server much, within its limits of a megabyte and a megapixel}.

    The forms froze aiohttp's own parser for seconds.
    """
    boundary = b"x" * 70
    line = b"--" + boundary + b"\r\n"
    end = line[:-2] + b"--\r\n"
    file = b'Content-Disposition: form-data; name="f"; filename="f"\r\n\r\n'
    long = b"Content-Disposition: " + b';a="' * 1900 + b"\r\n\r\n\r\n"
    scans = [cv2.IMWRITE_JPEG_PROGRESSIVE, 1, cv2.IMWRITE_JPEG_QUALITY, 60]
    noise = np.random.RandomState(0).randint(0, 256, (1000, 1000)).astype("uint8")
    forms = {
        "parts": (line[:3] + b"\r\n\r\n\r\n\r\n") * 80_000 + b"--x--\r\n",
        "headers": line + b"A: b\r\n" * 150_000 + b"\r\n" + end,
        "beginnings of a boundary": line + file + line[:-3] * 13_000 + b"\r\n" + end,
        "parameters": (line + long) * 99 + end,
    }
    bodies = {
        "a PNG": cv2.imencode(".png", np.zeros((1000, 1000), np.uint8))[1].tobytes(),
        "a JPEG of many scans": cv2.imencode(".jpg", noise, scans)[1].tobytes(),
        "nothing": bytes(10**6),
    }
    requests = {name: header(len(body)) + body for name, body in bodies.items()}
    for name, body in forms.items():
        kind = b"x" if name == "parts" else boundary
        fields = b"\r\nContent-Type: multipart/form-data; boundary=" + kind + b"\r\n\r\n"
        requests[name] = header(len(body))[:-4] + fields + body
    chunked = b"POST /predict HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    requests["chunks of a byte"] = chunked + b"1\r\na\r\n" * 50_000 + b"0\r\n\r\n"
    return requests


@pytest.fixture
def patient_server():
    """As `server`, but a busy machine has the time to read what it refuses."""
    with Server("--timeout", "30", "--max-bytes", "1M", "--max-pixels", "1M") as server:
        yield server


def test_health_answers_while_four_clients_send_the_worst_that_is_taken(patient_server):
    server, requests = patient_server, worst()
    answers = {name: set() for name in requests}

    def client(number, stop):
        while not stop.is_set():
            name = list(requests)[number % len(requests)]
            with server.connect(requests[name]) as connection:
                answers[name].add(connection.recv(1000)[:13])
            number += 1

    def slowest():
        """The slowest answer of /health, / and /metrics under a second of load, in seconds."""
        stop = threading.Event()
        with ThreadPoolExecutor(4) as clients:
            done = [clients.submit(client, 2 * i, stop) for i in range(4)]
            end, took = time.monotonic() + 1, []
            while time.monotonic() < end:
                for path in ("/health", "/", "/metrics"):
                    begun = time.monotonic()
                    with server.connect(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode()) as got:
                        assert got.recv(100).startswith(b"HTTP/1.1 200 ")
                    took.append(time.monotonic() - begun)
            stop.set()
            for future in done:
                future.result()
        return max(took)

    # A busy machine can be slow once, a loop that is blocked is slow each time.
    assert any(slowest() < 0.5 for _ in range(3))
    good = {name for name in requests if name.startswith("a ")}
    for name, given in answers.items():
        assert given <= {b"HTTP/1.1 200 " if name in good else b"HTTP/1.1 400 "}, name
    assert sum(map(bool, answers.values())) >= 4


def test_what_can_not_be_served_is_one_line(server):
    for options, message in (
        (["--port", str(server.port)], f"127.0.0.1:{server.port}: "),
        (["--runtime", "abacus"], "abacus"),
        (["--port", "70000"], "70000"),
        (["--max-bytes", "0"], "'0'"),
        (["--wait-ms", "-1"], "-1"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "gluon_glore", "serve", MODEL, *options],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 2
        last = done.stderr.splitlines()[-1]
        assert "error: " in last and message in last
