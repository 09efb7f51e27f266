import io

import cv2
import numpy as np
import pytest

from gluon_glore import InputError
from gluon_glore.data.picture_stream import split_pictures


def encoded(suffix, seed=0, *options):
    noise = np.random.RandomState(seed).randint(0, 256, (40, 60, 3)).astype("uint8")
    return cv2.imencode(suffix, noise, list(options))[1].tobytes()


def with_thumbnail(jpeg, thumbnail):
    """A JPEG with another one whole in its first segment, as cameras write it."""
    length = (len(thumbnail) + 2).to_bytes(2, "big")
    return jpeg[:2] + b"\xff\xe1" + length + thumbnail + jpeg[2:]


def slow(data, step):
    """Reads a few bytes at a time."""
    stream = io.BytesIO(data)
    return lambda size: stream.read(min(size, step))


PICTURES = [
    encoded(".jpg"),
    encoded(".png", 1),
    encoded(".jpg", 2, cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    encoded(".jpg", 3, cv2.IMWRITE_JPEG_RST_INTERVAL, 2),
    with_thumbnail(encoded(".jpg", 4), encoded(".jpg", 5, cv2.IMWRITE_JPEG_QUALITY, 20)),
    encoded(".jpg", 6)[:-2] + b"\xff\xff\xff\xd9",  # a marker may be filled up
    encoded(".png", 7),
]


def split(data, **options):
    return list(split_pictures(io.BytesIO(data).read, **options))


def texts(pieces):
    return [str(piece) for piece in pieces if isinstance(piece, InputError)]


@pytest.mark.parametrize("step", [1, 7, 1000, 10**6])
def test_pictures_come_out_as_they_went_in(step):
    assert list(split_pictures(slow(b"".join(PICTURES), step))) == PICTURES


def test_a_picture_comes_with_its_last_byte():
    for picture in PICTURES:
        read = slow(picture, 1)

        def live(size, read=read):
            data = read(size)
            assert data, "asked for more than the picture"
            return data

        assert next(split_pictures(live)) == picture


def test_boundaries_between_pictures_are_no_loss_but_more_is():
    boundary = b"\r\n--frame\r\nContent-Type: image/jpeg\r\n\r\n"
    assert split(b"".join(boundary + p for p in PICTURES) + boundary) == PICTURES
    first, error, second, last = split(PICTURES[0] + bytes(5000) + PICTURES[1] + b"x" * 2000)
    assert (first, second) == (PICTURES[0], PICTURES[1])
    assert texts([error, last]) == [
        f"5000 bytes before byte {len(first) + 5000} are no JPEG or PNG",
        "the last 2000 bytes are no JPEG or PNG",
    ]
    assert texts(split(b"")) == ["no JPEG or PNG in the 0 bytes of the stream"]
    assert texts(split(b"x" * 100)) == ["no JPEG or PNG in the 100 bytes of the stream"]


@pytest.mark.parametrize("number", range(len(PICTURES)))
def test_after_a_picture_that_is_cut_the_next_ones_come(number):
    cut = PICTURES[number][: len(PICTURES[number]) // 2]
    before, error, *after = split(PICTURES[0] + cut + PICTURES[1] + PICTURES[2])
    assert before == PICTURES[0] and isinstance(error, InputError)
    assert after == PICTURES[1:3]
    *_, error = split(PICTURES[0] + cut)
    assert texts([error]) == [
        f"picture at byte {len(PICTURES[0])} is cut short by the end of the stream"
    ]


@pytest.mark.parametrize("picture", [PICTURES[0], PICTURES[1]])
def test_a_length_that_leads_too_far_costs_its_own_picture_alone(picture):
    at = 4 if picture[0] == 0xFF else 8  # of the first segment or chunk
    damaged = picture[:at] + b"\x00\xff\xff\xff"[-(2 if at == 4 else 4) :]
    damaged += picture[len(damaged) :]
    rest = PICTURES * 5
    error, *after = split(damaged + b"".join(rest))
    assert isinstance(error, InputError) and after == rest


def test_a_picture_of_too_many_bytes_is_refused_and_memory_stays_bounded():
    header = PICTURES[0][: PICTURES[0].index(b"\xff\xda") + 14]
    read = 0

    def endless(size):
        nonlocal read
        read += size
        if read < 10**6:
            return header + bytes(size) if read == size else bytes(size)
        return PICTURES[1] if read < 10**6 + size else b""

    pictures = split_pictures(endless, max_bytes=200_000)
    assert str(next(pictures)) == "picture at byte 0 has more than 200000 bytes"
    assert read < 300_000
    assert texts([next(pictures)])[0].endswith("are no JPEG or PNG")
    assert next(pictures) == PICTURES[1]


def test_no_damage_reaches_far():
    """A wrong length of a JPEG's segment leads 64 KB further at most."""
    rng = np.random.RandomState(0)
    data = b"".join(PICTURES)
    for _ in range(300):
        damaged = bytearray(data)
        for at in rng.randint(0, len(data), 3):
            damaged[at] = rng.randint(256)
        assert split(bytes(damaged) + PICTURES[0] * 20)[-2:] == [PICTURES[0]] * 2
