import os
import subprocess
import sys
import zlib

import cv2
import numpy as np
import pytest

from gluon_glore import InputError
from gluon_glore.__main__ import main
from gluon_glore.data.image import (
    PIXELS_VARIABLE,
    Preprocess,
    center_crop,
    decode_image,
    read_image,
    resize_short,
)
from tests.helpers.encoded import save, smooth
from tests.helpers.pictures import MODEL, of_size


def picture(height, width, channels=3):
    return np.random.RandomState(0).randint(0, 256, (height, width, channels)).astype("uint8")


def test_read_image_gives_rgb_or_grey(tmp_path):
    red = np.zeros((4, 5, 3), np.uint8)
    red[..., 2] = 255  # OpenCV writes BGR
    cv2.imwrite(str(tmp_path / "red.png"), red)
    assert read_image(tmp_path / "red.png", 3)[0, 0].tolist() == [255, 0, 0]
    assert read_image(tmp_path / "red.png", 1).shape == (4, 5, 1)


def test_unreadable_pictures_are_refused(tmp_path):
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "empty.jpg").touch()
    for name in ("text.jpg", "empty.jpg"):
        with pytest.raises(InputError, match="not a readable picture"):
            read_image(tmp_path / name, 3)
    with pytest.raises(InputError, match="No such file"):
        read_image(tmp_path / "none.jpg", 3)


def test_what_hangs_or_never_ends_is_no_picture(tmp_path, monkeypatch):
    monkeypatch.delenv(PIXELS_VARIABLE, raising=False)  # commands of other tests set it
    os.mkfifo(tmp_path / "pipe.png")
    with open(tmp_path / "large.png", "wb") as file:
        file.truncate(30 * 2**30)
    for path, message in (
        (tmp_path / "pipe.png", "^a named pipe, a file is needed$"),
        (tmp_path / "large.png", "^32212254720 bytes, at most 10737418240 are read$"),
        ("/dev/zero", "^a device, a file is needed$"),
    ):
        with pytest.raises(InputError, match=message):
            read_image(path, 3)
    data = cv2.imencode(".png", picture(4, 5))[1].tobytes()
    out, into = os.pipe()
    os.write(into, data)
    os.close(into)
    assert read_image(f"/dev/fd/{out}", 3).shape == (4, 5, 3)  # as <(command) is
    os.close(out)
    monkeypatch.setenv(PIXELS_VARIABLE, "20")
    (tmp_path / "a.png").write_bytes(data + bytes(200))
    with pytest.raises(InputError, match=" bytes, at most 200 are read"):
        read_image(tmp_path / "a.png", 3)


def test_preprocess_resizes_the_short_side_crops_the_middle_and_normalises():
    x = picture(300, 400)
    y = Preprocess(size=(224, 200), resize=300)(x)
    assert y.shape == (3, 224, 200)
    assert y.dtype == np.float32
    expected = x[38:262, 100:300].astype("float32") - np.float32([124, 117, 104])
    expected *= np.float32(0.0167)
    assert np.array_equal(y, expected.transpose(2, 0, 1).astype("float32"))
    batch = np.full((2, 3, 224, 200), np.nan, np.float32)
    Preprocess(size=(224, 200), resize=300)(x, out=batch[1])
    assert np.array_equal(batch[1], y) and np.isnan(batch[0]).all()


