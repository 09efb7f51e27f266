import numpy as np
import pytest

from gluon_glore import InputError
from gluon_glore.data.held_out import hold_out

LABELS = np.random.default_rng(0).permutation([0] * 1 + [1] * 2 + [2] * 10 + [4] * 25).tolist()


def test_a_share_of_every_class_is_held_out_at_least_one_and_never_all():
    for share, counts in ((0.2, [0, 1, 2, 5]), (0.01, [0, 1, 1, 1]), (0.99, [0, 1, 9, 24])):
        rest, held_out = hold_out(LABELS, share, seed=3)
        assert sorted(rest + held_out) == list(range(len(LABELS)))
        assert rest == sorted(rest) and held_out == sorted(held_out)
        labels = [LABELS[i] for i in held_out]
        assert [labels.count(label) for label in (0, 1, 2, 4)] == counts


def test_the_draw_is_the_seeds_and_of_one_class_whatever_others_there_are():
    first = hold_out(LABELS, 0.2, seed=3)
    assert hold_out(LABELS, 0.2, seed=3) == first
    assert hold_out(LABELS, 0.2, seed=4) != first
    alone = [i for i, label in enumerate(LABELS) if label == 4]
    drawn = [alone[i] for i in hold_out([4] * 25, 0.2, seed=3)[1]]
    assert drawn == [i for i in first[1] if LABELS[i] == 4]
    assert drawn != alone[:5]
    _, two = hold_out([0] * 25 + [1] * 25, 0.2, seed=3)
    assert two[:5] != [i - 25 for i in two[5:]]  # or files numbered alike went together


def test_classes_of_one_sample_each_are_refused():
    with pytest.raises(InputError, match="no class has two samples, so that none can be set asi"):
        hold_out([0, 1, 2], 0.5, seed=0)
