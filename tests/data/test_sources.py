import sys

import cv2
import numpy as np
import pytest

from gluon_glore import InputError
from gluon_glore.data.image import PIXELS_VARIABLE
from gluon_glore.data.sources import Place, open_sources
from tests.helpers.opencv_video import write_video

RED = np.full((64, 96, 3), (0, 0, 200), np.uint8)  # OpenCV's BGR


def read(items, channels=3):
    """What each item gives: its place, and a picture or the text of the error."""

    def outcome(item):
        try:
            return item.read(channels)
        except InputError as error:
            return str(error)

    return [(item.place, outcome(item)) for item in items]


def test_a_folder_gives_the_pictures_in_it_sorted(tmp_path):
    for name in ("b.png", "a/z.JPG", "a/c/d.webp", "c.bmp"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / name), RED)
    for name in ("notes.txt", "._b.png", "movie.mp4"):
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    places, items = open_sources([tmp_path])
    assert [place.name for place in places] == ["a/c/d.webp", "a/z.JPG", "b.png", "c.bmp"]
    assert places[0] == Place(str(tmp_path / "a/c/d.webp"), "a/c/d.webp")
    pictures = read(items)
    assert [place for place, _ in pictures] == places
    assert all(np.abs(picture.mean((0, 1)) - [200, 0, 0]).max() < 3 for _, picture in pictures)


def test_a_folder_without_pictures_is_refused(tmp_path):
    (tmp_path / "a.txt").touch()
    with pytest.raises(InputError, match="no picture in it, of .bmp"):
        open_sources([tmp_path])


def test_files_are_named_and_asked_for_one_by_one(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), RED)
    places, items = open_sources([tmp_path / "a.png", tmp_path / "none.png"])
    assert [place.name for place in places] == ["a.png", "none.png"]
    (_, picture), (_, error) = read(items, channels=1)
    assert picture.shape == (64, 96, 1) and error == "No such file or directory"


@pytest.mark.parametrize(("suffix", "code"), [(".avi", "MJPG"), (".mp4", "mp4v"), (".x", "MJPG")])
def test_a_video_gives_every_nth_frame_with_its_time(tmp_path, suffix, code):
    video = write_video(tmp_path / f"v{'.avi' if suffix == '.x' else suffix}", code=code)
    video = video.rename(video.with_suffix(suffix))
    places, items = open_sources([video], every=10)
    assert places is None
    pictures = read(items)
    assert [place.frame for place, _ in pictures] == [0, 10, 20]
    assert [place.time for place, _ in pictures] == pytest.approx([0, 0.4, 0.8], abs=0.01)
    assert [picture.mean() for _, picture in pictures] == pytest.approx([0, 80, 160], abs=5)
    assert pictures[0][1].shape == (64, 96, 3)
    (_, grey), *_ = read(open_sources([video])[1], channels=1)
    assert grey.shape == (64, 96, 1)


def test_what_a_cut_video_still_has_comes_and_the_rest_is_missed(tmp_path):
    video = write_video(tmp_path / "v.avi")
    data = video.read_bytes()
    video.write_bytes(data[: len(data) // 2])
    *frames, (place, error) = read(open_sources([video])[1])
    assert 0 < len(frames) < 25
    assert place.frame is None and error == f"ends after {len(frames)} frames of 30"


def test_what_is_no_video_is_refused_in_its_place(tmp_path, monkeypatch):
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "text").write_text("neither picture nor video")
    cv2.imwrite(str(tmp_path / "a.png"), RED)
    (tmp_path / "a.png").rename(tmp_path / "picture")
    names = [tmp_path / name for name in ("text.mp4", "text", "picture")]
    (_, first), (_, second), (_, third) = read(open_sources(names)[1])
    assert (first, second) == ("not a readable video", "not a readable picture")
    assert third.shape == RED.shape
    monkeypatch.setenv(PIXELS_VARIABLE, "1000")
    ((_, error),) = read(open_sources([write_video(tmp_path / "v.avi")])[1])
    assert error == "video of more than 1000 pixels a frame"


def test_a_playlist_does_not_lead_to_other_files(tmp_path):
    other = write_video(tmp_path / "other.avi")
    playlists = {
        "concat": f"ffconcat version 1.0\nfile {other.name}\n",
        "concat.mp4": f"ffconcat version 1.0\nfile {other.name}\n",
        "hls.m3u8": f"#EXTM3U\n#EXTINF:1,\n{other.name}\n#EXT-X-ENDLIST\n",
        "hls.ts": f"#EXTM3U\n#EXTINF:1,\n{other.name}\n#EXT-X-ENDLIST\n",
    }
    for name, text in playlists.items():
        (tmp_path / name).write_text(text)
        outcomes = read(open_sources([tmp_path / name])[1])
        kind = "video" if name.endswith((".mp4", ".ts")) else "picture"
        assert [error for _, error in outcomes] == [f"not a readable {kind}"]


def test_standard_input_is_a_stream_of_pictures(tmp_path, monkeypatch):
    pictures = [
        cv2.imencode(".png", np.full((4, 5, 3), i, np.uint8))[1].tobytes() for i in range(5)
    ]
    data = b"".join([*pictures[:3], pictures[3][:-20], *pictures[4:]])

    (tmp_path / "stream").write_bytes(data)
    with open(tmp_path / "stream", "rb") as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        places, items = open_sources(["-"], every=2)
        assert places is None
        (first, a), (second, b), (third, c) = read(items)
    assert [place.frame for place in (first, second, third)] == [0, 2, 4]
    assert [a.mean(), b.mean(), c.mean()] == [0, 2, 4]
    assert first.file == "-"
