import pytest

from gluon_glore import InputError
from train.config.optim import Optim


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"optimizer": "adam"}, "optim.optimizer must be sgd, adamw or lamb, given 'adam'"),
        ({"beta1": 0.8}, "optim.beta1 is none of sgd's, given 0.8"),
        ({"epsilon": 1e-3}, "optim.epsilon is none of sgd's, given 0.001"),
        ({"optimizer": "adamw", "momentum": 0.8}, "optim.momentum is none of adamw's, given 0.8"),
        ({"optimizer": "lamb", "nesterov": True}, "optim.nesterov is none of lamb's, given True"),
        ({"optimizer": "lamb", "beta2": 1.0}, "optim.beta2 must be from 0 to below 1, given 1"),
        ({"optimizer": "lamb", "epsilon": -1.0}, "optim.epsilon must not be below 0, given -1"),
        ({"clip": -1.0}, "optim.clip must not be below 0, given -1"),
    ],
)
def test_keys_that_an_optimizer_has_not_are_refused(keys, message):
    with pytest.raises(InputError, match=message):
        Optim(**keys).check()


def test_a_checkpoint_is_as_large_as_its_optimizer_makes_it():
    names = ("sgd", "adamw", "lamb")
    for name in names:
        Optim(optimizer=name).check()  # the defaults of the others' keys are no choice
    assert [Optim(optimizer=name).copies for name in names] == [2, 3, 3]
