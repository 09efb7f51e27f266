"""The memory that decoding takes at its peak, in a process that measures itself."""

import os
import subprocess
import sys

import numpy as np
import pytest

from gluon_glore.data.image import PIXELS_VARIABLE
from tests.helpers.encoded import exif, png, save, smooth
from tests.helpers.places import ROOT

HEIGHT, WIDTH = 800, 1000
SCRIPT = """
import ctypes, gc, sys
from pathlib import Path
from gluon_glore.data.image import decode_image
from gluon_glore.data.picture_header import read_header

def memory(name):
    status = Path("/proc/self/status").read_text()
    return int(status.split(name)[1].split()[0]) * 1024

def decode(data):
    return decode_image(data, 3).shape

for file in sys.argv[1:]:  # plugins and tables are loaded by a first round
    decode(Path(file).read_bytes())
for file in sys.argv[1:]:
    data = Path(file).read_bytes()
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted anew
    before = memory("VmRSS:")
    decode(data)
    print(memory("VmHWM:") - before, read_header(data, 2**30).takes, len(data))
"""


def pictures():
    picture = smooth(HEIGHT, WIDTH)
    cmyk, turned = picture.convert("CMYK"), exif(6)
    pixels = np.asarray(picture)
    deep = np.dstack([pixels, pixels[..., :1]]).astype(np.uint16) * 257
    frames = {"save_all": True, "append_images": [picture.rotate(180)]}
    strip = {"tiffinfo": {278: HEIGHT}}
    yield "plain.jpg", save(picture, "JPEG", subsampling=0)
    yield "turned.jpg", save(picture, "JPEG", subsampling=0, exif=turned)
    yield "progressive.jpg", save(picture, "JPEG", subsampling=0, progressive=True)
    yield "grey.jpg", save(picture.convert("L"), "JPEG", progressive=True)
    yield "cmyk.jpg", save(cmyk, "JPEG", exif=turned)
    yield "cmyk progressive.jpg", save(cmyk, "JPEG", progressive=True)
    for mode in ("RGB", "RGBA", "P"):
        yield f"{mode}.png", save(picture.convert(mode), "PNG", compress_level=1)
    yield "deep.png", png(deep, 6)
    yield "interlaced.png", png(deep, 6, interlaced=True)
    yield "animated.png", save(picture, "PNG", compress_level=1, **frames)
    yield "lossy.webp", save(picture, "WEBP", method=0, exif=turned)
    yield "lossless.webp", save(picture, "WEBP", method=0, lossless=True, quality=0)
    yield "animated.webp", save(picture, "WEBP", method=0, **frames)
    yield "a.bmp", save(picture, "BMP")
    yield "a.gif", save(picture.convert("P"), "GIF")
    yield "plain.tif", save(picture, "TIFF", exif=turned)
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "jpeg"):
        yield f"{compression}.tif", save(picture, "TIFF", compression=compression, **strip)
    yield "cmyk.tif", save(cmyk, "TIFF", compression="tiff_lzw")


@pytest.mark.skipif(not os.path.exists("/proc/self/clear_refs"), reason="Linux counts the peak")
def test_decoding_takes_no_more_memory_than_its_header_says(tmp_path):
    names = []
    for name, data in pictures():
        (tmp_path / name).write_bytes(data)
        names.append(name)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *names],
        cwd=tmp_path,
        env={
            **os.environ,
            PIXELS_VARIABLE: str(10**8),
            "PYTHONPATH": str(ROOT),
            # What is given back is given back at once: other allocators' thrift is not counted.
            "MALLOC_MMAP_THRESHOLD_": "65536",
            "MALLOC_TRIM_THRESHOLD_": "65536",
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    lines = [list(map(int, line.split())) for line in done.stdout.splitlines()]
    assert len(lines) == len(names)
    for name, (peak, takes, size) in zip(names, lines):
        assert peak <= takes + size + 3 * 2**20, f"{name}: {peak}, {takes} were said"
        assert peak > HEIGHT * WIDTH * 3, name  # that is measured at all
