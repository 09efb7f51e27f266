import numpy as np
import pytest

from gluon_glore import InputError
from gluon_glore.data.image import PIXELS_VARIABLE, decode_image
from gluon_glore.data.label_png import decode_label
from tests.fuzz.pictures import by_opencv, by_pillow, chunk, turned
from tests.helpers.scene_folders import palette_png
from tests.helpers.scenes import png

IDS = np.random.default_rng(0).integers(0, 256, (30, 41), dtype=np.uint8)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_indices_of_a_palette_are_the_ids(bits, capfd):
    ids = (IDS & 2**bits - 1).astype(np.uint8)
    for transparent in ({}, {"transparency": 1}):
        data = palette_png(ids, bits=bits, **transparent)
        assert (data[24], data[25]) == (bits, 3)
        assert np.array_equal(decode_label(data), ids)
    assert capfd.readouterr().err == ""  # libpng warns of a palette where it sees grey
    assert not np.array_equal(decode_image(data, 1)[..., 0], ids)  # of its colours


def as_grey(data):
    """A PNG of a palette as one of grey: its numbers stay."""
    at = data.index(b"PLTE") - 4
    end = at + 12 + int.from_bytes(data[at : at + 4], "big")
    header = data[16:25] + b"\0" + data[26:29]
    return data[:8] + chunk(b"IHDR", header) + data[33:at] + data[end:]


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_values_of_grey_are_the_ids_and_not_stretched(bits):
    ids = (IDS & 2**bits - 1).astype(np.uint8)
    data = as_grey(palette_png(ids, bits=bits))
    assert (data[24], data[25]) == (bits, 0)
    label = decode_label(data)
    assert label.dtype == np.uint8 and np.array_equal(label, ids)


def test_grey_of_16_bits_keeps_them_and_rgb_its_colours():
    deep = (IDS * 257.0 - 3 * (IDS > 0)).astype(np.uint16)
    label = decode_label(png(deep))
    assert label.dtype == np.uint16 and np.array_equal(label, deep)
    colours = np.stack([IDS, 255 - IDS, IDS // 2], axis=-1)
    assert np.array_equal(decode_label(png(colours)), colours)


def test_a_label_is_turned_as_its_picture_is():
    data = png(IDS)
    data = data[:33] + chunk(b"eXIf", turned().removeprefix(b"Exif\0\0")) + data[33:]
    assert np.array_equal(decode_label(data), np.rot90(IDS, -1))
    assert np.array_equal(decode_image(data, 1)[..., 0], np.rot90(IDS, -1))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (by_opencv(".jpg"), "a label file is a PNG, this is not"),
        (b"", "a label file is a PNG, this is not"),
        (by_opencv(".png", shape=(8, 8, 4)), "without transparency: this is of kind 6 with 8 bits"),
        (by_opencv(".png", shape=(8, 8, 3), dtype="uint16"), "this is of kind 2 with 16 bits"),
        (by_pillow("PNG", "LA"), "this is of kind 4 with 8 bits"),
    ],
)
def test_what_holds_no_ids_is_refused(data, message):
    with pytest.raises(InputError, match=message):
        decode_label(data)


@pytest.mark.parametrize("data", [palette_png(IDS), png(IDS), png(np.stack([IDS] * 3, -1))])
def test_damage_is_seen_wherever_it_is(data):
    begin = data.index(b"IDAT")
    for length in (20, 33, begin, len(data) - 20, len(data) - 12):
        with pytest.raises(InputError, match="not a readable picture"):
            decode_label(data[:length])
    for place in (19, 30, begin + 20, len(data) - 20, len(data) - 14):
        with pytest.raises(InputError, match="not a readable picture"):
            decode_label(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])


def test_more_pixels_than_are_allowed_are_refused_by_the_header(monkeypatch):
    monkeypatch.setenv(PIXELS_VARIABLE, "1000")
    with pytest.raises(InputError, match="picture of more than 1000 pixels"):
        decode_label(palette_png(IDS))
