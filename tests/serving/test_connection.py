"""What is no request that a handler could answer: sent as it is, byte by byte."""

import asyncio
import json

import pytest

from tests.helpers.digits import png, served

pytest.importorskip("aiohttp", reason="serve needs aiohttp")
pytest.importorskip("prometheus_client", reason="serve needs prometheus_client")

LINE = 9000  # bytes, more than aiohttp reads in a line
UPGRADE = (b"Connection: Upgrade", b"Upgrade: websocket")


def get(target=b"/health", *fields, version=b"HTTP/1.1"):
    lines = [b"GET %s %s" % (target, version), b"Host: a", *fields]
    return b"\r\n".join([*lines, b"\r\n"])


def post(*fields, body=b"", path=b"/predict"):
    return b"\r\n".join([b"POST %s HTTP/1.1" % path, b"Host: a", *fields, b"\r\n"]) + body


def chunks(body, path=b"/predict"):
    return post(b"Transfer-Encoding: chunked", body=body, path=path)


def form(body, content_type=b"multipart/form-data; boundary=x"):
    return post(b"Content-Type: " + content_type, b"Content-Length: %d" % len(body), body=body)


def file(fields, content=b"abc"):
    disposition = b'--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n'
    return form(disposition + fields + b"\r\n\r\n" + content + b"\r\n--x--\r\n")


