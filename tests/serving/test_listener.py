"""A server in a process of its own that may open few files."""

import contextlib
import json
import re
import resource
import socket
import subprocess
import sys
import tempfile
import time

import pytest

from tests.helpers.places import ROOT

pytest.importorskip("aiohttp", reason="serve needs aiohttp")
pytest.importorskip("prometheus_client", reason="serve needs prometheus_client")

FILES = 64
PROGRAM = """
import asyncio, sys
from tests.helpers.digits import served

async def until_the_end(client, service, network):
    print(network.port, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

served(until_the_end)
"""


@contextlib.contextmanager
def server(files):
    """(its process, its port, its log) of a server that may open so many files."""

    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, FILES))

    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            cwd=ROOT,
            preexec_fn=limit,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            port = process.stdout.readline()
            yield process, int(port) if port else None, log
        finally:
            process.kill()
            process.communicate()


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=20)


def health(port):
    """The status and the body of /health, on a connection of its own."""
    with connect(port) as connection, contextlib.suppress(ConnectionError):
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        answer = b""
        while received := connection.recv(4096):
            answer += received
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def lines(log):
    log.seek(0)
    return log.read().splitlines()


def until_well(port):
    deadline = time.monotonic() + 10
    while health(port)[0] != 200:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_more_connections_than_files_are_told_so_and_the_log_stays_short():
    with server(FILES) as (process, port, log):
        held = [connect(port) for _ in range(3 * FILES)]
        status, answer = health(port)
        assert status == 503
        assert re.fullmatch(r"\d+ connections are open, try again", answer["error"])
        assert 10 < int(answer["error"].split()[0]) < FILES
        for connection in held:
            connection.close()
        until_well(port)
        assert lines(log) == []

        # Now as if something else had opened all files.
        before = len(held)
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (3, FILES))
        begun = time.monotonic()
        held = [connect(port) for _ in range(before)]
        time.sleep(1.3)
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (FILES, FILES))
        for connection in held:
            connection.close()
        until_well(port)
        written = lines(log)
        assert 1 <= len(written) <= time.monotonic() - begun + 1
        assert set(written) == {"no connection is accepted: Too many open files"}


def test_a_process_that_may_open_too_few_files_is_refused():
    with server(20) as (process, port, log):
        assert port is None and process.wait(20)
        last = lines(log)[-1]
    assert re.search(r"InputError: a process may open 20 files here, serve needs more than", last)
