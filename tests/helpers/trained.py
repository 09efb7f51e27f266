"""A trained run."""

import pytest


@pytest.fixture(scope="session")
def trained_run(tmp_path_factory, digit_pairs):
    """A run of one epoch on the small digit pairs; tests copy it before they change it."""
    from tests.helpers.runs import train  # takes MXNet

    out = tmp_path_factory.mktemp("run")
    settings = [
        f"data.train={digit_pairs}/train.rec",
        f"data.val={digit_pairs}/val.rec",
        f"data.class_names={digit_pairs}/classes.txt",
        "optim.epochs=1",
        "optim.batch_size=32",
    ]
    assert train(out, settings) == 0
    return out
