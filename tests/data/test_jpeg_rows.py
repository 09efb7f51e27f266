import cv2
import numpy as np
import pytest

from gluon_glore import InputError
from gluon_glore.data.image import decode_image
from gluon_glore.data.jpeg_rows import first_rows
from gluon_glore.data.picture_header import read_header
from tests.helpers.encoded import exif, save, smooth

HEIGHT, WIDTH = 131, 93
RNG = np.random.default_rng(0)
NOISE = cv2.GaussianBlur(RNG.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8), (0, 0), 1.5)
SAMPLINGS = ("411", "420", "422", "440", "444")


def jpeg(picture=NOISE, *options):
    return cv2.imencode(".jpg", picture, options)[1].tobytes()


def sampled(name):
    kind = getattr(cv2, f"IMWRITE_JPEG_SAMPLING_FACTOR_{name}")
    return jpeg(NOISE, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, kind)


def shortened(data, rows):
    return first_rows(read_header(data, 2**30), rows)


def seen(data, channels, *place):
    """What `decode_image` shows of a place, and the sizes of which it was asked."""
    asked = []

    def choose(*size):
        asked.append(size)
        return place

    return decode_image(data, channels, choose), asked


@pytest.mark.parametrize("channels", [3, 1])
@pytest.mark.parametrize("data", [*map(sampled, SAMPLINGS), jpeg(NOISE[..., 0])])
def test_a_part_has_the_pixels_of_the_whole_picture_to_the_bit(data, channels, capfd):
    whole = decode_image(data, channels)
    for bottom in range(1, HEIGHT + 1):
        top, left = RNG.integers(bottom), RNG.integers(WIDTH)
        part, asked = seen(data, channels, top, left, bottom - top, WIDTH - left)
        assert np.array_equal(part, whole[top:bottom, left:]) and asked == [(HEIGHT, WIDTH)]
    assert capfd.readouterr() == ("", "")  # no word of libjpeg's of what is missing


def test_rows_below_are_not_decoded():
    shorter = shortened(sampled("420"), 50)
    assert 50 < shorter.height < 60 and shorter.width == WIDTH
    assert decode_image(bytes(shorter.data), 3).shape == (shorter.height, WIDTH, 3)


@pytest.mark.parametrize(
    "data",
    [
        jpeg(NOISE, cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
        jpeg(NOISE, cv2.IMWRITE_JPEG_RST_INTERVAL, 2),
        cv2.imencode(".png", NOISE)[1].tobytes(),
        *(save(smooth(HEIGHT, WIDTH), "JPEG", exif=exif(turn)) for turn in (2, 3, 6, 8)),
        save(smooth(HEIGHT, WIDTH).convert("CMYK"), "JPEG"),
        save(smooth(HEIGHT, WIDTH), "GIF"),
    ],
    ids=["progressive", "restarts", "png", "turn2", "turn3", "turn6", "turn8", "cmyk", "gif"],
)
def test_other_pictures_are_decoded_whole_and_cut(data):
    assert shortened(data, 50) is None
    whole = decode_image(data, 3)
    part, asked = seen(data, 3, 3, 5, 40, 60)
    assert np.array_equal(part, whole[3:43, 5:65]) and asked == [whole.shape[:2]]


def test_upright_by_exif_is_upright():
    data = save(smooth(HEIGHT, WIDTH), "JPEG", exif=exif(1))
    assert shortened(data, 50)
    assert np.array_equal(seen(data, 3, 0, 0, 50, WIDTH)[0], decode_image(data, 3)[:50])


def test_where_few_rows_are_below_the_file_stays_as_it_is():
    assert shortened(sampled("444"), HEIGHT * 3 // 4)
    assert shortened(sampled("444"), HEIGHT - 5) is None


def test_a_file_without_an_end_is_refused_though_the_part_is_there():
    data = sampled("420")
    for damaged in (data[:-2], data[: len(data) * 3 // 4]):
        with pytest.raises(InputError, match="not a readable picture"):
            seen(damaged, 3, 0, 0, 10, 10)


@pytest.mark.parametrize("shift", [0, 1])
def test_a_picture_ends_at_its_first_end_and_what_is_behind_it_is_not_read(shift, capfd):
    # Telephones put a second picture behind the first.
    first = sampled("420")
    data = first + bytes(shift) + jpeg(NOISE[:60])
    part, _ = seen(data, 3, 20, 0, 50, WIDTH)
    assert np.array_equal(part, decode_image(first, 3)[20:70])
    assert capfd.readouterr() == ("", "")


def test_a_picture_that_ends_in_the_part_looks_as_it_does_whole():
    data = sampled("420")
    damaged = data[: len(data) // 3] + b"\xff\xd9" + data[len(data) // 3 :]
    part, _ = seen(damaged, 3, 0, 0, 100, WIDTH)
    assert np.array_equal(part, decode_image(damaged, 3)[:100])


def test_flat_pictures_of_a_few_bytes_are_right():
    for height, width in ((9, 1), (40, 2), (200, 3), (17, 17)):
        data = jpeg(np.full((height, width, 3), 77, np.uint8))
        for rows in range(1, height + 1):
            part, _ = seen(data, 3, 0, 0, rows, width)
            assert np.array_equal(part, decode_image(data, 3)[:rows])
