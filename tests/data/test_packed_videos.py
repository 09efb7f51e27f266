import struct
from concurrent.futures import ThreadPoolExecutor

import cv2
import mxnet as mx
import numpy as np
import pytest

from gluon_glore import InputError
from gluon_glore.data.image import decode_image
from gluon_glore.data.packed_videos import PackedVideos, pack_frames
from gluon_glore.data.records import write_records

RNG = np.random.default_rng(0)


def jpegs(count, size=(24, 32)):
    """Frames of noise: (JPEG, size)."""
    noise = RNG.integers(0, 256, (count, *size, 3), dtype=np.uint8)
    return [(cv2.imencode(".jpg", picture)[1].tobytes(), size) for picture in noise]


FRAMES = jpegs(5)
PIXELS = np.stack([decode_image(data, 3) for data, _ in FRAMES])
RECORD = pack_frames(FRAMES, 12.5)


@pytest.fixture
def packed(tmp_path):
    """`packed(record, ...)` writes them, labelled 0, 1, ..., and opens the file."""

    def write(*records):
        write_records(tmp_path / "a.rec", [(record, label) for label, record in enumerate(records)])
        return PackedVideos(tmp_path / "a.rec")

    return write


def test_any_frame_is_read_by_its_number_with_rate_and_size(packed):
    videos = packed(RECORD, pack_frames(jpegs(1, (10, 60)), 30))
    assert len(videos) == 2 and videos.name(1).endswith("a.rec record 1")
    assert [videos.label(i) for i in range(2)] == [0, 1]
    with videos.open(0) as video:
        assert (len(video), video.rate, video.size) == (5, 12.5, (24, 32))
        assert np.array_equal(video.read(range(5)), PIXELS)
        assert np.array_equal(video.read([4, 0, 0, 3]), PIXELS[[4, 0, 0, 3]])
        assert [index for index, _ in video.frames([3, 1, 3, 2])] == [1, 2, 3]
        assert video.read([]).shape == (0, 24, 32, 3)
        grey = video.read([2], channels=1)
        assert np.array_equal(grey[0], decode_image(FRAMES[2][0], 1))
        for wrong in ([5], [-1], [0, 5]):
            with pytest.raises(InputError, match="frames -?[0-9]+ to -?[0-9]+ of a video of 5"):
                video.read(wrong)
    assert videos.open(1).size == (10, 60)


def test_only_the_frames_asked_for_are_decoded(packed):
    broken = [*FRAMES]
    broken[2] = (b"\0" * 40, (24, 32))
    with packed(pack_frames(broken, 25)).open(0) as video:
        assert np.array_equal(video.read([4, 1]), PIXELS[[4, 1]])
        with pytest.raises(InputError, match="^frame 2: not a readable picture$"):
            video.read([1, 2])


def test_several_threads_read_what_one_does(packed):
    videos = packed(*[pack_frames(FRAMES[i:], 25) for i in range(4)])

    def read(i):
        with videos.open(i) as video:
            return video.read([0])[0]

    with ThreadPoolExecutor(4) as pool:
        for i, picture in zip([0, 1, 2, 3] * 20, pool.map(read, [0, 1, 2, 3] * 20)):
            assert np.array_equal(picture, PIXELS[i])


def test_a_record_that_holds_the_containers_own_mark_is_read_as_any_other(packed, tmp_path):
    """RecordIO parts a record wherever its mark stands at a multiple of four bytes."""
    mark = struct.pack("<I", 0xCED7230A)
    tail = b"\0".join([mark] * 4)  # behind the picture's end; one of them is at such a place
    record = pack_frames([(data + tail, size) for data, size in FRAMES], 25)
    videos = packed(RECORD, record, RECORD)
    _, place = (tmp_path / "a.idx").read_text().splitlines()[1].split("\t")
    _, word = struct.unpack_from("<II", (tmp_path / "a.rec").read_bytes(), int(place))
    assert word >> 29 == 1  # the first of several parts
    whole = mx.recordio.MXIndexedRecordIO(str(tmp_path / "a.idx"), str(tmp_path / "a.rec"), "r")
    assert mx.recordio.unpack(whole.read_idx(1))[1] == record
    for i in range(3):
        assert np.array_equal(videos.open(i).read(range(5)), PIXELS) and videos.label(i) == i


def test_frames_that_do_not_go_together_are_not_packed():
    with pytest.raises(InputError, match="no frame"):
        pack_frames([], 25)
    with pytest.raises(InputError, match="frames of several sizes"):
        pack_frames([*FRAMES, *jpegs(1, (8, 8))], 25)
    with pytest.raises(InputError, match="600 MiB of frames, a record holds 512"):
        pack_frames([(b"\0" * (200 << 20), (8, 8))] * 3, 25)


def usable(videos, i=0):
    """Whether a record's label and frames can be read; anything but InputError fails the test."""
    try:
        videos.label(i)
        with videos.open(i) as video:
            video.read(range(len(video)))
    except InputError as error:
        assert "\n" not in str(error) and "a.rec" not in str(error)
        return False
    return True


