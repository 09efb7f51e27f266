import contextlib
import io

import cv2
import numpy as np
import pytest
from PIL import Image, ImageFile, ImageOps

from gluon_glore import InputError
from gluon_glore.data.image import decode_image
from gluon_glore.data.pillow_decoder import whole_files
from tests.helpers.encoded import exif, save, smooth

PICTURE = smooth(40, 24)
CMYK = PICTURE.convert("CMYK")


def by_pillow(data):
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("kind", "picture"),
    [("JPEG", PICTURE), ("JPEG", CMYK), ("PNG", PICTURE), ("WEBP", PICTURE), ("TIFF", PICTURE)],
    ids=["JPEG", "CMYK", "PNG", "WebP", "TIFF"],
)
def test_pictures_are_turned_as_exif_says(kind, picture, orientation):
    data = save(picture, kind, exif=exif(orientation))
    expected = by_pillow(data)
    assert expected.shape == ((40, 24, 3) if orientation < 5 else (24, 40, 3))
    assert np.array_equal(decode_image(data, 3), expected)
    grey = cv2.cvtColor(expected, cv2.COLOR_RGB2GRAY)[..., None]
    assert np.abs(decode_image(data, 1).astype(int) - grey).mean() < 1


@pytest.mark.parametrize("kind", ["WEBP", "BMP", "TIFF", "GIF"])
@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
def test_every_kind_of_pixels_is_as_pillow_converts_it(kind, mode):
    try:
        data = save(PICTURE.convert(mode), kind)
    except (OSError, ValueError):
        pytest.skip(f"Pillow writes no {kind} of {mode}")
    assert np.array_equal(decode_image(data, 3), by_pillow(data))
    assert decode_image(data, 1).shape == (40, 24, 1)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
def test_of_sixteen_bits_the_upper_eight_are_taken(order, compression):
    deep = np.arange(960, dtype=np.uint16).reshape(40, 24) * 68
    picture = Image.fromarray(deep.astype(order + "u2"))
    data = save(picture, "TIFF", compression=compression)
    for channels in (1, 3):
        expected = np.repeat((deep >> 8)[..., None], channels, 2)
        assert np.array_equal(decode_image(data, channels), expected)
    colour = cv2.imencode(".tif", np.stack([deep] * 3, 2))[1].tobytes()
    assert np.array_equal(decode_image(colour, 3), np.repeat((deep >> 8)[..., None], 3, 2))


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame_is_read(kind):
    frames = [Image.new("RGB", (24, 40), colour) for colour in ("red", "green", "blue")]
    data = save(frames[0], kind, save_all=True, append_images=frames[1:])
    assert np.abs(decode_image(data, 3).mean((0, 1)) - [255, 0, 0]).max() < 3


def test_half_a_file_is_refused_whatever_pillow_was_told(monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)  # as importing GluonCV does
    data = save(smooth(60, 80), "BMP")
    with pytest.raises(InputError, match="not a readable picture"):
        decode_image(data[: len(data) // 2], 3)
    with whole_files:
        decode_image(data, 3)  # as another thread does meanwhile
        assert not ImageFile.LOAD_TRUNCATED_IMAGES
    assert ImageFile.LOAD_TRUNCATED_IMAGES


@pytest.mark.parametrize("kind", ["WEBP", "BMP", "TIFF", "GIF", "JPEG"])
def test_damaged_pictures_are_refused(kind):
    data = save(CMYK if kind == "JPEG" else smooth(60, 80), kind)
    assert decode_image(data, 3).shape[2] == 3
    with pytest.raises(InputError, match="not a readable picture"):
        decode_image(data[: len(data) // 2], 3)
    rng = np.random.RandomState(0)
    for _ in range(100):  # whatever becomes of it, no other exception
        damaged = bytearray(data)
        for at in rng.randint(0, len(data), 8):
            damaged[at] = rng.randint(256)
        with contextlib.suppress(InputError):
            decode_image(damaged, 3)
