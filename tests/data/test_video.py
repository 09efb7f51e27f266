"""Frames by their numbers are those of decoding in sequence, and damage is an InputError."""

import os
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from gluon_glore.data.image import PIXELS_VARIABLE
from gluon_glore.data.video import Video
from gluon_glore.utils.errors import InputError
from tests.helpers.places import ROOT
from tests.helpers.videos import moving, write_sound, write_video

av = pytest.importorskip("av", reason="PyAV is not installed")

FOLDER = ROOT.parent / "shared" / "data" / "videos"
FILES = sorted(FOLDER.glob("*.*"))
OPEN_GOP = {"x264-params": "open-gop=1:keyint=8:bframes=3:b-adapt=0:scenecut=0"}
VP9 = {"codec": "libvpx-vp9", "g": 10, "lag-in-frames": 12, "deadline": "realtime", "cpu-used": 8}
UNEVEN = np.random.default_rng(0).integers(1, 5, 40).cumsum().tolist()
BEFORE_ZERO = list(range(-15, 25))  # timestamps that a list of edits cuts off
CUT = {"avoid_negative_ts": "disabled", "use_editlist": "1"}
KINDS = {
    "b_frames.mp4": {"g": 10, "bf": 3},
    "open_gop.mp4": OPEN_GOP,
    "open_gop.ts": OPEN_GOP,
    "intra_refresh.mp4": {"x264-params": "intra-refresh=1:keyint=8:bframes=0"},
    "edited.mp4": {"g": 10, "bf": 3, "times": BEFORE_ZERO, "mux": CUT},
    "uneven.mp4": {"g": 10, "bf": 3, "times": UNEVEN},
    "h264.avi": {"g": 10, "bf": 3},
    "mpeg4.avi": {"codec": "mpeg4", "g": 10, "bf": 2},
    "mjpeg.avi": {"codec": "mjpeg"},
    "mjpeg.mp4": {"codec": "mjpeg"},
    "mpeg4.mp4": {"codec": "mpeg4", "g": 10, "bf": 2},
    "plain.mjpeg": {"codec": "mjpeg"},
    "vp8.webm": {"codec": "libvpx", "g": 10, "lag-in-frames": 12, "auto-alt-ref": 1},
    "vp9.webm": VP9,
    "mpeg2.ts": {"codec": "mpeg2video", "g": 10, "bf": 2},
    "mpeg2.mpg": {"codec": "mpeg2video", "g": 10, "bf": 2},
    "three.mp4": {"count": 3},
    "odd.mkv": {"size": (46, 70)},
}


def write_kind(folder, name):
    options = dict(KINDS[name])
    frames = moving(options.pop("count", 40), options.pop("size", (48, 64)))
    try:
        return write_video(folder / name, frames, **options)
    except av.codec.codec.UnknownCodecError as error:
        pytest.skip(f"PyAV is built without an encoder: {error}")


def in_sequence(path):
    """What plain decoding gives: uint8 `(H, W, 3)` of each frame."""
    with av.open(str(path)) as container:
        yield from (frame.to_ndarray(format="rgb24") for frame in container.decode(video=0))


def some(length, rng):
    """Frames in any order, some more than once."""
    return rng.integers(0, length, rng.integers(1, 9)).tolist()


def check_frames(path, rounds):
    """Compares hashes: a second of a large video is hundreds of megabytes."""
    sequence = [hash(picture.tobytes()) for picture in in_sequence(path)]
    video, rng = Video(path), np.random.default_rng(0)
    assert len(video) == len(sequence)
    for _ in range(rounds):
        indices = some(len(video), rng)
        pictures = video.read(indices)
        assert pictures.shape == (len(indices), *video.size, 3)
        assert [hash(picture.tobytes()) for picture in pictures] == [sequence[i] for i in indices]
    frames = video.frames(range(len(video)))
    assert [(i, hash(picture.tobytes())) for i, picture in frames] == list(enumerate(sequence))


@pytest.mark.parametrize("name", KINDS)
def test_frames_by_number_are_those_of_the_sequence(name, tmp_path):
    check_frames(write_kind(tmp_path, name), rounds=12)


@pytest.mark.skipif(not FILES, reason="no videos in ../shared/data/videos")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_frames_of_real_videos_are_those_of_the_sequence(path):
    check_frames(path, rounds=1)


def test_videos_are_read_in_several_threads_at_once(tmp_path):
    path = write_video(tmp_path / "a.mp4", moving(60), g=10, bf=3)
    sequence = np.stack(list(in_sequence(path)))

    def read(seed):
        indices = some(60, np.random.default_rng(seed))
        return np.array_equal(Video(path).read(indices), sequence[indices])

    with ThreadPoolExecutor(3) as pool:
        assert all(pool.map(read, range(40)))


class Counted:
    """Counts the packets that are decoded."""

    def __init__(self, monkeypatch):
        import gluon_glore.data.video as module

        self.packets, decoded = 0, module._decoded

        def count(stream, packet):
            self.packets += 1
            return decoded(stream, packet)

        monkeypatch.setattr(module, "_decoded", count)

    def of(self, action):
        self.packets = 0
        action()
        return self.packets


