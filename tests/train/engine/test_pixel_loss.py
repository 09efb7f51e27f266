import mxnet as mx
import numpy as np
import pytest
from mxnet import autograd

from gluon_glore import InputError
from train.engine.pixel_loss import PixelLoss, pixel_accuracy

RNG = np.random.default_rng(0)
SHAPE = B, C, H, W = 4, 19, 7, 9
LOGITS = RNG.normal(0, 3, SHAPE)
LABELS = RNG.integers(0, C, (B, H, W))
LABELS[0, :2] = LABELS[1, :, ::2] = 255
LABELS[2] = 255
LABELS[3, 0, 0], LABELS[3, -1, -1] = 0, C - 1


def reference(logits, labels, hard_below=0.0, keep=0.0, ignore=255):
    """Losses `(B,)` and the gradient of their sum, pixel by pixel in float64."""
    losses, gradient = np.zeros(len(logits)), np.zeros(logits.shape)
    for b, (planes, ids) in enumerate(zip(logits, labels)):
        pixels = []
        for y, x in zip(*np.nonzero(ids != ignore)):
            p = np.exp(planes[:, y, x] - planes[:, y, x].max())
            p /= p.sum()
            pixels.append((p[ids[y, x]], y, x, p))
        pixels.sort(key=lambda pixel: pixel[0])
        least = int(np.ceil(len(pixels) * keep))
        if hard_below:
            pixels = [q for i, q in enumerate(pixels) if q[0] < hard_below or i < least]
        for own, y, x, p in pixels:
            losses[b] -= np.log(own) / len(pixels)
            gradient[b, :, y, x] = (p - np.eye(len(p))[ids[y, x]]) / len(pixels)
    return losses, gradient


def computed(loss, labels, *logits):
    """Losses and the gradient of their sum at each of the logits."""
    logits = [mx.nd.array(x, dtype=getattr(x, "dtype", None)).astype("float32") for x in logits]
    for x in logits:
        x.attach_grad()
    with autograd.record():
        losses = loss(logits if len(logits) > 1 else logits[0], mx.nd.array(labels))
    losses.backward()
    return (losses.asnumpy(), *(x.grad.asnumpy() for x in logits))


MINING = {
    "all pixels": {},
    "the hard": {"hard_below": 0.3},
    "the hard, at least half": {"hard_below": 0.01, "keep": 0.5},
    "the hard are more than kept": {"hard_below": 0.7, "keep": 0.1},
    "kept alone": {"hard_below": 1e-9, "keep": 0.25},
    "all are kept": {"hard_below": 0.1, "keep": 1.0},
}


@pytest.mark.parametrize("options", MINING.values(), ids=MINING)
def test_losses_and_gradients_are_those_of_the_definition(options):
    losses, gradient = computed(PixelLoss(**options), LABELS, LOGITS)
    expected, expected_gradient = reference(LOGITS, LABELS, **options)
    assert losses.shape == (B,) and losses.dtype == np.float32
    assert np.allclose(losses, expected, rtol=1e-5)
    assert np.allclose(gradient, expected_gradient, rtol=1e-4, atol=1e-8)


def test_the_gradient_is_the_slope_of_the_loss():
    """By difference quotients, without the formula; no pixel is near the bound of the hard."""
    loss = PixelLoss(hard_below=0.3)
    _, gradient = computed(loss, LABELS, LOGITS)
    for place in RNG.integers(0, SHAPE, (40, 4)):
        step = np.zeros(SHAPE)
        step[tuple(place)] = 1e-2
        up, down = (computed(loss, LABELS, LOGITS + s)[0].sum() for s in (step, -step))
        assert abs((up - down) / 2e-2 - gradient[tuple(place)]) < 2e-4


def test_a_picture_without_a_pixel_that_counts_has_no_loss_and_no_gradient():
    extreme = LOGITS * 1e4
    for options in ({}, *MINING.values()):
        losses, gradient = computed(PixelLoss(**options), np.full((B, H, W), 255), extreme)
        assert (losses == 0).all() and (gradient == 0).all()
    sure = np.zeros(SHAPE)
    sure[:, 5] = 30
    losses, gradient = computed(PixelLoss(hard_below=0.7), np.full((B, H, W), 5), sure)
    assert (losses == 0).all() and (gradient == 0).all()


