import struct
import zlib

import numpy as np
import pytest

from gluon_glore import InputError
from gluon_glore.data.image import decode_image
from gluon_glore.data.picture_header import is_picture, read_header
from tests.helpers.encoded import chunk, png, save, smooth

PICTURE = smooth(16, 24)
JPEG = save(PICTURE, "JPEG", progressive=True, subsampling=0)
GIF = save(PICTURE, "GIF")
SCAN = JPEG.rindex(b"\xff\xda")


def refusal(data, max_pixels=10**6):
    with pytest.raises(InputError) as error:
        read_header(data, max_pixels)
    return str(error.value)


@pytest.mark.parametrize(
    ("start", "name"),
    [
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"\xff\x4f\xff\x51", "JPEG 2000"),
        (b"P6\n2 2\n255\n", "PNM"),
        (b"P4 ", "PNM"),
        (b"Pf\n", "PFM"),
        (b"\0\0\0\x20ftypavif", "AVIF"),
        (b"\0\0\0\x20ftypheic", "HEIF"),
        (b"8BPS", "Photoshop"),
        (b"\0\0\1\0", "ICO"),
        (b"\x76\x2f\x31\x01", "OpenEXR"),
        (b"#?RADIANCE\n", "Radiance HDR"),
        (b"\x59\xa6\x6a\x95", "Sun raster"),
    ],
)
def test_other_formats_are_refused_by_name(start, name):
    data = start + bytes(100)
    assert refusal(data) == f"{name} is not read: give JPEG, PNG, WebP, BMP, TIFF or GIF"
    assert is_picture(data[:16])


@pytest.mark.parametrize("data", [b"", b"P", b"P6x", b"text", b"RIFF\0\0\0\0AVI LIST", bytes(99)])
def test_what_is_no_picture_is_refused_and_may_be_a_video(data):
    assert refusal(data) == "not a readable picture" and not is_picture(data[:16])


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF"])
def test_a_header_says_the_size_and_its_limits_hold(kind):
    data = save(PICTURE, kind)
    for encoded in (data, bytearray(data)):
        header = read_header(encoded, 10**6)
        assert (header.height, header.width) == (16, 24) and is_picture(data[:16])
    assert refusal(data, 383) == "picture of more than 383 pixels"
    for length in range(min(len(data), 60)):
        with pytest.raises(InputError):
            decode_image(data[:length], 3)


def test_what_decoding_takes_is_refused_beyond_ten_bytes_for_each_pixel_allowed():
    data = save(PICTURE, "WEBP")  # 384 pixels of 18 bytes
    assert read_header(data, 692).takes == 6912
    assert refusal(data, 691) == (
        "decoding this WebP of 16x24 pixels takes 6912 bytes, allowed are 10 for each of "
        "--max-pixels 691"
    )
    assert read_header(JPEG, 384).takes == 384 * 9  # 6 of coefficients, 3 of pixels
    cmyk = save(PICTURE.convert("CMYK"), "JPEG", progressive=True)
    assert read_header(cmyk, 461).takes == 384 * 12 and "this JPEG" in refusal(cmyk, 460)
    subsampled = save(smooth(32, 32), "JPEG", progressive=True, subsampling=2)
    assert read_header(subsampled, 1024).takes == 1024 * 6
    header = struct.pack(">IIBBBBB", 2**20 + 1, 1, 8, 2, 0, 0, 0)
    long = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IEND", b"")
    assert "1x1048577 pixels, a side has at most 1048576" in refusal(long, 10**9)


def test_a_jpeg_of_too_many_scans_or_segments_is_refused():
    scan = JPEG[SCAN:-2]
    many = 100 - JPEG.count(b"\xff\xda")
    assert read_header(JPEG[:-2] + scan * many + JPEG[-2:], 10**6)
    assert refusal(JPEG[:-2] + scan * (many + 1)) == "JPEG of more than 100 scans: save it anew"
    for filling in (b"\xff\xfe\0\2", b"\xff", b"\xff\x01\0\0"):
        assert "segments before its pixels" in refusal(JPEG[:2] + filling * 10**5 + JPEG[2:])


def test_a_jpegs_frame_is_found_where_libjpeg_finds_it():
    frame = JPEG.index(b"\xff\xc2")
    for filling in (b"\xff" * 3, b"\0\x12\x34", b"\xff\xd0", b"\xff\xe3\0\6\xff\xc0\0\0"):
        data = JPEG[:frame] + filling + JPEG[frame:]
        assert read_header(data, 384).width == 24
        assert np.array_equal(decode_image(data, 3), decode_image(JPEG, 3))
    twelve = JPEG[: frame + 4] + b"\x0c" + JPEG[frame + 5 :]
    assert refusal(twelve) == "JPEG of 12 bits is not read: give one of 8"
    arithmetic = JPEG[:frame] + b"\xff\xca" + JPEG[frame + 2 :]
    assert "kind SOF10 is not read" in refusal(arithmetic)


def test_of_a_png_decoders_see_the_chunks_of_its_pixels():
    pixels = np.asarray(PICTURE)
    text = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(7_000_000), 9))
    for before in (text * 20, chunk(b"tIME", b"") * 5000, chunk(b"acTL", struct.pack(">II", 9, 0))):
        data = png(pixels, before=before)
        header = read_header(data, 10**6)
        assert header.data == png(pixels)
        assert np.array_equal(decode_image(data, 3), pixels)
    plain = png(pixels)
    assert read_header(plain, 10**6).data is plain  # nothing is copied where nothing is left out


def test_a_png_ends_where_its_chunks_say():
    data = save(PICTURE, "PNG")
    longer = data.index(b"IDAT") - 4
    assert refusal(data[:longer] + b"\x7f" + data[longer + 1 :]) == "not a readable picture"
    assert refusal(data[: data.index(b"IEND") - 4]) == "not a readable picture"
    assert read_header(data + chunk(b"IDAT", bytes(99)), 10**6).data == data


def test_a_gifs_comments_are_passed_over():
    at = 13 + (6 << (GIF[10] & 7))  # behind the palette
    comment = b"\x21\xfe" + (b"\xff" + bytes(255)) * 10_000 + b"\0"
    data = GIF[:at] + comment + GIF[at:]
    assert read_header(data, 10**6).data == read_header(GIF, 10**6).data
    assert np.array_equal(decode_image(data, 3), decode_image(GIF, 3))
