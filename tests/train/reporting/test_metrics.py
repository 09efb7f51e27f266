import pytest

from train.reporting.metrics import CLASSIFICATION, SEGMENTATION, TITLES, measures_of


@pytest.mark.parametrize("measures", [CLASSIFICATION, SEGMENTATION])
def test_a_row_of_either_kind_says_whose_it_is(measures):
    assert measures_of({"kind": "train", measures.trained: 0.5}) == measures
    assert measures_of({"kind": "eval", **dict.fromkeys(measures.tested, 0.5)}) == measures
    assert {measures.trained, *measures.tested} <= set(TITLES)


def test_a_row_that_measures_nothing_is_no_ones():
    with pytest.raises(KeyError):
        measures_of({"kind": "eval", "accuracy": 0.5})
