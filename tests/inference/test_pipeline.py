import threading
import time

import numpy as np
import pytest

from gluon_glore import InputError
from gluon_glore.data.sources import Item, Place, open_sources
from gluon_glore.inference.classify import Classifier, load_classifier
from gluon_glore.inference.pipeline import classify_items, recognize_videos, segment_items
from gluon_glore.inference.recognize import ClipViews, Recognition
from gluon_glore.inference.segment import Views
from gluon_glore.visualize.label_maps import LabelMapFolder
from gluon_glore.weights.manifest import Manifest
from tests.helpers.pictures import GREY, MODEL, segmenter, write_twenty


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_twenty(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def classifier():
    return load_classifier(MODEL)


def mean_of_pixels(x):
    """A network whose logits tell its pictures apart: (their mean, 0)."""
    means = x.mean((1, 2, 3))
    return np.stack([means, 0 * means], axis=1)


def grey(network=mean_of_pixels):
    return Classifier(network, Manifest("m", ("mean", "zero"), GREY))


def item(number, read=None):
    """The picture whose every pixel is `number`."""
    read = read or (lambda channels: np.full((4, 4, channels), number, np.uint8))
    return Item(Place(str(number), str(number)), read)


@pytest.mark.parametrize(("batch", "workers"), [(1, 1), (3, 4), (50, 2)])
def test_answers_come_in_order_and_are_those_of_each_picture_alone(
    classifier, folder, batch, workers
):
    places, items = open_sources([folder])
    answers = list(classify_items(classifier, items, 2, batch, workers))
    assert [answer.place for answer in answers] == places and len(places) == 20
    for answer in answers:
        alone = classifier.predict(answer.place.file, 2)
        assert [name for name, _ in answer.top] == [name for name, _ in alone]
        assert [p for _, p in answer.top] == pytest.approx([p for _, p in alone], abs=1e-5)


def test_workers_that_end_in_another_order_keep_the_order():
    def late(number):
        def read(channels):
            time.sleep(0.02 * (number % 3 == 0))
            return np.full((4, 4, channels), number, np.uint8)

        return read

    items = (item(i, late(i)) for i in range(30))
    answers = list(classify_items(grey(), items, 1, batch=4, workers=8))
    assert [answer.place.name for answer in answers] == [str(i) for i in range(30)]


def test_no_more_pictures_are_asked_for_than_two_batches_ahead():
    asked = 0
    most = 0

    def items():
        nonlocal asked
        for asked in range(1, 101):
            yield item(asked)

    for number, _ in enumerate(classify_items(grey(), items(), 1, batch=4, workers=2)):
        time.sleep(0.002)
        most = max(most, asked - number)
    assert asked == 100
    assert most <= 4 + 2 * 4 + 2  # the batch, what is ready, who puts the next


def test_pictures_of_a_slow_stream_do_not_wait_for_a_full_batch():
    answered = threading.Event()

    def items():
        yield item(1)
        assert answered.wait(30), "the first picture waits for the second"
        yield item(2)

    answers = classify_items(grey(), items(), 1, batch=8)
    next(answers)
    answered.set()
    assert len(list(answers)) == 1


def test_a_bad_picture_costs_its_own_answer_alone():
    def bad(_):
        raise InputError("no picture")

    def some_nan(x):
        logits = mean_of_pixels(x)
        logits[logits[:, 0] == 7] = np.nan
        return logits

    items = [item(i, bad if i % 5 == 0 else None) for i in range(12)]
    answers = list(classify_items(grey(some_nan), items, 1, batch=5))
    assert [a.place.name for a in answers if a.error] == ["0", "5", "7", "10"]
    assert all("not finite" in str(a.error) for a in answers if a.place.name == "7")
    assert len([a for a in answers if a.top]) == 8


def test_other_errors_are_not_swallowed():
    def items():
        yield item(1)
        raise OSError("the stream broke")

    def broken(_):
        raise RuntimeError("a bug")

    with pytest.raises(OSError, match="the stream broke"):
        list(classify_items(grey(), items(), 1))
    with pytest.raises(RuntimeError, match="a bug"):
        list(classify_items(grey(), [item(1, broken)], 1))
    with pytest.raises(RuntimeError, match="a bug"):
        list(classify_items(grey(broken), [item(1)], 1))


def test_who_stops_listening_leaves_no_threads():
    before = set(threading.enumerate())
    answers = classify_items(grey(), (item(i % 200) for i in range(10**6)), 1, workers=3)
    next(answers)
    answers.close()
    for _ in range(1000):
        if set(threading.enumerate()) <= before:
            return
        time.sleep(0.01)
    raise AssertionError("threads are left")


def test_segmented_pictures_come_in_order_and_few_are_read_ahead(tmp_path):
    asked = most = 0

    def items():
        nonlocal asked
        for asked in range(1, 31):
            yield item(asked)

    folder = LabelMapFolder(tmp_path, ("road", "sky"))
    answers = []
    for answer in segment_items(segmenter(), items(), folder, Views(), workers=4):
        answers.append(answer)
        time.sleep(0.002)
        most = max(most, asked - len(answers))
    assert [answer.place.name for answer in answers] == [str(i) for i in range(1, 31)]
    assert most <= 4


def test_few_videos_are_read_ahead():
    asked = 0
    most = 0

    class Asked:
        """A recognizer that is asked for videos, and watches none."""

        def begin(self, file, views):
            nonlocal asked
            asked += 1

        def finish(self, parts, top):
            return Recognition(1.0, [], np.zeros(0), ())

    places = [Place(str(i), str(i)) for i in range(20)]
    answered = []
    for answer in recognize_videos(Asked(), places, ClipViews(), workers=3):
        answered.append(answer.place)
        most = max(most, asked - len(answered))
    assert answered == places and asked == 20 and most == 2
