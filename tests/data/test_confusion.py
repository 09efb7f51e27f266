import math

import numpy as np
import pytest

from gluon_glore import InputError
from gluon_glore.data.cityscapes import IGNORE
from gluon_glore.data.confusion import Confusion


def by_hand(predicted, label, one):
    both = ((predicted == one) & (label == one)).sum()
    either = ((predicted == one) & (label != IGNORE) | (label == one)).sum()
    return both / either if either else math.nan


def test_counts_are_by_label_and_prediction_and_add_up():
    confusion = Confusion(3)
    confusion.add(np.uint8([[0, 1, 1]]), np.uint8([[0, 2, IGNORE]]))
    confusion.add(np.uint8([[2]]), np.uint8([[2]]))
    assert confusion.matrix.dtype == np.int64
    assert confusion.matrix.tolist() == [[1, 0, 0], [0, 0, 0], [0, 1, 1]]
    assert confusion.iou().tolist() == [1, 0, 0.5]
    assert confusion.miou() == 0.5 and confusion.accuracy() == pytest.approx(2 / 3)
    other = Confusion(3)
    other.matrix += 2 * confusion.matrix
    assert other.miou() == confusion.miou()


def test_scores_are_those_of_counting_pixels_one_class_at_a_time():
    rng = np.random.RandomState(0)
    predicted = rng.randint(0, 5, (40, 50)).astype("uint8")
    label = rng.choice([0, 1, 2, 3, IGNORE], (40, 50)).astype("uint8")
    confusion = Confusion(6)
    confusion.add(predicted, label)
    expected = [by_hand(predicted, label, i) for i in range(6)]
    assert np.allclose(confusion.iou(), expected, equal_nan=True, rtol=0, atol=1e-12)
    assert confusion.iou()[4] == 0 and math.isnan(confusion.iou()[5])
    assert confusion.miou() == pytest.approx(np.mean(expected[:5]))


def test_without_a_pixel_there_is_no_score():
    confusion = Confusion(3)
    confusion.add(np.zeros((2, 2), np.uint8), np.full((2, 2), IGNORE, np.uint8))
    assert confusion.matrix.sum() == 0
    assert math.isnan(confusion.miou()) and math.isnan(confusion.accuracy())


@pytest.mark.parametrize(
    ("predicted", "label", "message"),
    [
        ([[0, 1]], [[0]], "predicted .* pixels, labelled"),
        ([[3]], [[0]], "predicted train ids 3 to 3, 0 to 2 allowed"),
        ([[0]], [[7]], "labelled train ids 7 to 7"),
        ([[IGNORE]], [[0]], "predicted train ids 255"),
    ],
)
def test_ids_and_shapes_that_do_not_fit_are_refused(predicted, label, message):
    confusion = Confusion(3)
    with pytest.raises(InputError, match=message):
        confusion.add(np.uint8(predicted), np.uint8(label))
    assert confusion.matrix.sum() == 0
