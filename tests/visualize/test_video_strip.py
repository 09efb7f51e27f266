import cv2
import numpy as np
import pytest

from gluon_glore import InputError
from gluon_glore.data.sources import Place
from gluon_glore.data.video import Video
from gluon_glore.inference.classify import likeliest
from gluon_glore.inference.recognize import Moment, Recognition
from gluon_glore.visualize.video_strip import WIDTH, StripFolder, frames_along, paint_strip
from tests.helpers.videos import moving, write_video

NAMES = ("jump", "run", "walk")
DARK, PALE = (31, 105, 178), (158, 196, 230)


def recognition(*rows, names=NAMES, top=3, seconds=10.0):
    """Of clips of these probabilities, one after the other."""
    rows = np.float32(rows)
    length = seconds / len(rows)
    moments = tuple(
        Moment(i * length, (i + 1) * length, likeliest(row, names, top), row)
        for i, row in enumerate(rows)
    )
    mean = rows.mean(axis=0)
    return Recognition(seconds, likeliest(mean, names, top), mean, moments)


PICTURES = [np.full((90, 160, 3), value, np.uint8) for value in (40, 120, 200, 90)]
SEEN = recognition([0.7, 0.2, 0.1], [0.5, 0.4, 0.1], [0.2, 0.3, 0.5])


def areas(strip):
    """Pixels of dark and pale bars."""
    return [int((strip == color).all(axis=2).sum()) for color in (DARK, PALE)]


def test_a_strip_is_1200_pixels_wide_and_as_high_as_its_classes_need():
    strip = paint_strip(SEEN, PICTURES)
    assert strip.shape[1:] == (WIDTH, 3) == (1200, 3) and strip.dtype == np.uint8
    two = paint_strip(recognition([0.7, 0.2, 0.1], top=2), PICTURES)
    assert strip.shape[0] - two.shape[0] == 54
    many = recognition(np.full(30, 1 / 30), names=list(map(str, range(30))), top=30)
    ten = recognition(np.full(30, 1 / 30), names=list(map(str, range(30))), top=10)
    assert paint_strip(many, PICTURES).shape == paint_strip(ten, PICTURES).shape


def test_bars_are_as_high_as_probabilities_and_dark_where_the_class_is_first():
    low = recognition([0.25, 0.125, 0.0625])
    high = recognition([0.5, 0.25, 0.125])
    (dark, pale), (dark_low, pale_low) = (areas(paint_strip(r, PICTURES)) for r in (high, low))
    assert dark == pytest.approx(2 * dark_low, rel=0.15)
    assert pale == pytest.approx(2 * pale_low, rel=0.15)
    dark, pale = areas(paint_strip(recognition([0.5, 0.1, 0.1], [0.1, 0.5, 0.1]), PICTURES))
    assert dark > 2 * pale
    flat = areas(paint_strip(recognition([0.0, 0.0, 0.0]), PICTURES))
    assert flat[1] == 0


def test_bars_lie_where_their_clips_are():
    """The first class of the first clip on the left, of the last one on the right."""
    strip = paint_strip(recognition([1.0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0.9, 0]), PICTURES)
    dark = (strip == DARK).all(axis=2)[60:]  # below the title
    rows, columns = np.nonzero(dark)
    upper = rows < np.median([rows.min(), rows.max()])
    assert columns[upper].min() == 211 and columns[upper].max() < 210 + 910 / 4
    assert columns[~upper].min() > 210 + 910 * 3 / 4 - 1 and columns[~upper].max() < 1120


def test_a_strip_shows_names_frames_and_changes_with_what_is_told():
    strip = paint_strip(SEEN, PICTURES, "v.mp4")
    others = [
        paint_strip(SEEN, PICTURES, "w.mp4"),
        paint_strip(SEEN, PICTURES[::-1], "v.mp4"),
        paint_strip(recognition([0.7, 0.2, 0.1]), PICTURES, "v.mp4"),
        paint_strip(
            recognition(*(m.probabilities for m in SEEN.moments), names=("a", "b", "c")),
            PICTURES,
            "v.mp4",
        ),
        paint_strip(
            recognition(*(m.probabilities for m in SEEN.moments), seconds=3.0), PICTURES, "v.mp4"
        ),
    ]
    for other in others:
        assert other.shape == strip.shape and (other != strip).any()
    middle = strip[44 + 64, 210:1120]
    assert [tuple(middle[round(910 * (i + 0.5) / 4)]) for i in range(4)] == [
        (value,) * 3 for value in (40, 120, 200, 90)
    ]


@pytest.mark.parametrize("seconds", [0.04, 0.5, 10.0, 7200.0, 1e10])
@pytest.mark.parametrize("name", ["x" * 300, "a very " * 40, "", "été 跑步", "a\nb"])
def test_any_name_and_any_length_fits(name, seconds):
    seen = recognition([0.6, 0.4], names=(name, "b"), seconds=seconds)
    strip = paint_strip(seen, PICTURES, name)
    assert (strip[:, :2] == 255).all() and (strip[:, -2:] == 255).all()
    middle = strip[190:-46, 204:209]  # between names and bars
    assert (middle == 255).all()


@pytest.mark.parametrize("size", [(1080, 1920), (90, 60), (2000, 20), (20, 2000)])
def test_frames_of_any_shape_fit_side_by_side(size):
    pictures = [np.full((*size, 3), 77, np.uint8)] * 3
    strip = paint_strip(SEEN, pictures)
    assert strip.shape[1] == 1200 and strip.shape[0] < 500
    assert (strip == 77).all(axis=2).any()


def test_a_folder_takes_a_strip_of_each_video_whole_or_not_at_all(tmp_path):
    video = write_video(tmp_path / "v.mp4", moving(30, (48, 80)))
    out = tmp_path / "a" / "out"
    folder = StripFolder(out)
    files = folder.write(Place(str(video), "sub/v.mp4"), SEEN)
    assert files == {"strip": out / "sub" / "v_strip.png"}
    with Video(video) as opened:
        frames = opened.read(frames_along(opened))
        assert len(frames) == 5 and list(frames_along(opened)) == [3, 9, 15, 21, 27]
    painted = cv2.imread(str(files["strip"]))[..., ::-1]
    assert np.array_equal(painted, paint_strip(SEEN, frames, "sub/v.mp4"))
    with pytest.raises(InputError, match="would overwrite those of"):
        folder.write(Place("other.avi", "sub/v.avi"), SEEN)
    (out / "w_strip.png").mkdir()
    with pytest.raises(InputError, match="w_strip.png"):
        folder.write(Place(str(video), "w.mp4"), SEEN)
    assert {path.name for path in out.iterdir()} == {"sub", "w_strip.png"}
