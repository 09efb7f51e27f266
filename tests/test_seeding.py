import mxnet as mx

from train.seeding import seed_steps


def masks(steps, seed=0, rank=0):
    """Dropout's mask at each step."""
    ones = mx.nd.ones(64)
    numbered = ((step, None) for step in steps)
    return {
        step: tuple(mx.nd.Dropout(ones, p=0.5, mode="always").asnumpy())
        for step, _ in seed_steps(numbered, seed, rank)
    }


def test_dropout_at_a_step_does_not_depend_on_the_steps_before():
    whole = masks(range(6))
    assert len(set(whole.values())) == 6
    assert masks(range(4, 6)) == {step: whole[step] for step in (4, 5)}


def test_ranks_and_seeds_drop_differently():
    assert len({masks([3])[3], masks([3], seed=1)[3], masks([3], rank=1)[3]}) == 3