def test_each_channel_has_its_own_scale():
    x = picture(8, 9)
    preprocess = Preprocess((8, 9), 0, (1.0, 2.0, 3.0), (0.5, 0.25, 2.0))
    expected = (x - np.float32([1, 2, 3])) * np.float32([0.5, 0.25, 2.0])
    assert np.array_equal(preprocess(x), expected.transpose(2, 0, 1))
    assert np.array_equal(
        Preprocess((8, 9), 0, (1.0, 2.0, 3.0), 0.5)(x), preprocess(x) * [[[1]], [[2]], [[0.25]]]
    )
    assert preprocess.formula == "(pixel - [1.0, 2.0, 3.0]) * [0.5, 0.25, 2.0]"
    assert Preprocess(mean=(22.0,)).formula == "(pixel - [22.0]) * 0.0167"
    assert Preprocess([8, 9], 0, [1.0, 2.0, 3.0], [0.5, 0.25, 2.0]) == preprocess
    for scale in ((0.5, 0.25), [0.5] * 4):
        with pytest.raises(InputError, match=f"each of 3 channels, given {len(scale)}"):
            Preprocess(scale=scale)
    with pytest.raises(InputError, match="for 3 channels, the network takes 4"):
        preprocess.fitted(4, (8, 9))


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_truncated_pictures_are_refused(suffix):
    data = cv2.imencode(suffix, picture(60, 80))[1].tobytes()
    assert decode_image(data, 3).shape == (60, 80, 3)
    for length in (len(data) // 2, len(data) - 2):
        with pytest.raises(InputError, match="not a readable picture"):
            decode_image(data[:length], 3)


@pytest.mark.parametrize(("height", "width"), [(100, 50), (50, 100), (31, 32)])
def test_resize_short_keeps_the_aspect(height, width):
    y = resize_short(picture(height, width), 64)
    assert min(y.shape[:2]) == 64
    assert abs(y.shape[1] / y.shape[0] - width / height) < 0.02
    assert resize_short(picture(height, width, 1), 64).shape[2] == 1


def test_wrong_sizes_and_channels_are_refused():
    with pytest.raises(InputError, match="expected a picture .*3.*given .*1"):
        Preprocess()(picture(300, 300, 1))
    with pytest.raises(InputError, match="picture of 32x64 pixels, the network takes 64x64"):
        Preprocess(size=(64, 64), resize=0)(picture(32, 64))
    with pytest.raises(InputError, match=r"height and width of a picture, given \[8\]"):
        Preprocess(size=(8,), resize=0)(picture(32, 64))
    assert center_crop(picture(5, 7), (3, 3)).shape == (3, 3, 3)


def test_more_pixels_than_the_limit_are_refused_by_the_header_alone(tmp_path):
    """In a process of its own: OpenCV reads its limit when it is imported."""
    script = """
import resource, sys
from gluon_glore.data.image import decode_image
from gluon_glore.utils.errors import InputError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for file in sys.argv[1:]:
    try:
        print(decode_image(open(file, "rb").read(), 3).shape)
    except InputError as error:
        print(error)
assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000, "memory was taken"
"""
    files = [tmp_path / name for name in ("large.jpg", "bomb.png", "fits.png")]
    jpeg = cv2.imencode(".jpg", picture(16, 16))[1].tobytes()
    files[0].write_bytes(of_size(jpeg, 10000, 10000))
    png = cv2.imencode(".png", picture(16, 16))[1].tobytes()
    ihdr = b"IHDR" + (50000).to_bytes(4, "big") * 2 + png[24:29]
    files[1].write_bytes(png[:12] + ihdr + zlib.crc32(ihdr).to_bytes(4, "big") + png[33:])
    files[2].write_bytes(cv2.imencode(".png", picture(1000, 1000))[1])
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, files)],
        env={**os.environ, PIXELS_VARIABLE: "1000000"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    refused = "picture of more than 1000000 pixels"
    assert done.stdout.splitlines() == [refused, refused, "(1000, 1000, 3)"]


def test_formats_whose_decoders_crash_are_refused_fifty_times_over(tmp_path, capsys):
    """As the pair that killed the process: a damaged BMP, then a damaged JPEG 2000."""
    bmp, jp2 = (bytearray(save(smooth(16, 24), kind)) for kind in ("BMP", "JPEG2000"))
    bmp[22:26] = b"\xff\xff\0\0"  # more rows than there are
    jp2[100:120] = bytes(20)
    for _ in range(50):
        with pytest.raises(InputError, match="^not a readable picture$"):
            decode_image(bmp, 3)
        with pytest.raises(InputError, match="^JPEG 2000 is not read: give JPEG, PNG"):
            decode_image(jp2, 3)
    files = [tmp_path / "a.bmp", tmp_path / "b.jp2"]
    for file, data in zip(files, (bmp, jp2)):
        file.write_bytes(data)
    assert main(["predict", *map(str, files * 50), "--model", MODEL]) == 2
    err = capsys.readouterr().err
    assert err.count("a.bmp: not a readable picture") == 50
    assert err.count("b.jp2: JPEG 2000 is not read") == 50


def test_long_narrow_pictures_are_not_blown_up():
    assert resize_short(picture(1, 200, 1), 256).shape == (256, 51200, 1)
    with pytest.raises(InputError, match="1x1000000 pixels is too narrow for its length"):
        Preprocess()(np.zeros((1, 1_000_000, 3), np.uint8))
