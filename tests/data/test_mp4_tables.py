import struct

import pytest

from gluon_glore.data.mp4_tables import refuse_false_tables
from gluon_glore.data.video import Video
from gluon_glore.utils.errors import InputError
from tests.helpers.places import ROOT
from tests.helpers.videos import moving, write_video

FRAGMENTS = {"movflags": "frag_keyframe+empty_moov"}
REAL = sorted((ROOT.parent / "shared" / "data" / "videos").glob("*.*"))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """{name: bytes} of videos: plain, in fragments, of other containers."""
    folder = tmp_path_factory.mktemp("videos")
    kinds = {
        "plain.mp4": {"g": 5, "bf": 2},
        "fragments.mp4": {"g": 5, "mux": FRAGMENTS},
        "a.mov": {"codec": "mpeg4"},
        "a.mkv": {},
        "a.avi": {"codec": "mpeg4"},
    }
    return {
        name: write_video(folder / name, moving(30), **options).read_bytes()
        for name, options in kinds.items()
    }


def test_videos_as_they_are_pass_and_have_the_frames_of_their_files(files):
    for name, data in files.items():
        refuse_false_tables(data)
        assert len(Video(data)) == 30, name


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.name)
def test_real_videos_pass(path):
    refuse_false_tables(path.read_bytes())


def changed(data, box, at, *numbers):
    """A file whose numbers `at` so many bytes behind the name of a box are others."""
    data, place = bytearray(data), data.index(box) + 4 + at
    struct.pack_into(f">{len(numbers)}I", data, place, *numbers)
    return bytes(data)


@pytest.mark.parametrize(
    "name, box, at, numbers",
    [
        ("plain.mp4", b"stsz", 4, (1, 10**8)),
        ("a.mov", b"stsz", 4, (1, 10**8)),
        ("plain.mp4", b"stts", 8, (2**32 - 1,)),
        ("plain.mp4", b"ctts", 8, (10**8,)),
        ("fragments.mp4", b"trun", 4, (10**8,)),
    ],
)
def test_more_samples_than_bytes_are_refused(name, box, at, numbers, files):
    false = changed(files[name], box, at, *numbers)
    behind_another = struct.pack(">I4s", 12, b"what") + bytes(4) + false
    for data in (false, behind_another):
        with pytest.raises(InputError, match="promises more than it has"):
            Video(data)


def test_a_compressed_header_is_refused(files):
    with pytest.raises(InputError, match="compressed header"):
        Video(files["plain.mp4"].replace(b"udta", b"cmov"))


def test_what_looks_like_a_table_in_the_media_data_is_none():
    table = b"stsz" + struct.pack(">III", 0, 1, 10**9)
    box = struct.pack(">I4s", 8 + len(table), b"mdat") + table
    refuse_false_tables(struct.pack(">I4s", 8, b"ftyp") + box)
    with pytest.raises(InputError):
        refuse_false_tables(struct.pack(">I4s", 8, b"ftyp") + box.replace(b"mdat", b"free"))


def test_any_beginning_of_a_file_is_read_or_refused(files):
    for end in range(0, len(files["plain.mp4"]), 7):
        refuse_false_tables(files["plain.mp4"][:end])
        refuse_false_tables(files["plain.mp4"][-end:])