def test_any_label_can_be_the_ignored_one():
    for ignore in (0, 7, C - 1, -1, 1000):
        labels = np.where(LABELS == 255, ignore, LABELS)
        losses, gradient = computed(PixelLoss(ignore=ignore), labels, LOGITS)
        expected, expected_gradient = reference(LOGITS, labels, ignore=ignore)
        assert np.allclose(losses, expected, rtol=1e-5)
        assert np.allclose(gradient, expected_gradient, rtol=1e-4, atol=1e-8)


def test_ignored_pixels_change_nothing_whatever_their_logits():
    logits = np.where((LABELS == 255)[:, None], 1e4 * RNG.normal(size=SHAPE), LOGITS)
    for options in MINING.values():
        for one, other in zip(
            computed(PixelLoss(**options), LABELS, logits),
            computed(PixelLoss(**options), LABELS, LOGITS),
        ):
            assert np.array_equal(one, other)


def test_a_pictures_loss_and_gradient_do_not_depend_on_the_others_of_its_batch():
    options = MINING["the hard, at least half"]
    together, gradient = computed(PixelLoss(**options), LABELS, LOGITS)
    for b in range(B):
        part = slice(b, b + 1)
        alone, its_gradient = computed(PixelLoss(**options), LABELS[part], LOGITS[part])
        assert np.allclose(alone, together[part], rtol=1e-6)
        assert np.allclose(its_gradient, gradient[part], rtol=1e-6)


def test_the_auxiliary_loss_is_added_without_mining():
    other = RNG.normal(size=SHAPE)
    loss = PixelLoss(hard_below=0.3, auxiliary=0.4)
    losses, gradient, other_gradient = computed(loss, LABELS, LOGITS, other)
    (main, main_gradient), (aux, aux_gradient) = (
        reference(LOGITS, LABELS, hard_below=0.3),
        reference(other, LABELS),
    )
    assert np.allclose(losses, main + 0.4 * aux, rtol=1e-5)
    assert np.allclose(gradient, main_gradient, rtol=1e-4, atol=1e-8)
    assert np.allclose(other_gradient, 0.4 * aux_gradient, rtol=1e-4, atol=1e-8)
    with pytest.raises(InputError, match="auxiliary 0.4 needs a network with an auxiliary"):
        loss(mx.nd.array(LOGITS), mx.nd.array(LABELS))


def test_half_precision_logits_are_summed_in_single():
    losses = PixelLoss()(mx.nd.array(LOGITS, dtype="float16"), mx.nd.array(LABELS))
    assert losses.dtype == np.float32
    assert np.allclose(losses.asnumpy(), reference(LOGITS, LABELS)[0], rtol=1e-3)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"hard_below": 1.5}, "hard_below is a share, from 0 to 1, given 1.5"),
        ({"hard_below": 0.5, "keep": -0.1}, "keep is a share, from 0 to 1, given -0.1"),
        ({"keep": 0.1}, "keep 0.1 needs hard_below above 0, given 0.0"),
        ({"auxiliary": -1}, "auxiliary must not be below 0, given -1"),
    ],
)
def test_what_can_not_be_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        PixelLoss(**options)


def test_accuracy_is_the_share_of_valid_pixels_that_are_right():
    labels = LABELS.copy()
    likeliest = LOGITS.argmax(1)
    labels[1, :, 1] = likeliest[1, :, 1]
    labels[3] = likeliest[3]
    shares = pixel_accuracy(mx.nd.array(LOGITS), mx.nd.array(labels)).asnumpy()
    expected = [
        np.mean(likeliest[b][labels[b] != 255] == labels[b][labels[b] != 255]) if b != 2 else 0
        for b in range(B)
    ]
    assert shares.shape == (B,) and np.allclose(shares, expected)
    assert (shares[2], shares[3]) == (0, 1) and shares[1] > 0.2
    valid = pixel_accuracy(mx.nd.array(LOGITS), mx.nd.array(labels), ignore=-1).asnumpy()
    assert valid[2] == 0 and valid[3] == 1
