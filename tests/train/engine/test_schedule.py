import pytest

from train.config.sections import Optim
from train.engine.optimizer import learning_rate


def test_steps_multiply_at_their_epochs():
    optim = Optim(lr=0.4, schedule="step", steps=(2, 3), factor=0.1)
    rates = [learning_rate(optim, step, 10) for step in (0, 19, 20, 29, 30, 99)]
    assert rates == pytest.approx([0.4, 0.4, 0.04, 0.04, 0.004, 0.004])


def test_cosine_falls_from_lr_to_zero_over_the_run():
    optim = Optim(lr=0.4, schedule="cosine", epochs=4)
    assert learning_rate(optim, 0, 10) == 0.4
    assert learning_rate(optim, 20, 10) == pytest.approx(0.2)
    assert learning_rate(optim, 39, 10) < 0.001
    rates = [learning_rate(optim, step, 10) for step in range(40)]
    assert rates == sorted(rates, reverse=True)


def test_warm_up_rises_linearly_to_lr():
    optim = Optim(lr=0.4, warmup=2)
    assert [learning_rate(optim, s, 10) for s in (0, 9, 19)] == pytest.approx([0.02, 0.2, 0.4])


def test_poly_falls_to_zero_over_the_run_by_its_power():
    optim = Optim(lr=0.4, schedule="poly", epochs=4, power=0.5)
    rates = [learning_rate(optim, step, 10) for step in (0, 30, 39)]
    assert rates == pytest.approx([0.4, 0.2, 0.4 * (1 / 40) ** 0.5])


@pytest.mark.parametrize("schedule", ["step", "cosine", "poly"])
def test_the_rate_grows_with_the_batch_where_its_own_batch_is_given(schedule):
    own = Optim(lr=0.1, batch_size=256, schedule=schedule, warmup=1)
    grown = Optim(lr=0.1, batch_size=1024, lr_batch=256, schedule=schedule, warmup=1)
    for step in (0, 9, 10, 450):
        once, fourfold = (learning_rate(optim, step, 10) for optim in (own, grown))
        assert fourfold == pytest.approx(4 * once)


def test_epochs_of_the_schedule_are_counted_in_samples_where_asked():
    """Kinetics: x 0.1 at 45 x 240,000 samples, whatever is left of the set."""
    optim = Optim(lr=0.04, batch_size=512, steps=(45,), epoch_samples=240000, warmup=1)
    boundary = 45 * 240000 // 512
    for steps_per_epoch in (10, 300):
        rates = [learning_rate(optim, boundary + i, steps_per_epoch) for i in (0, 1)]
        assert rates == pytest.approx([0.04, 0.004])  # 45 epochs end within a step
        half = learning_rate(optim, 240000 // 512 // 2, steps_per_epoch)
        assert half == pytest.approx(0.02, rel=0.01)
