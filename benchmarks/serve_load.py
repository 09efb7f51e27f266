"""A served network under concurrent clients: errors, latency, memory, and what SIGTERM leaves.

    python -m benchmarks.serve_load MODEL [--clients 50] [--seconds 60] [--options "--batch 16"]

MODEL is what `serve` takes. Each client sends its next picture, a JPEG of 500x375 pixels, when
it has the answer to the one before. Resident memory is taken at 10 s and at the end; then SIGTERM
comes while all clients wait for an answer. Clients and server share the machine's cores.
"""

import argparse
import asyncio
import collections
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import aiohttp
import cv2
import numpy as np

from .paired import machine, write_result

WARM_UP = 10  # seconds until memory and latency count


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--options", default="", help="more options of `serve`")
    args = parser.parse_args()

    command = [sys.executable, "-m", "gluon_glore", "serve", args.model, "--port", "0"]
    server = subprocess.Popen(
        [*command, *shlex.split(args.options)], stdout=subprocess.PIPE, text=True
    )
    try:
        words = server.stdout.readline().split()  # serving NAME on ADDRESS
        result = asyncio.run(load(words[-1], server, args.clients, args.seconds))
        result["exit code"] = server.wait(60)
    finally:
        server.kill()
    settings = {"clients": args.clients, "seconds": args.seconds, "options": args.options}
    result = {"model": words[1], **settings, **result, "machine": machine(os.cpu_count())}
    for key, value in result.items():
        print(f"{key:16} {value}")
    print(write_result(f"serve_{words[1]}", result))


async def load(address, server, clients, seconds):
    """Keep the server under load. Returns the figures."""
    pictures = jpegs(16)
    latencies, statuses = [], collections.Counter()
    stopping = asyncio.Event()
    started = time.perf_counter()

    async def client(session, number):
        while True:
            sent = time.perf_counter()
            try:
                data = pictures[number % len(pictures)]
                async with session.post(f"{address}/predict", data=data) as answer:
                    await answer.read()
                    statuses[answer.status] += 1
                    last = answer.headers.get("Connection") == "close"
            except aiohttp.ClientError as error:
                if stopping.is_set() and isinstance(error, aiohttp.ClientConnectorError):
                    return  # the port is closed
                statuses[repr(error)] += 1
                return
            now = time.perf_counter()
            if sent - started >= WARM_UP and not stopping.is_set():
                latencies.append(now - sent)
            number += clients
            if stopping.is_set() and last:
                return

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        tasks = [asyncio.ensure_future(client(session, i)) for i in range(clients)]
        await asyncio.sleep(min(WARM_UP, seconds))
        memory = resident(server.pid)
        await asyncio.sleep(max(0, seconds - WARM_UP))
        after = resident(server.pid)
        async with session.get(f"{address}/health") as answer:
            runtime = (await answer.json())["runtime"]
        stopping.set()
        asked = time.perf_counter()
        server.send_signal(signal.SIGTERM)
        await asyncio.gather(*tasks)
        took = time.perf_counter() - asked
    good = statuses.pop(200, 0)
    milliseconds = np.array(latencies) * 1000
    return {
        "runtime": runtime,
        "answers": good,
        "errors": dict(statuses),
        "answers a second": round(len(latencies) / (seconds - WARM_UP), 1),
        "p50 ms": round(float(np.percentile(milliseconds, 50)), 1),
        "p99 ms": round(float(np.percentile(milliseconds, 99)), 1),
        "longest ms": round(float(milliseconds.max()), 1),
        "MiB at 10 s": round(memory, 1),
        "MiB at the end": round(after, 1),
        "growth": f"{after / memory - 1:.1%}",
        "s from SIGTERM": round(took, 2),
    }


def jpegs(number):
    """Smooth random pictures as JPEG files."""
    rng = np.random.RandomState(0)
    noise = (rng.randint(0, 256, (375, 500, 3)).astype("uint8") for _ in range(number))
    return [cv2.imencode(".jpg", cv2.GaussianBlur(x, (9, 9), 0))[1].tobytes() for x in noise]


def resident(pid):
    """Resident memory of a process in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


if __name__ == "__main__":
    main()
