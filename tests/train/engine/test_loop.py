import mxnet as mx
import numpy as np
import pytest

from gluon_glore import InputError, get_model
from train.engine import loop
from train.engine.comm import LocalComm
from train.engine.learner import Learner


def make():
    net = get_model("tiny", classes=2)
    net.initialize()
    trainer = LocalComm().trainer(net.collect_params(), mx.optimizer.SGD(momentum=0.9))
    return Learner(net, trainer, LocalComm(), mx.cpu())


def batches(count, size=4):
    rng = np.random.RandomState(0)
    for _ in range(count):
        x = rng.normal(size=(size, 1, 64, 64)).astype("float32")
        yield x, rng.randint(0, 2, size).astype("float32")


def test_training_logs_averages_every_so_many_steps_at_the_given_rates():
    learner = make()
    rows = []
    loop.train_one_epoch(
        learner,
        enumerate(batches(5), start=10),
        learning_rate=lambda step: step / 1000,
        log_every=2,
        log=lambda *row: rows.append(row),
    )
    assert [(step, lr) for step, lr, _ in rows] == [(11, 0.011), (13, 0.013), (14, 0.014)]
    assert learner.trainer.learning_rate == 0.014
    assert [meter.samples for _, _, meter in rows] == [8, 8, 4]
    assert all(meter.loss > 0 and meter.figures["top1"] * 8 in range(9) for _, _, meter in rows)


def test_the_logged_loss_is_that_of_the_network_before_the_step():
    learner = make()
    ((x, y),) = batches(1)
    with mx.autograd.train_mode():
        logits = learner.net(mx.nd.array(x)).asnumpy()
    logp = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    rows = []
    step, log = [(0, (x, y))], lambda *row: rows.append(row)
    loop.train_one_epoch(learner, step, lambda _: 0.1, log, log_every=1)
    assert rows[0][2].loss == pytest.approx(-logp[np.arange(4), y.astype(int)].mean(), rel=1e-4)


def test_what_is_raised_after_a_step_ends_the_epoch_there():
    class End(Exception):
        pass

    def after_step(step):
        steps.append(step)
        if step == 11:
            raise End

    learner = make()
    steps, rows = [], []
    with pytest.raises(End):
        loop.train_one_epoch(
            learner,
            enumerate(batches(4), start=10),
            lambda _: 0.1,
            lambda *row: rows.append(row),
            log_every=1,
            after_step=after_step,
        )
    assert steps == [row[0] for row in rows] == [10, 11]


def test_a_loss_that_is_not_finite_stops_the_run():
    learner = make()
    x, y = next(batches(1))
    with pytest.raises(InputError, match=r"the loss is nan: lower optim\.lr \(now 0\.1\)"):
        loop.train_one_epoch(learner, [(0, (x * np.nan, y))], lambda _: 0.1, None, log_every=1)


def test_evaluation_counts_every_sample_of_every_batch():
    net = make().net
    data = [*batches(2), *batches(1, size=3)]
    meter = loop.evaluate(net, data, LocalComm(), mx.cpu())
    hits = sum((net(mx.nd.array(x)).asnumpy().argmax(axis=1) == y).sum() for x, y in data)
    assert meter.samples == 11
    assert meter.figures["top1"] == pytest.approx(hits / 11)


@pytest.mark.parametrize("classes", [2, 5, 6, 20])
def test_top_5_is_counted_where_there_are_more_than_five_classes(classes):
    mx.random.seed(0)  # weights with which some pictures miss
    net = get_model("tiny", classes=classes)
    net.initialize()
    data = list(batches(6))
    for number, (_, y) in enumerate(data):
        y[:] = (y + 3 * number) % classes
    meter = loop.evaluate(net, data, LocalComm(), mx.cpu())
    if classes <= 5:
        assert meter.figures["top5"] is None
        return
    logits = np.concatenate([net(mx.nd.array(x)).asnumpy() for x, _ in data])
    labels = np.concatenate([y for _, y in data])
    hits = (logits.argsort(axis=1)[:, -5:] == labels[:, None]).any(axis=1)
    assert 0 < hits.mean() < 1
    assert meter.figures["top5"] == pytest.approx(hits.mean())


def test_top_5_counts_over_a_rank_that_has_no_samples():
    class OtherRankHasAll(LocalComm):
        size = 2

        def sum(self, values):
            return np.asarray(values, np.float64) + [6.0, 2.0, 3.0, 4.0, 4.0]

    net = get_model("tiny", classes=10)
    net.initialize()
    meter = loop.evaluate(net, [], OtherRankHasAll(), mx.cpu())
    assert meter.samples == 4
    assert meter.figures == {"top1": 0.5, "top5": 0.75}
