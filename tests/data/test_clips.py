"""Clips in time and crops in space."""

import math

import numpy as np
import pytest

from gluon_glore.data.clips import Clip, crop_views, read_views
from gluon_glore.data.image import Preprocess
from gluon_glore.utils.errors import InputError
from tests.helpers.videos import moving


class Frames:
    """A video in memory, with the interface of one."""

    rate = 25.0

    def __init__(self, pictures):
        self.pictures = pictures
        self.decoded = []

    def __len__(self):
        return len(self.pictures)

    def frames(self, indices, channels=3):
        for index in sorted(set(indices)):
            self.decoded.append(index)
            yield index, self.pictures[index][..., :channels]


PREPROCESS = Preprocess(size=(32, 32), resize=40)


def test_a_clip_takes_every_so_manyth_frame():
    assert Clip(4, 3).indices(5, 100, 25).tolist() == [5, 8, 11, 14]


def test_a_rate_keeps_the_speed_of_videos_of_other_rates():
    clip = Clip(4, 8, rate=25)
    assert clip.indices(0, 1000, 50).tolist() == [0, 16, 32, 48]
    assert clip.indices(0, 1000, 12.5).tolist() == [0, 4, 8, 12]
    assert clip.indices(0, 1000, 30).tolist() == [0, 10, 19, 29]


def test_a_short_video_is_looped():
    assert Clip(4, 3).indices(0, 5, 25).tolist() == [0, 3, 1, 4]
    assert Clip(4, 3).last_start(5, 25) == 0


@pytest.mark.parametrize("rate", [0, 10])
def test_the_last_clip_ends_with_the_last_frame(rate):
    clip = Clip(4, 3, rate)
    last = clip.last_start(100, 25)
    assert clip.indices(last, 10**6, 25)[-1] == 99


def test_even_starts_are_the_middles_of_equal_parts():
    clip = Clip(2, 1)
    assert clip.even_starts(1, 102, 25).tolist() == [50]
    assert clip.even_starts(5, 102, 25).tolist() == [10, 30, 50, 70, 90]
    assert clip.even_starts(3, 2, 25).tolist() == [0, 0, 0]


def test_random_starts_reach_all_places_and_no_other():
    clip, rng = Clip(2, 3), np.random.default_rng(0)
    starts = {clip.random_start(8, 25, rng) for _ in range(200)}
    assert starts == {0, 1, 2, 3, 4}
    assert clip.random_start(2, 25, rng) == 0


STRANGE = [
    (8.5, 1, 0),
    (8, 1.5, 0),
    ("8", 1, 0),
    (8, 1, math.nan),
    (8, 1, math.inf),
    (8, 10**21, 0),
]


@pytest.mark.parametrize("values", [(0, 1, 0), (1, 0, 0), (1, 1, -1), *STRANGE])
def test_a_clip_without_sense_is_refused(values):
    with pytest.raises(InputError, match="a clip's frames and stride are whole numbers from 1"):
        Clip(*values)


@pytest.mark.parametrize("channels", [1, 3])
def test_one_view_is_preprocess_of_each_frame(channels):
    preprocess = Preprocess((32, 32), 40, (124.0, 117.0, 104.0)[:channels])
    video = Frames(moving(20))
    views = read_views(video, Clip(4, 2), preprocess, [3])
    expected = [preprocess(video.pictures[i][..., :channels]) for i in (3, 5, 7, 9)]
    np.testing.assert_array_equal(views, np.stack(expected, 1)[None])


@pytest.mark.parametrize("crops", [1, 3, 5])
def test_many_views_are_those_read_one_by_one(crops):
    video = Frames(moving(30))
    clip, starts = Clip(8, 3), Clip(8, 3).even_starts(10, 30, 25)
    views = read_views(video, clip, PREPROCESS, starts, crops)
    assert views.shape == (10 * crops, 3, 8, 32, 32) and views.dtype == np.float32
    alone = [read_views(video, clip, PREPROCESS, [start], crops) for start in starts]
    np.testing.assert_array_equal(views, np.concatenate(alone))


def test_a_frame_is_decoded_once_for_all_that_see_it():
    video = Frames(moving(6))
    read_views(video, Clip(4, 3), PREPROCESS, [0, 0, 1], crops=3)
    assert video.decoded == sorted(set(video.decoded))


def test_views_are_written_where_told():
    video = Frames(moving(8))
    batch = np.full((3, 2, 3, 4, 32, 32), np.nan, np.float32)
    assert np.shares_memory(read_views(video, Clip(4, 2), PREPROCESS, [0, 1], out=batch[1]), batch)
    assert np.isfinite(batch[1]).all() and np.isnan(batch[[0, 2]]).all()
    np.testing.assert_array_equal(batch[1], read_views(video, Clip(4, 2), PREPROCESS, [0, 1]))


def places(shape, crops, size=(4, 6)):
    """(top, left) of the crops of a frame whose pixels are their places."""
    picture = np.zeros((*shape, 3), np.uint8)
    picture[..., 0], picture[..., 1] = np.indices(shape)
    views = crop_views(picture, Preprocess(size=size, resize=0), crops)
    assert all(view.shape == (*size, 3) for view in views)
    return [tuple(view[0, 0, :2].tolist()) for view in views]


def test_crops_lie_along_the_longer_side_or_in_the_corners():
    assert places((10, 20), 1) == [(3, 7)]
    assert places((10, 20), 3) == [(3, 0), (3, 7), (3, 14)]
    assert places((20, 10), 3) == [(0, 2), (8, 2), (16, 2)]
    assert places((10, 20), 5) == [(0, 0), (0, 14), (3, 7), (6, 0), (6, 14)]
    assert places((4, 6), 5) == [(0, 0)] * 5


@pytest.mark.parametrize("crops", [0, 2, 10])
def test_another_number_of_crops_is_refused(crops):
    with pytest.raises(InputError, match=f"in 1, 3, 5 crops, given {crops}"):
        places((10, 20), crops)


@pytest.mark.parametrize("crops", [1, 3, 5])
def test_frames_smaller_than_the_crop_are_refused(crops):
    with pytest.raises(InputError, match="the network takes 4x6"):
        places((20, 5), crops)
