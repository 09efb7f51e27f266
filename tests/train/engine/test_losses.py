"""Losses of classification against numbers worked out with numpy, and their gradients."""

import mxnet as mx
import numpy as np
import pytest

from train.config.optim import Optim
from train.engine.loop import top1
from train.engine.losses import binary_cross_entropy, cross_entropy, make_loss

RNG = np.random.RandomState(0)
LOGITS = (3 * RNG.normal(size=(4, 5))).astype("float32")
LABELS = np.array([0, 4, 2, 2])
SOFT = RNG.dirichlet(np.ones(5), size=4).astype("float32")
TARGETS = {"labels": LABELS, "soft": SOFT}


def shares(targets, smoothing):
    """The targets as the shares of the classes, smoothed: `(4, 5)`."""
    given = np.eye(5)[targets] if targets.ndim == 1 else targets.astype(np.float64)
    return (1 - smoothing) * given + smoothing / 5


def softmax_loss(logits, target):
    """Cross entropy and its gradient, float64."""
    z = logits.astype(np.float64)
    logp = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    return -(target * logp).sum(axis=1), np.exp(logp) - target


def sigmoid_loss(logits, target):
    """The mean binary cross entropy and its gradient, float64."""
    p = 1 / (1 + np.exp(-logits.astype(np.float64)))
    losses = -(target * np.log(p) + (1 - target) * np.log(1 - p)).mean(axis=1)
    return losses, (p - target) / logits.shape[1]


EXPECTED = {cross_entropy: softmax_loss, binary_cross_entropy: sigmoid_loss}


@pytest.mark.parametrize("make", EXPECTED)
@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_losses_and_gradients_are_those_worked_out(make, kind, smoothing):
    z = mx.nd.array(LOGITS)
    z.attach_grad()
    with mx.autograd.record():
        losses = make(smoothing)(z, mx.nd.array(TARGETS[kind]))
    losses.backward()
    expected, gradient = EXPECTED[make](LOGITS, shares(TARGETS[kind], smoothing))
    assert losses.shape == (4,) and losses.dtype == np.float32
    assert losses.asnumpy() == pytest.approx(expected, rel=1e-5)
    assert np.abs(z.grad.asnumpy() - gradient).max() < 1e-5


def test_labels_lose_what_gluons_own_loss_gives_to_the_bit():
    z, y = mx.nd.array(LOGITS), mx.nd.array(LABELS)
    expected = mx.gluon.loss.SoftmaxCrossEntropyLoss()(z, y).asnumpy()
    assert np.array_equal(cross_entropy()(z, y).asnumpy(), expected)


@pytest.mark.parametrize("make", EXPECTED)
def test_logits_of_16_bits_lose_in_32(make):
    z = mx.nd.array(LOGITS).astype("float16")
    for targets in TARGETS.values():
        losses = make(0.1)(z, mx.nd.array(targets))
        exact = make(0.1)(z.astype("float32"), mx.nd.array(targets))
        assert losses.dtype == np.float32
        assert np.array_equal(losses.asnumpy(), exact.asnumpy())


def test_binary_cross_entropy_has_its_gradient_at_zero_and_is_finite_far_from_it():
    z = mx.nd.array([[0, 0, 200, -200, -200]])
    z.attach_grad()
    with mx.autograd.record():
        loss = binary_cross_entropy()(z, mx.nd.array([[1, 0, 1, 0, 1]]))
    loss.backward()
    assert loss.asscalar() == pytest.approx((2 * np.log(2) + 200) / 5, rel=1e-6)
    assert z.grad.asnumpy()[0] == pytest.approx(np.array([-0.5, 0.5, 0, 0, -1]) / 5, abs=1e-7)


def test_a_configuration_names_its_loss_and_smoothing():
    z, y = mx.nd.array(LOGITS), mx.nd.array(SOFT)
    for optim, expected in (
        (Optim(), cross_entropy()),
        (Optim(label_smoothing=0.1), cross_entropy(0.1)),
        (Optim(loss="bce", label_smoothing=0.1), binary_cross_entropy(0.1)),
    ):
        assert np.array_equal(make_loss(optim)(z, y).asnumpy(), expected(z, y).asnumpy())


def test_training_accuracy_of_soft_targets_takes_the_heaviest_class():
    logits = mx.nd.array([[1, 2, 0], [3, 0, 0], [0, 0, 1], [0, 1, 0]])
    soft = mx.nd.array([[0.4, 0.6, 0], [0.2, 0.8, 0], [0.5, 0, 0.5], [0, 1, 0]])
    assert top1(logits, soft).asnumpy().tolist() == [1, 0, 0, 1]
    assert top1(logits, soft.argmax(axis=1)).asnumpy().tolist() == [1, 0, 0, 1]
