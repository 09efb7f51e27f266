import io
import struct

import numpy as np
import pytest
from PIL import Image

from gluon_glore import InputError
from gluon_glore.data.image import decode_image
from gluon_glore.data.tiff_header import read_tiff, tiff_orientation
from tests.helpers.encoded import exif, save, smooth, tiff

PICTURE = smooth(16, 24)


def long(value):
    return 4, 1, struct.pack("<I", value)


ONE = {256: long(64), 257: long(64), 258: long(8), 259: long(1), 262: long(1), 277: long(1)}
STRIPS = {**ONE, 273: long(8), 278: long(64), 279: long(4096)}


def refusal(tags, content=bytes(4096)):
    with pytest.raises(InputError) as error:
        read_tiff(tiff(tags, content))
    return str(error.value)


def test_a_strip_is_read():
    grey = np.random.RandomState(0).randint(0, 256, (64, 64, 1)).astype(np.uint8)
    data = tiff(STRIPS, grey.tobytes())
    assert np.array_equal(decode_image(data, 1), grey)


def test_pixels_that_are_no_bytes_are_refused():
    assert "32 bits a sample" in refusal({**STRIPS, 258: long(32)})
    assert "fractions" in refusal({**STRIPS, 339: long(3)})
    assert "compression 34712" in refusal({**STRIPS, 259: long(34712)})
    assert "compression 6 " in refusal({**STRIPS, 259: long(6)})  # JPEG of the old style
    assert "interpretation 8 " in refusal({**STRIPS, 262: long(8)})
    assert "0 is white" in refusal({**STRIPS, 258: long(16), 262: long(0)})
    assert "9 samples" in refusal({**STRIPS, 277: long(9)})


def test_directories_that_swell_are_refused():
    assert "too many values of tag 273" in refusal({**STRIPS, 273: (4, 2, struct.pack("<I", 8))})
    many = {**STRIPS, 258: (1, 4000, struct.pack("<I", 8))}
    assert "too many values of tag 258" in refusal(many, bytes([8]) * 4096)
    many = {tag: long(1) for tag in range(1000, 2001)}
    assert refusal(many) == "TIFF of more than 1000 tags"
    # Each of 64 strips is said to be the whole file.
    content = struct.pack("<I", 4096) * 64 + bytes(4096)
    table = (4, 64, struct.pack("<I", 8))
    overlapping = {**STRIPS, 278: long(1), 273: table, 279: table}
    assert refusal(overlapping, content) == "TIFF whose strips or tiles overlap"


def test_a_place_beyond_all_files_is_refused():
    big = b"II" + struct.pack("<HHHQ", 43, 8, 0, 2**63)
    with pytest.raises(InputError, match="^not a readable picture$"):
        decode_image(big + bytes(100), 3)
    assert tiff_orientation(big) == 1


def test_tiles_and_compressed_strips_count_as_memory():
    tiles = {259: long(8), 322: long(8192), 323: long(8192), 324: long(8), 325: long(99)}
    assert read_tiff(tiff({**ONE, **tiles}, bytes(4096))).buffers > 8192**2
    assert read_tiff(tiff(STRIPS, bytes(4096))).buffers < 4096
    jpeg = {**STRIPS, 259: long(7)}
    assert read_tiff(tiff(jpeg, bytes(4096))).buffers > 64 * 64 * 3  # a strip, its coefficients


def test_a_decoder_sees_the_tags_of_the_pixels_alone():
    data = save(PICTURE, "TIFF", exif=exif(6), description="text", compression="tiff_lzw")
    shown = read_tiff(data)
    assert shown.orientation == 6 and b"text" in data
    with Image.open(io.BytesIO(shown.data)) as picture:
        assert not {270, 274, 34665} & set(picture.tag_v2)
        assert np.array_equal(np.asarray(picture), np.asarray(PICTURE))


def test_orientation_is_one_where_it_can_not_be_read():
    assert tiff_orientation(exif(7).tobytes()[6:]) == 7
    for data in (b"", b"II*\0", b"II*\0\xff\xff\xff\xff", exif(9).tobytes()[6:], bytes(99)):
        assert tiff_orientation(data) == 1
