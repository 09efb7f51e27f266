import pytest

from train.reporting.metrics import CLASSIFICATION, SEGMENTATION, TITLES, metrics_of


@pytest.mark.parametrize("metrics", [CLASSIFICATION, SEGMENTATION])
def test_a_row_of_either_kind_says_whose_it_is(metrics):
    assert metrics_of({"kind": "train", metrics.trained: 0.5}) == metrics
    assert metrics_of({"kind": "eval", **dict.fromkeys(metrics.tested, 0.5)}) == metrics
    assert {metrics.trained, *metrics.tested} <= set(TITLES)


def test_a_row_that_measures_nothing_is_no_ones():
    with pytest.raises(KeyError):
        metrics_of({"kind": "eval", "accuracy": 0.5})