def test_no_more_is_decoded_than_from_the_key_frames_needed(tmp_path, monkeypatch):
    counted = Counted(monkeypatch)
    options = {"g": 10, "keyint_min": 10, "sc_threshold": 0, "bf": 0, "tune": "zerolatency"}
    path = write_video(tmp_path / "a.mp4", moving(100), **options)
    video = None

    def open_video():
        nonlocal video
        video = Video(path)

    assert counted.of(open_video) == 0
    assert counted.of(lambda: video.read([92])) == 3
    assert counted.of(lambda: video.read([90, 11, 13])) == 5
    assert counted.of(lambda: video.read(range(20, 40))) == 20


def test_frames_before_an_open_key_frame_are_decoded_from_the_one_before(tmp_path, monkeypatch):
    counted = Counted(monkeypatch)
    video = Video(write_video(tmp_path / "a.mp4", moving(40), **OPEN_GOP))
    assert sum(counted.of(lambda i=i: video.read([i])) > 24 for i in range(40)) == 0


@pytest.mark.parametrize("codec", ["mpeg4", "mpeg2video", "libx264"])
def test_key_frames_that_are_none_are_found_out(codec, tmp_path, monkeypatch):
    import gluon_glore.data.video as module

    scan = module._scan

    def lie(*given):
        packets, seconds = scan(*given)
        return [p._replace(key=p.key or i % 8 == 0) for i, p in enumerate(packets)], seconds

    monkeypatch.setattr(module, "_scan", lie)
    path = write_video(tmp_path / "a.mkv", moving(30), codec=codec, g=30, bf=0)
    np.testing.assert_array_equal(Video(path).read([9, 19, 29]), list(in_sequence(path))[9::10])


def test_frames_may_be_left_in_the_middle(tmp_path):
    video = Video(write_video(tmp_path / "a.mp4", moving(20), g=5))
    frames = video.frames([3, 9, 15])
    assert [next(frames)[0], next(frames)[0]] == [3, 9]
    frames.close()
    assert [index for index, _ in video.frames([15, 3, 3])] == [3, 15]


def test_grey_is_the_brightness_of_the_colours(tmp_path):
    path = write_video(tmp_path / "a.mp4", moving(5, (64, 64)), qp=1)
    with Video(path) as video:
        colour, grey = video.read([0, 4]), video.read([0, 4], channels=1)
    assert grey.shape == (2, 64, 64, 1)
    brightness = colour @ np.array([0.299, 0.587, 0.114])
    assert np.abs(grey[..., 0] - brightness).mean() < 1.5


def test_colours_are_those_that_were_written(tmp_path):
    frames = np.zeros((3, 32, 32, 3), np.uint8)
    frames[0, ..., 0], frames[1, ..., 1], frames[2] = 200, 200, 255
    video = Video(write_video(tmp_path / "a.mp4", frames, qp=1))
    assert np.abs(video.read([0, 1, 2]).astype(int) - frames).max() < 8


def turn(path, matrix):
    """Write the matrix by which players turn the pictures into an MP4 file's track header."""
    data = bytearray(path.read_bytes())
    place = data.index(b"tkhd") + 44
    data[place : place + 36] = struct.pack(">9i", *matrix)
    path.write_bytes(data)


@pytest.mark.parametrize(
    "matrix, turns",
    [((0, 1, -1, 0), 3), ((-1, 0, 0, -1), 2), ((0, -1, 1, 0), 1)],
    ids=["clockwise", "upside down", "counterclockwise"],
)
def test_videos_are_turned_as_they_are_shown(matrix, turns, tmp_path):
    cv2 = pytest.importorskip("cv2")
    path = write_video(tmp_path / "a.mp4", moving(4), qp=1)
    flat = Video(path).read([2])[0]
    a, b, c, d = (value << 16 for value in matrix)
    turn(path, (a, b, 0, c, d, 0, 0, 0, 1 << 30))
    video = Video(path)
    assert video.size == ((64, 48) if turns % 2 else (48, 64))
    np.testing.assert_array_equal(video.read([2])[0], np.rot90(flat, turns))
    capture = cv2.VideoCapture(str(path))
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
    shown = capture.read()[1][..., ::-1]
    assert np.abs(video.read([0])[0].astype(int) - shown).mean() < 2


def test_the_rate_is_the_mean_of_what_is_there(tmp_path):
    frames = moving(40)
    for rate in (25, 12, 30000 / 1001):
        path = write_video(tmp_path / "a.mp4", frames, rate=rate)
        assert Video(path).rate == pytest.approx(rate)
    for name in ("uneven.mp4", "uneven.mkv"):
        path = write_video(tmp_path / name, frames, times=UNEVEN)
        assert Video(path).rate == pytest.approx(39 / (UNEVEN[-1] - UNEVEN[0]) * 25, rel=1e-3)
    assert Video(write_kind(tmp_path, "mpeg4.avi")).rate == 25
    assert Video(write_video(tmp_path / "one.mp4", frames[:1])).rate == 25


