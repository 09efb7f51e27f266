"""Clips a second of the training input for videos, beside plain OpenCV and decord.

    python -m benchmarks.video_loader FOLDER [--clips 64] [--batch 8] [--threads 2]

FOLDER holds videos, at any depth; they are taken over and over until there are `--clips`. A turn
is one pass over these: a clip at a random place of each. "ours" is what training does: decode,
random scale, crop, mirror, colour and noise, normalise, hand over as NDArray. "reading" is the
part of it that the others do too: decode the clip's frames and resize them, in threads, each file
by one. "opencv" reads up to the last of the frames, "decord" seeks.
"""

import argparse
import itertools
import json
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

from gluon_glore.data.clips import Clip
from gluon_glore.data.sources import VIDEOS
from gluon_glore.utils.errors import InputError

from .paired import (
    NotRun,
    add_options,
    machine,
    median_of,
    serve_passes_of,
    take_turns,
    write_result,
)

MODULE = "benchmarks.video_loader"
SIZE = (224, 224)
PACKAGES = ("av", "opencv-python-headless", "decord", "mxnet")


def ours(listing, clip, batch, threads):
    """A pass of `train.kinetics`' input, with its default recipe."""
    import mxnet as mx

    from gluon_glore.data.videos import Videos
    from train.config.kinetics import VideoConfig, VideoData
    from train.config.optim import Optim
    from train.data.bad_records import BadRecords
    from train.engine.comm import LocalComm
    from train.kinetics import Recognition

    videos = Videos(listing)
    bad = BadRecords(videos, LocalComm())
    config = VideoConfig(
        data=VideoData(size=SIZE, threads=threads), clip=clip, optim=Optim(batch_size=batch)
    )

    def step():
        for clips, _ in Recognition().training_batches(videos, bad, config, 0, 0, 1):
            mx.nd.array(clips).wait_to_read()

    return step


def reading(path, clip, rng):
    """A clip, read as training does."""
    from gluon_glore.data.video import Video

    with Video(path) as video:
        start = clip.random_start(len(video), video.rate, rng)
        return video.read(clip.indices(start, len(video), video.rate))


def opencv(path, clip, rng):
    """A clip, by reading all frames up to its last and converting its own."""
    import cv2

    capture = cv2.VideoCapture(path, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    length, rate = map(capture.get, (cv2.CAP_PROP_FRAME_COUNT, cv2.CAP_PROP_FPS))
    length = int(length)
    indices = clip.indices(clip.random_start(length, rate, rng), length, rate).tolist()
    frames = {}
    for index in range(max(indices) + 1):
        if not capture.grab():
            raise RuntimeError(f"{path}: OpenCV reads {index} of {length} frames")
        if index in indices:
            frames[index] = capture.retrieve()[1]
    return [frames[index] for index in indices]


def decord(path, clip, rng):
    """A clip, by decord's way."""
    from decord import VideoReader

    video = VideoReader(path, num_threads=1)
    rate = video.get_avg_fps()
    indices = clip.indices(clip.random_start(len(video), rate, rng), len(video), rate)
    return video.get_batch(indices.tolist()).asnumpy()


def alone(read, module, listing, clip, threads):
    """A pass of `read` over all files, and resizing. Raises NotRun without its `module`."""
    import importlib

    import cv2
    import numpy as np

    try:
        importlib.import_module(module)
    except ImportError:
        raise NotRun(f"{module} is not installed") from None
    cv2.setNumThreads(1)
    paths = [line.split("\t")[0] for line in Path(listing).read_text().splitlines()]

    def load(number):
        for frame in read(paths[number], clip, np.random.default_rng([0, number])):
            cv2.resize(frame, SIZE[::-1])

    def step():
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(load, range(len(paths))))

    return step


READERS = {"reading": (reading, "av"), "opencv": (opencv, "cv2"), "decord": (decord, "decord")}
COMPETITORS = ("ours", *READERS)


def work(name, listing, frames, stride, batch, threads):
    """Serve passes of a competitor."""
    clip = Clip(frames, stride)
    if name == "ours":
        serve_passes_of(lambda: ours(listing, clip, batch, threads))
    else:
        serve_passes_of(lambda: alone(*READERS[name], listing, clip, threads))


def write_list(folder, path, clips):
    """Write a list of `clips` of a folder's videos, repeated, all of one class.

    Returns how many videos there are. Raises InputError where there is none.
    """
    found = (file for file in Path(folder).rglob("*") if file.suffix.lower() in VIDEOS)
    files = sorted(file.resolve() for file in found)
    if not files:
        raise InputError(f"{folder}: no videos in it")
    lines = itertools.islice(itertools.cycle(files), clips)
    Path(path).write_text("".join(f"{file}\tvideo\n" for file in lines))
    return len(files)


def run(folder, clips, clip, batch, rounds, threads):
    """Measure; returns the result. Raises InputError, or RuntimeError where a worker dies."""
    with tempfile.TemporaryDirectory() as directory:
        listing = f"{directory}/videos.txt"
        files = write_list(folder, listing, clips)
        options = {"listing": listing, "frames": clip.frames, "stride": clip.stride}
        options.update(batch=batch, threads=threads)
        competitors = {name: {"name": name, **options} for name in COMPETITORS}
        answers, left_out = take_turns(MODULE, competitors, rounds, threads, warmup=1)
    seconds = {name: [turn["seconds"][0] for turn in turns] for name, turns in answers.items()}
    return {
        "videos": files,
        "clips": clips,
        "frames": clip.frames,
        "stride": clip.stride,
        "batch": batch,
        "rounds": rounds,
        "machine": machine(threads, PACKAGES),
        "clips_per_second": {name: clips / median(values) for name, values in seconds.items()},
        "reading_ratio": {
            name: median_of(lambda own, other: other / own, seconds["reading"], seconds[name])
            for name in seconds
            if name not in ("ours", "reading")
        },
        "not_run": left_out,
    }


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", help="videos, at any depth")
    parser.add_argument("--clips", type=int, default=64, help="in a turn (64)")
    parser.add_argument("--frames", type=int, default=8, help="of a clip (8)")
    parser.add_argument("--stride", type=int, default=8, help="frames from one to the next (8)")
    parser.add_argument("--out", help="folder for the result (benchmarks/results)")
    add_options(parser, batch=8)
    args = parser.parse_args(argv)
    if args.worker:
        return work(**json.loads(args.worker))
    if not args.folder or args.clips < args.batch:
        parser.error("FOLDER is needed, and at least a batch of clips")

    clips = args.clips - args.clips % args.batch  # whole batches, alike for all
    try:
        clip = Clip(args.frames, args.stride)
        result = run(args.folder, clips, clip, args.batch, args.rounds, args.threads)
    except InputError as error:
        parser.error(str(error))
    for name, value in result["clips_per_second"].items():
        print(f"{name:8} {value:6.1f} clips/s")
    for name, ratio in result["reading_ratio"].items():
        print(f"reading / {name} {ratio:.2f}")
    for name, why in result["not_run"].items():
        print(f"{name:8} not run: {why}")
    print(write_result("video_loader", result, args.out))


if __name__ == "__main__":
    main()