NO_REQUESTS = [
    b"hello\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",  # TLS
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"garbage\r\nAccept: text/html\r\n\r\n",
    b"BREW /health HTTP/1.1\r\nHost: a\r\n\r\n",
    b"get /health HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /health HTTP/1.1\nHost: a\n\n",
    get(version=b"HTTP/9.9"),
    get(b"health"),
    get(b"/\xff"),
    get(b"/" + b"a" * LINE),
    get(b"http://a:b:c/"),
    get(b"http://[::1/health"),
    get(b"http://a:999999/"),
    get(b"/health", b"X: " + b"a" * LINE),
    get(b"/health", b"a" * LINE + b": b"),
    get(b"/health", *[b"A: b"] * 500),
    get(b"/health", b"Host a"),
    get(b"/health", b"X: a\x00b"),
    get(b"/health", b"X: a", b" b"),
    get(b"/health", b"Host: b"),
    post(b"Content-Length: x"),
    post(b"Content-Length: -1"),
    post(b"Content-Length: 99999999999999999999999999"),
    post(b"Content-Length: 1", b"Content-Length: 2", body=b"ab"),
    post(b"Content-Length: 1", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    post(b"Transfer-Encoding: gzip"),
    chunks(b"zz\r\nabc\r\n0\r\n\r\n"),
    chunks(b"3\r\nabcdef\r\n0\r\n\r\n"),
    chunks(b"-1\r\nabc\r\n0\r\n\r\n"),
    chunks(b"fffffffffffffffffff\r\nabc"),
    chunks(b"3\r\nabc\r\n0\r\nA b\x00\r\n\r\n"),
    chunks(b"zz\r\n", b"/health"),
    chunks(b"3\r\nabc\r\nzz\r\n", b"/none"),
]
NO_PICTURES = [
    (400, chunks(b"3;" + b"a" * 20_000 + b"\r\nabc\r\n0\r\n\r\n")),
    (400, post(b"Upgrade: h2c", b"Connection: Upgrade", b"Content-Length: 3", body=b"abc")),
    (404, b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n"),
    (404, b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"),
    (404, get(b"//[x")),
    (404, get(b"/%zz%00%ff")),
    (405, b"PUT /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"),
    (415, post(b"Content-Encoding: br", b"Content-Length: 3", body=b"abc")),
    (417, post(b"Expect: a", b"Content-Length: 0")),
    (417, post(b"Expect: a", b"Content-Length: 0", path=b"/none")),
    (505, get(version=b"HTTP/0.9")),
    (505, get(version=b"HTTP/2.0")),
    (400, post(b"Content-Type: \xff\xfe;;;=", b"Content-Length: 3", body=b"abc")),
    (400, post(b"Content-Length: 0", path=b"/predict?top=%ff&&=%zz")),
    (400, form(b"abc", b"multipart/form-data; boundary=\xff\xfe")),
    (400, form(b"abc", b"multipart/; boundary=" + b"x" * 100)),
    (400, file(b"Content-Transfer-Encoding: foo")),
    (400, file(b"Content-Transfer-Encoding: base64", b"a===b")),
    (400, file(b"Content-Encoding: foo")),
    (400, file(b"Content-Length: x")),
    (400, file(b"\xff\xff\xff")),
    (400, form(b"--x\r\nContent-Type: multipart/mixed\r\n\r\nabc\r\n--x--\r\n")),
    (400, form(b'--x\r\nContent-Disposition: ;;;"=\r\n\r\nabc\r\n--x--\r\n')),
    (400, form(b"--x\r\nA: " + b"b" * LINE + b"\r\n\r\n\r\n--x--\r\n")),
    (400, form(b"--x\r\nA: b\r\n\r\n\r\n" * 50_000 + b"--x--\r\n")),
]


async def answered(port, data):
    """The answers to `data`, [(status, Content-Type, body), ...], until none comes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    answers = []
    while head := await reader.readline():
        fields = {}
        while (line := await reader.readline()).strip():
            name, _, value = line.decode().partition(": ")
            fields[name.lower()] = value.strip()
        body = await reader.readexactly(int(fields.get("content-length", 0)))
        answers.append((int(head.split()[1]), fields.get("content-type", ""), body.decode()))
        if fields.get("connection") == "close" or not head.startswith(b"HTTP/1.1"):
            break
        if len(answers) > 1 or answers[0][0] not in (100, 200):
            break
    writer.close()
    return answers


def is_a_line(answer, status):
    given, kind, body = answer
    message = json.loads(body)["error"]
    return given == status and kind.startswith("application/json") and "\n" not in message


def test_a_refusal_is_json_with_its_code_and_nothing_is_logged(caplog):
    async def scenario(client, service, network):
        for data in NO_REQUESTS:
            (answer,) = await answered(network.port, data)
            assert is_a_line(answer, 400), (data[:80], answer)
            assert "not a readable" in answer[2] and len(answer[2]) < 200
        for status, data in NO_PICTURES:
            answer = (await answered(network.port, data))[-1]
            assert is_a_line(answer, status), (data[:80], answer)
        text = await (await client.get("/metrics")).text()
        line = next(x for x in text.splitlines() if 'path="other",status="400"' in x)
        assert float(line.split()[-1]) >= len(NO_REQUESTS) - 6  # bad chunks are predict's
        async with client.post("/predict", data=png(4)) as answer:
            assert answer.status == 200
        assert service.in_hand == 0

    served(scenario)
    assert caplog.records == []


def test_what_follows_an_upgrade_is_refused_and_not_logged(caplog):
    async def scenario(client, service, network):
        for fields in (UPGRADE, (*UPGRADE, b"Content-Length: 0")):
            answers = await answered(
                network.port, get(b"/health", *fields) + b"ga\x00rbage\r\n\r\n"
            )
            assert is_a_line(answers[-1], 400), answers

    served(scenario)
    assert caplog.records == []


def test_who_leaves_before_the_answer_is_not_logged(caplog):
    async def scenario(client, service, network):
        expecting = post(b"Expect: 100-continue", b"Content-Length: 3", body=b"abc")
        for data in (*NO_REQUESTS, *(data for _, data in NO_PICTURES), expecting, get()):
            _, writer = await asyncio.open_connection("127.0.0.1", network.port)
            writer.write(data)
            writer.write_eof()
            await writer.drain()
            writer.transport.abort()
        async with client.post("/predict", data=png(4)) as answer:
            assert answer.status == 200
        while service.in_hand:
            await asyncio.sleep(0.01)

    served(scenario)
    assert caplog.records == []


def test_who_waits_for_100_gets_it_before_the_answer():
    async def scenario(client, service, network):
        picture = png(4)
        fields = (b"Expect: 100-continue", b"Content-Length: %d" % len(picture))
        answers = await answered(network.port, post(*fields, body=picture))
        assert [status for status, _, _ in answers] == [100, 200]

    served(scenario)


def test_a_handlers_error_outside_of_it_is_logged_and_answered(caplog):
    async def scenario(client, service, network):
        service.metrics.seconds.labels = None  # so that counting fails
        async with client.get("/health") as answer:
            assert answer.status == 500
            assert await answer.json() == {"error": "the server failed, its log says how"}

    served(scenario)
    assert "GET /health failed" in caplog.text


def test_the_longer_something_takes_to_parse_the_less_of_it_is_read_at_once(monkeypatch):
    from gluon_glore.serving.connection import Connection

    sizes = []
    received = Connection.data_received

    def noting(connection, data):
        received(connection, data)
        if connection.transport is not None:
            sizes.append(connection.transport.max_size)

    monkeypatch.setattr(Connection, "data_received", noting)

    def largest(data):
        async def scenario(client, service, network):
            await answered(network.port, data)

        sizes.clear()
        served(scenario)
        return max(sizes[1:])

    plain = largest(post(b"Content-Length: 1000000", body=bytes(10**6)))
    in_chunks = largest(chunks(b"1\r\na\r\n" * 20_000 + b"0\r\n\r\n"))
    assert 4 * in_chunks < plain <= 2**18
