import cv2
import numpy as np
import pytest

from gluon_glore import InputError
from gluon_glore.data.image import decode_image
from gluon_glore.data.jpeg_part import first_rows, reduction
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
    header = read_header(data, 2**30)
    shorter = first_rows(header, rows) if header.jpeg else header
    return None if shorter is header else shorter


def seen(data, channels, *place, least=None):
    """What `decode_image` shows of a place, and the sizes of which it was asked."""
    asked = []

    def choose(*size):
        asked.append(size)
        return place

    return decode_image(data, channels, choose, least), asked


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
            part, asked = seen(data, 3, 0, 0, rows, width)
            assert np.array_equal(part, decode_image(data, 3)[:rows]) and len(asked) == 1


def test_a_reduced_part_is_no_smaller_than_asked_and_no_larger_than_needed():
    for part, least, times in (
        ((0, 0, 100, 100), None, 1),
        ((0, 0, 99, 500), (50, 50), 1),
        ((0, 0, 100, 500), (50, 50), 2),
        ((0, 0, 399, 300), (50, 100), 2),
        ((0, 0, 400, 400), (50, 100), 4),
        ((0, 0, 9000, 9000), (50, 100), 8),
        ((0, 0, 10, 10), (50, 100), 1),
    ):
        assert reduction(part, least) == times


@pytest.mark.parametrize("channels", [3, 1])
@pytest.mark.parametrize("turn", [1, 3, 6])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
# Of sides that are no multiple, a picture that is turned begins with a part of a pixel.
@pytest.mark.parametrize(("sides", "within"), [((400, 504), 4), ((403, 507), 24)])
def test_a_reduced_part_is_the_mean_of_the_pixels(sides, within, turn, options, channels):
    data = save(smooth(*sides), "JPEG", quality=95, exif=exif(turn), **options)
    whole = decode_image(data, channels)
    size = whole.shape[:2]
    for place, least, times in (
        ((33, 41, 160, 320), (80, 160), 2),
        ((30, 41, 320, 321), (80, 80), 4),
        ((0, 0, *size), (50, 50), 8),
        ((33, 41, 159, 320), (80, 160), 1),
    ):
        part, asked = seen(data, channels, *place, least=least)
        assert asked == [size] and part.shape == (*(x // times for x in place[2:]), channels)
        top, left, height, width = (x // times * times for x in place)
        mean = whole[top : top + height, left : left + width].astype(float)
        mean = mean.reshape(height // times, times, width // times, times, channels).mean((1, 3))
        # A place falls on a whole pixel of the smaller picture, and colours are rounded once.
        assert np.abs(part[:-1, :-1] - mean[:-1, :-1]).max() < within


def test_other_pictures_are_not_reduced():
    data = cv2.imencode(".png", NOISE)[1].tobytes()
    part, _ = seen(data, 3, 0, 0, 80, 80, least=(10, 10))
    assert np.array_equal(part, decode_image(data, 3)[:80, :80])
