"""A served network under concurrent clients: errors, latency, memory, and what SIGTERM leaves.

    python -m benchmarks.serve_load MODEL [--clients 50] [--seconds 60] [--options "--batch 16"]

MODEL is what `serve` takes. Each client sends its next input when it has the answer to the one
before: to a network of pictures a JPEG of 500x375 pixels, or of --size; to one that segments the
same, whose ids it takes as PNG; to one of videos an MP4 of 2 seconds. Resident memory is taken at
10 s and at the end; then SIGTERM comes while all clients wait for an answer. Clients and server
share the machine's cores.
"""

import argparse
import asyncio
import collections
import io
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

from gluon_glore.utils.arguments import pixels

from .paired import machine, write_result

WARM_UP = 10  # seconds until memory and latency count, of a minute; of less a sixth


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument(
        "--size", type=pixels, default=(375, 500), help="of pictures, HxW (375x500)"
    )
    parser.add_argument("--query", default="", help="of /predict, as clips=1")
    parser.add_argument("--options", default="", help="more options of `serve`")
    args = parser.parse_args()

    command = [sys.executable, "-m", "gluon_glore", "serve", args.model, "--port", "0"]
    server = subprocess.Popen(
        [*command, *shlex.split(args.options)], stdout=subprocess.PIPE, text=True
    )
    try:
        words = server.stdout.readline().split()  # serving NAME on ADDRESS
        result = asyncio.run(load(words[-1], server, args))
        result["exit code"] = server.wait(60)
    finally:
        server.kill()
    settings = {
        name: getattr(args, name) for name in ("clients", "seconds", "size", "query", "options")
    }
    result = {"model": words[1], **settings, **result, "machine": machine(os.cpu_count())}
    for key, value in result.items():
        print(f"{key:16} {value}")
    print(write_result(f"serve_{words[1]}", result))


async def load(address, server, args):
    """Keep the server under load. Returns the figures."""
    clients, seconds = args.clients, args.seconds
    warm_up = min(WARM_UP, seconds / 6)
    async with aiohttp.ClientSession() as session, session.get(f"{address}/") as answer:
        described = await answer.json()
    inputs = INPUTS[described["does"]](16, args.size)
    accept = {"Accept": "image/png"} if described["does"] == "segments pictures" else {}
    latencies, statuses = [], collections.Counter()
    stopping = asyncio.Event()
    started = time.perf_counter()
    url = f"{address}/predict?{args.query}"

    async def client(session, number):
        while True:
            sent = time.perf_counter()
            try:
                data = inputs[number % len(inputs)]
                async with session.post(url, data=data, headers=accept) as answer:
                    await answer.read()
                    statuses[answer.status] += 1
                    last = answer.headers.get("Connection") == "close"
            except aiohttp.ClientError as error:
                if stopping.is_set() and isinstance(error, aiohttp.ClientConnectorError):
                    return  # the port is closed
                statuses[repr(error)] += 1
                return
            now = time.perf_counter()
            if sent - started >= warm_up and not stopping.is_set():
                latencies.append(now - sent)
            number += clients
            if stopping.is_set() and last:
                return

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        tasks = [asyncio.ensure_future(client(session, i)) for i in range(clients)]
        await asyncio.sleep(warm_up)
        memory = resident(server.pid)
        await asyncio.sleep(seconds - warm_up)
        after = resident(server.pid)
        stopping.set()
        asked = time.perf_counter()
        server.send_signal(signal.SIGTERM)
        await asyncio.gather(*tasks)
        took = time.perf_counter() - asked
    good = statuses.pop(200, 0)
    milliseconds = np.array(latencies) * 1000
    return {
        "runtime": described["runtime"],
        "bytes": round(sum(map(len, inputs)) / len(inputs)),
        "answers": good,
        "errors": dict(statuses),
        "answers a second": round(len(latencies) / (seconds - warm_up), 1),
        "p50 ms": round(float(np.percentile(milliseconds, 50)), 1),
        "p99 ms": round(float(np.percentile(milliseconds, 99)), 1),
        "longest ms": round(float(milliseconds.max()), 1),
        "MiB warm": round(memory, 1),
        "MiB at the end": round(after, 1),
        "growth": f"{after / memory - 1:.1%}",
        "s from SIGTERM": round(took, 2),
    }


def jpegs(number, size):
    """Smooth random pictures as JPEG files."""
    rng = np.random.RandomState(0)
    noise = (rng.randint(0, 256, (*size, 3)).astype("uint8") for _ in range(number))
    return [cv2.imencode(".jpg", cv2.GaussianBlur(x, (9, 9), 0))[1].tobytes() for x in noise]


def videos(number, size, frames=50):
    """Smooth random pictures that move, as MP4 files of 2 seconds."""
    import av

    rng = np.random.RandomState(0)
    height, width = (side - side % 2 for side in size)
    files = []
    for _ in range(number):
        wide = rng.randint(0, 256, (height, width + frames, 3)).astype("uint8")
        wide, file = cv2.GaussianBlur(wide, (9, 9), 0), io.BytesIO()
        with av.open(file, "w", format="mp4") as container:
            stream = container.add_stream("libx264", rate=25)
            stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
            for at in range(frames):
                picture = np.ascontiguousarray(wide[:, at : at + width])
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode())
        files.append(file.getvalue())
    return files


INPUTS = {"classifies pictures": jpegs, "segments pictures": jpegs, "watches videos": videos}


def resident(pid):
    """Resident memory of a process in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


if __name__ == "__main__":
    main()
