"""A web server on 127.0.0.1 that serves a folder and misbehaves as it is told.

    with WebServer(folder) as server:
        server.answer("a.bin", Answer(cut=1000), Answer(status=500))  # the third one is ordinary
        download(server.url("a.bin"), path)
    assert server.ranges("a.bin") == [None, "bytes=1000-", "bytes=1000-"]

An ordinary answer has a strong ETag, Last-Modified and Content-Length; it heeds Range and If-Range.
"""

import contextlib
import itertools
import re
import ssl
import threading
import zlib
from collections import defaultdict
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Dict, Optional
from urllib.parse import quote, unquote, urlsplit


@dataclass(frozen=True)
class Answer:
    """How a request is answered, where that is not the ordinary way."""

    status: int = 200
    headers: Dict[str, Optional[str]] = field(default_factory=dict)  # None: without that one
    body: Optional[bytes] = None  # None: the file, or a word where the status is no 200
    raw: Optional[bytes] = None  # instead of all: what is no HTTP
    ranges: bool = True  # False: Range is ignored
    if_range: bool = True  # False: If-Range is ignored
    chunked: bool = False  # without Content-Length
    cut: Optional[int] = None  # the connection is closed after so many bytes of the body
    stall: Optional[int] = None  # nothing more comes after so many
    drip: float = 0.0  # seconds before each byte


def redirect(url):
    return Answer(status=302, headers={"Location": url})


class WebServer:
    """Serves `folder` while the context lasts; `requests[name]` holds the headers that came.

    With `certificate`, a PEM file of key and certificate, it speaks https.
    """

    def __init__(self, folder, certificate=None):
        self.folder = Path(folder)
        self.requests = defaultdict(list)
        self.closing = threading.Event()
        self._answers = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.owner, self._server.block_on_close = self, False
        self._scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            self._scheme = "https"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def url(self, name=""):
        return f"{self._scheme}://127.0.0.1:{self._server.server_port}/{quote(name)}"

    def answer(self, name, *answers, then=None):
        """The next requests for `name` are answered so, one each; those after them as `then`."""
        self._answers[name] = itertools.chain(answers, itertools.repeat(then or Answer()))

    def ranges(self, name):
        """The Range of each request for `name`, None where it had none."""
        return [headers["Range"] for headers in self.requests[name]]

    def take(self, name, headers):
        self.requests[name].append(headers)
        return next(self._answers.get(name, iter([Answer()])))


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        name = unquote(urlsplit(self.path).path).lstrip("/")  # of a whole URL, as a proxy gets it
        answer = self.server.owner.take(name, self.headers)
        with contextlib.suppress(ConnectionError, ssl.SSLError):  # the client has gone
            if answer.raw is None:
                self._answer(self.server.owner.folder / name, answer)
            else:
                self.wfile.write(answer.raw)

    def _answer(self, file, answer):
        status, body = answer.status, answer.body
        if body is None and status == 200:
            status = 200 if file.is_file() else 404
        if body is None:
            body = file.read_bytes() if status == 200 else b"sorry\n"
        headers = {"Content-Type": "application/octet-stream"}
        if status == 200:
            headers["ETag"] = f'"{zlib.crc32(body):08x}"'
            headers["Last-Modified"] = formatdate(0, usegmt=True)
            start = self._start(answer, {**headers, **answer.headers})
            if start >= len(body) > 0:
                status, headers["Content-Range"], body = 416, f"bytes */{len(body)}", b""
            elif start:
                headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
                status, body = 206, body[start:]
        if answer.chunked:
            headers["Transfer-Encoding"] = "chunked"
        else:
            headers["Content-Length"] = str(len(body))
        self.protocol_version = "HTTP/1.1"
        self.send_response(status)
        for key, value in {**headers, **answer.headers, "Connection": "close"}.items():
            if value is not None:
                self.send_header(key, value)
        self.end_headers()
        self._send(body, answer)

    def _start(self, answer, headers):
        """The byte that the request wants to begin with."""
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        condition = self.headers["If-Range"]
        same = condition is None or condition in (headers["ETag"], headers["Last-Modified"])
        return int(wanted[1]) if wanted and answer.ranges and (same or not answer.if_range) else 0

    def _send(self, body, answer):
        closing = self.server.owner.closing
        end = min(n for n in (answer.cut, answer.stall, len(body)) if n is not None)
        step = 1 if answer.drip else max(end, 1)
        for i in range(0, end, step):
            if answer.drip and closing.wait(answer.drip):
                return
            block = body[i : i + step][: end - i]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(block), block) if answer.chunked else block)
        if answer.stall is not None:
            closing.wait()
        elif answer.chunked and answer.cut is None:
            self.wfile.write(b"0\r\n\r\n")
