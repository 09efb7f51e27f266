"""`serve` as a process."""

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.helpers.places import ROOT

MODEL = "tiny_glore_0_1"  # the shipped weights


class Server:
    """`serve` of the shipped network, or of other models, on a port that is free."""

    def __init__(self, *options, models=(MODEL,), names=MODEL):
        self.log = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gluon_glore", "serve", *models, "--port", "0", *options],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )
        line = self.process.stdout.readline()
        assert line.startswith(f"serving {names} on http://127.0.0.1:"), line
        self.port = int(line.rpartition(":")[2])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()
        self.log.seek(0)
        log = self.log.read()
        self.log.close()
        assert log == "", log  # no client makes it write

    def post(self, data, path="/predict"):
        """(status, JSON) of a POST over a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.closing(connection):
            connection.request("POST", path, data)
            answer = connection.getresponse()
            return answer.status, json.load(answer)

    def sample(self, name):
        """A figure of /metrics."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.closing(connection):
            connection.request("GET", "/metrics")
            lines = connection.getresponse().read().decode().splitlines()
        return float(next(line for line in lines if line.startswith(f"{name} ")).split()[-1])

    def connect(self, data=b""):
        """A connection on which `data` was sent."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        connection.sendall(data)
        return connection

    def peak(self):
        """The most memory that it has had, in bytes."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024

    def until(self, name, number):
        """Wait until a figure of /metrics is `number`."""
        for _ in range(3000):
            if self.sample(name) == number:
                return
            time.sleep(0.01)
        raise AssertionError(f"{name} is {self.sample(name)}, not {number}")

    def until_closed(self):
        """Wait until no connection is accepted."""
        with contextlib.suppress(ConnectionError):
            while True:
                self.connect().close()
