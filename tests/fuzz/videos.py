"""Videos from memory, as clients of `serve` send them. FFmpeg reads them: run by hand."""

import tempfile
from pathlib import Path

from gluon_glore.data.video import Bounds, Video
from tests.helpers.videos import moving, write_video

from .kind import MIB, Kind
from .mutate import mutate_bytes

BOUNDS = Bounds(pixels=10**5, frames=100)


def videos():
    """A video in each of four containers."""
    kinds = {"a.mp4": "mpeg4", "a.webm": "libvpx", "a.avi": "mpeg4", "a.ts": "mpeg2video"}
    mux = {"fflags": "+bitexact"}  # else a WebM has a number of its own each time
    with tempfile.TemporaryDirectory() as folder:
        return [
            write_video(
                Path(folder) / name, moving(12), codec=codec, mux=mux, threads=1
            ).read_bytes()
            for name, codec in kinds.items()
        ]


def watch(data, folder):
    """Read three frames of a video."""
    video = Video(bytes(data), BOUNDS)
    read = video.read([0, len(video) // 2, len(video) - 1])
    assert len(read) == 3 and len(video) <= BOUNDS.frames


ROWS = {"video": Kind(videos, mutate_bytes, watch, memory=64 * MIB, seconds=5.0)}