def test_a_damaged_record_is_an_input_error_wherever_a_bit_is_wrong(packed, tmp_path):
    videos = packed(RECORD, RECORD)
    path = tmp_path / "a.rec"
    whole = path.read_bytes()
    assert usable(videos)
    head = 8 + 24 + 24 + 4 * 5
    refused = 0
    for place in range(head + 20):
        for bit in (0, 4, 7):
            data = bytearray(whole)
            data[place] ^= 1 << bit
            path.write_bytes(data)
            refused += not usable(videos)
            assert usable(videos, 1)
    # Else: a label's or key's or the rate's last bits, which nothing tells from others.
    assert refused > 0.6 * 3 * head


def test_a_file_cut_short_is_an_input_error_wherever_it_ends(packed, tmp_path):
    videos = packed(RECORD)
    path = tmp_path / "a.rec"
    whole = path.read_bytes()
    for length in [*range(0, 100, 3), len(whole) // 2, len(RECORD) + 31]:
        path.write_bytes(whole[:length])
        assert not usable(videos)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (b"", "damaged record"),
        (FRAMES[0][0], "not a packed video"),
        (RECORD[:60], "damaged record"),
        (struct.pack("<4s3Id", b"vid1", 0, 24, 32, 25), "damaged packed video"),
        (struct.pack("<4s3Id", b"vid1", 2**32 - 1, 24, 32, 25), "damaged record"),
        (struct.pack("<4s3IdI", b"vid1", 1, 24, 0, 25, 5) + b"12345", "damaged packed video"),
        (struct.pack("<4s3IdI", b"vid1", 1, 24, 32, 0, 5) + b"12345", "damaged packed video"),
        (struct.pack("<4s3IdI", b"vid1", 1, 24, 32, float("nan"), 5) + b"12345", "damaged packed"),
        (struct.pack("<4s3IdI", b"vid1", 1, 24, 32, 25, 0), "damaged packed video"),
        (struct.pack("<4s3IdI", b"vid1", 1, 2**20, 2**20, 25, 5) + b"12345", "more than .* pixels"),
        (struct.pack("<4s3IdI", b"vid1", 1, 24, 32, 25, 9) + b"12345", "frame 0: damaged record"),
        (struct.pack("<4s3Id", b"vid1", 1, 9, 9, 25) + RECORD[24:], "frame 0: not"),
    ],
)
def test_what_is_no_packed_video_is_refused(packed, record, message):
    with pytest.raises(InputError, match=message):
        packed(record).open(0).read([0])


def test_labels_that_are_not_one_whole_number_are_refused(tmp_path):
    labels = [-1, 0.5, float("nan"), float("inf")]
    write_records(tmp_path / "a.rec", [(RECORD, label) for label in labels])
    videos = PackedVideos(tmp_path / "a.rec")
    for i in range(4):
        with pytest.raises(InputError, match="^label .* is out of range, whole numbers from 0"):
            videos.label(i)
    writer = mx.recordio.MXIndexedRecordIO(str(tmp_path / "b.idx"), str(tmp_path / "b.rec"), "w")
    header = mx.recordio.IRHeader(2, np.array([1, 2], np.float32), 0, 0)
    writer.write_idx(0, mx.recordio.pack(header, RECORD))
    writer.close()
    with pytest.raises(InputError, match="one label expected, given 2"):
        PackedVideos(tmp_path / "b.rec").label(0)


@pytest.mark.parametrize(
    "damage",
    ["0\t0\nx\n", "0\n", "0\t0\t0\n", "\xff"],
)
def test_a_damaged_index_is_named(packed, tmp_path, damage):
    packed(RECORD)
    (tmp_path / "a.idx").write_bytes(damage.encode("latin-1"))
    with pytest.raises(InputError, match="a.idx: damaged index"):
        PackedVideos(tmp_path / "a.rec")


def test_an_index_of_another_file_is_an_input_error(packed, tmp_path):
    packed(RECORD)
    for offset in (4, -1, 10**6, 10**30):
        (tmp_path / "a.idx").write_text(f"0\t{offset}\n")
        with pytest.raises(InputError, match="a.idx: not the index of .*a.rec: "):
            PackedVideos(tmp_path / "a.rec")


def test_missing_and_empty_files_are_named(packed, tmp_path):
    packed(RECORD)
    (tmp_path / "a.idx").write_text("")
    with pytest.raises(InputError, match="a.idx: empty, no records in it"):
        PackedVideos(tmp_path / "a.rec")
    (tmp_path / "a.idx").unlink()
    assert usable(PackedVideos(tmp_path / "a.rec"))  # built
    (tmp_path / "a.rec").unlink()
    with pytest.raises(InputError, match="a.rec: no such file"):
        PackedVideos(tmp_path / "a.rec")