def test_frames_that_are_not_there_are_refused(tmp_path):
    video = Video(write_video(tmp_path / "a.mp4", moving(5)))
    assert video.read([]).shape == (0, 48, 64, 3)
    for indices in ([5], [-1], [0, 7]):
        with pytest.raises(InputError, match="of a video of 5"):
            video.read(indices)


def test_a_file_that_begins_late_is_whole(tmp_path):
    """Its times, and the length in its header, count from 0."""
    path = write_video(tmp_path / "a.mkv", moving(20), times=range(30, 50))
    assert len(Video(path)) == 20


def truncated(path, share):
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


@pytest.mark.parametrize(
    "name, options",
    [
        ("a.mp4", {"mux": {"movflags": "faststart"}}),
        ("a.mkv", {}),
        ("a.webm", VP9),
        ("a.avi", {"codec": "mpeg4"}),
        ("a.flv", {}),
    ],
)
def test_a_video_that_ends_before_its_header_says_is_refused(name, options, tmp_path):
    path = write_video(tmp_path / name, moving(50), **options)
    assert len(Video(path)) == 50
    with pytest.raises(InputError, match=r"ends after \d\.\d of [12]\.\d seconds"):
        Video(truncated(path, 0.6))


def test_a_video_that_lacks_its_table_is_refused(tmp_path):
    path = truncated(write_video(tmp_path / "a.mp4", moving(50)), 0.7)
    with pytest.raises(InputError, match="^not a readable video$"):
        Video(path)


@pytest.mark.parametrize(
    "data", [b"", b"these are words\n" * 99, b"#EXTM3U\n#EXTINF:1,\na.mp4\n", b"\0" * 5000]
)
def test_what_is_no_video_is_refused(data, tmp_path):
    write_video(tmp_path / "a.mp4", moving(5))
    for name in ("b.mp4", "b.txt", "b.m3u8"):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InputError, match="^not a readable video$"):
            Video(tmp_path / name)


def test_sound_alone_is_refused(tmp_path):
    with pytest.raises(InputError, match="^no video stream$"):
        Video(write_sound(tmp_path / "a.mp4"))


def test_what_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match="^No such file or directory$"):
        Video(tmp_path / "a.mp4")
    with pytest.raises(InputError, match="^Is a directory$"):
        Video(tmp_path)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.mp4")
    with pytest.raises(InputError, match="^a pipe or device, videos are read from files$"):
        Video(tmp_path / "a.mp4")


def test_too_many_pixels_are_refused(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.mp4", moving(5))
    monkeypatch.setenv(PIXELS_VARIABLE, str(48 * 64 - 1))
    with pytest.raises(InputError, match="^video of more than 3071 pixels$"):
        Video(path)


DAMAGE = """
import sys
import numpy as np
from pathlib import Path
from gluon_glore.utils.errors import InputError
from gluon_glore.data.video import Video

path, copy = Path(sys.argv[1]), Path(sys.argv[2])
data = np.frombuffer(path.read_bytes(), np.uint8)
read = refused = 0
for seed in range(40):
    rng = np.random.default_rng(seed)
    damaged = data.copy()
    begin = rng.integers(0 if seed % 2 else len(data) // 4, len(data) - 40)
    damaged[begin : begin + 40] = rng.integers(0, 256, 40)
    copy.write_bytes(damaged)
    try:
        video = Video(copy)
        frames = video.read([len(video) - 1, 0, len(video) // 2])
        assert frames.shape == (3, *video.size, 3)
        read += 1
    except InputError as error:
        assert str(error) and "\\n" not in str(error)
        refused += 1
print(read, refused)
"""


@pytest.mark.parametrize("name", ["b_frames.mp4", "mpeg2.ts", "mpeg4.avi", "vp9.webm", "mjpeg.avi"])
def test_damage_is_read_or_refused_and_never_noisy(name, tmp_path):
    path = write_kind(tmp_path, name)
    copy = tmp_path / f"damaged{path.suffix}"
    command = [sys.executable, "-c", DAMAGE, str(path), str(copy)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert sum(map(int, done.stdout.split())) == 40


def test_frames_of_a_damaged_video_are_those_of_the_sequence(tmp_path):
    """Where a frame is lost, those after it move up, whichever is asked for first."""
    path = write_video(tmp_path / "a.mp4", moving(30), g=30, bf=0)
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        lost = list(container.demux(video=0))[12]
    data[lost.pos : lost.pos + lost.size] = bytes(lost.size)
    path.write_bytes(data)
    with av.open(str(path)) as container:
        left = []
        for packet in container.demux(video=0):
            try:
                left += [frame.to_ndarray(format="rgb24") for frame in packet.decode()]
            except av.error.FFmpegError:
                continue
    video = Video(path)
    np.testing.assert_array_equal(video.read([20, 3]), [left[20], left[3]])


def test_without_pyav_the_message_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "a.mp4").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(InputError, match=r"av is not installed: pip install '\.\[video\]'"):
        Video(tmp_path / "a.mp4")


def test_the_module_needs_neither_pyav_nor_mxnet_to_be_imported():
    command = "import sys, gluon_glore.data.video, gluon_glore.data.clips"
    command += "; assert not {'av', 'mxnet'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", command], check=True, cwd=ROOT)
