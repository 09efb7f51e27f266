import numpy as np
import pytest

from gluon_glore import InputError
from gluon_glore.data.cityscapes import CLASS_NAMES, CLASSES, IGNORE, LABELS, to_ids, to_train_ids

ALL_IDS = np.arange(34, dtype=np.uint8).reshape(2, 17)


def test_labels_are_those_of_the_data_sets_own_tools():
    reason = "the data set's tools are not installed (pip install cityscapesscripts)"
    pytest.importorskip("cityscapesscripts", reason=reason)
    from cityscapesscripts.helpers.labels import labels

    assert len(labels) == len(LABELS)
    for label, given in zip(LABELS, labels):
        assert label == (
            given.name,
            given.id,
            given.trainId,
            given.category,
            given.hasInstances,
            given.ignoreInEval,
            given.color,
        )


def test_nineteen_classes_in_the_order_of_their_train_ids():
    assert [label.train_id for label in CLASSES] == list(range(19))
    assert (CLASS_NAMES[0], CLASS_NAMES[13], CLASS_NAMES[18]) == ("road", "car", "bicycle")
    assert {x.train_id for x in LABELS if x.ignore_in_eval} == {IGNORE, -1}


def test_every_id_becomes_its_labels_train_id_and_every_class_comes_back():
    train_ids = to_train_ids(ALL_IDS)
    assert (train_ids.dtype, train_ids.shape) == (np.uint8, ALL_IDS.shape)
    assert list(train_ids.ravel()) == [label.train_id for label in LABELS if label.id >= 0]
    back = to_ids(train_ids)
    assert (back.dtype, back.shape) == (np.uint8, ALL_IDS.shape)
    assert np.array_equal(back, np.where(train_ids == IGNORE, 0, ALL_IDS))


def test_ids_that_are_no_labels_are_named():
    ids = np.zeros((4, 6), np.uint8)
    ids[2, 3], ids[3, 0] = 34, 255
    with pytest.raises(InputError, match="^label id 34 is no label's, 0 to 33 allowed$"):
        to_train_ids(ids)
    ids[2, 3] = 0
    with pytest.raises(InputError, match="label id 255"):
        to_train_ids(ids)
    with pytest.raises(InputError, match="train id 19 is no class's, 0 to 18 and 255 allowed"):
        to_ids(np.full((2, 2), 19, np.uint8))
