import numpy as np
import pytest

from gluon_glore import InputError
from gluon_glore.data.clips import Clip
from gluon_glore.data.image import Preprocess
from gluon_glore.data.labelled_videos import VideoSource, measure_videos, video_source

CLIP, PIXELS = Clip(2, 1), Preprocess((2, 2), 0, (0.0,), 1.0)


class Film:
    """Frame i is of the grey value `first + i`."""

    rate = 25.0

    def __init__(self, first):
        self.first = first

    def __len__(self):
        return 11

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def frames(self, indices, channels):
        for i in indices:
            yield i, np.full((2, 4, channels), self.first + i, np.uint8)


class Films:
    """Video i begins at 20 * i and is of class i."""

    path = "films"

    def __init__(self, classes, broken=()):
        self.class_names, self.broken = tuple(map(str, range(classes))), broken

    def __len__(self):
        return len(self.class_names)

    def name(self, i):
        return f"film {i}"

    def label(self, i):
        return i

    def open(self, i):
        if i in self.broken:
            raise InputError("torn")
        return Film(20 * i)


def table(classes, sizes, seed=0):
    """A network that gives logits by the grey of a view's first frame."""
    rows = np.random.RandomState(seed).normal(size=(256, classes)).astype("float32") * 3

    def network(x):
        assert x.shape[1:] == (1, 2, 2, 2) and x.dtype == np.float32
        sizes.append(len(x))
        return rows[x[:, 0, 0, 0, 0].astype(int)]

    return network, rows


@pytest.mark.parametrize("clips, crops, batch", [(1, 1, 8), (5, 1, 2), (5, 3, 8)])
def test_a_videos_probabilities_are_the_mean_of_its_views(clips, crops, batch):
    sizes = []
    network, rows = table(9, sizes)
    views = (PIXELS, CLIP, clips, crops, batch)
    found = measure_videos(network, Films(9), *views)
    starts = 9 * (2 * np.arange(clips) + 1) // (2 * clips)
    exps = np.exp(rows.astype(float))
    shares = exps / exps.sum(axis=1, keepdims=True)
    mean = np.array([shares[20 * i + starts].mean(axis=0) for i in range(9)])
    ranks = (mean > mean[np.arange(9), np.arange(9), None]).sum(axis=1)
    assert (found.top1, found.top5) == ((ranks < 1).mean(), (ranks < 5).mean())
    assert (found.clips, found.crops, found.samples, found.bad_records) == (clips, crops, 9, 0)
    assert max(sizes) <= batch and sum(sizes) == 9 * clips * crops
    assert found.videos_per_second > 0


def test_there_is_no_top5_of_five_classes():
    network, _ = table(5, [])
    assert measure_videos(network, Films(5), PIXELS, CLIP).top5 is None


def test_videos_that_can_not_be_read_are_left_out_and_counted(capsys):
    network, _ = table(5, [])
    found = measure_videos(network, Films(5, {2}), PIXELS, CLIP, max_bad=0.2)
    assert (found.samples, found.bad_records) == (4, 1)
    assert capsys.readouterr().err == "skipped film 2: torn\n"
    with pytest.raises(InputError, match="films: more than 0 of 5 videos are bad, as film 2: torn"):
        measure_videos(network, Films(5, {2}), PIXELS, CLIP)


def test_logits_that_are_no_numbers_are_refused():
    with pytest.raises(InputError, match="logits are not finite"):
        measure_videos(lambda x: np.full((len(x), 5), np.nan), Films(5), PIXELS, CLIP)


def test_a_source_is_one_path(tmp_path):
    assert video_source(tmp_path) == VideoSource(str(tmp_path)) == video_source(str(tmp_path))
    with pytest.raises(InputError, match="^a, b: one source of videos is taken$"):
        video_source(("a", "b"))
