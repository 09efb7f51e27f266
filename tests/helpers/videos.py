"""Small video files for the tests, encoded on the fly."""

from fractions import Fraction

import numpy as np
import pytest


def moving(frames=40, size=(48, 64), seed=0):
    """Frames uint8 `(T, H, W, 3)` that all differ: a pattern that moves, and grain."""
    rng = np.random.default_rng(seed)
    height, width = size
    y, x, t = np.ogrid[:height, :width, :frames]
    waves = [np.sin((y * a + x * b + 3 * t) / 8) for a, b in ((1, 2), (2, -1), (-1, 1))]
    pictures = 127 + 90 * np.stack(waves, -1).transpose(2, 0, 1, 3)
    return (pictures + rng.integers(-20, 20, pictures.shape)).clip(0, 255).astype(np.uint8)


def write_video(path, frames, rate=25, codec="libx264", times=None, mux=None, **options):
    """Encode uint8 `(T, H, W, 3)`; the container is that of the path's suffix.

    `times` are the frames' timestamps in units of 1 / rate seconds, `mux` the container's options,
    `options` the codec's: `g=10` is a key frame every 10. Skips where PyAV is absent.
    """
    av = pytest.importorskip("av", reason="PyAV is not installed")
    rate = Fraction(rate).limit_denominator(1001)
    with av.open(str(path), "w", options=mux or {}) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.time_base = 1 / rate
        stream.options = {name: str(value) for name, value in options.items()}
        for number, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts = number if times is None else times[number]
            frame.time_base = 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_sound(path, seconds=1):
    """A file with silence and no video stream."""
    av = pytest.importorskip("av", reason="PyAV is not installed")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        silence = np.zeros((1, 1024), np.float32)
        for number in range(seconds * 16000 // 1024):
            frame = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 16000, number * 1024
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path
