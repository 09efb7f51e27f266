import dataclasses

import mxnet as mx
import numpy as np
import pytest
from mxnet import autograd

from benchmarks.networks import settle
from gluon_glore import InputError, Network, as_fcn, get_model, get_spec, transfer_weights
from gluon_glore.layers.fcn_head import WithAuxiliary
from gluon_glore.layers.functional import upsample
from gluon_glore.plan.head import FCNHead
from tests.helpers.networks import initialize, open_gates, relative_error

SMALL = "fcn_small_glore_1_cityscapes"


def noise(*shape):
    return mx.nd.array(np.random.RandomState(0).normal(size=shape))


def made(spec, classes=5):
    net = Network(spec, classes)
    initialize(net)
    open_gates(net)
    settle(net, noise(4, 3, 64, 64))
    return net


def test_the_dilated_network_computes_densely_what_the_strided_one_does_on_a_grid():
    """The same weights: each fourth location has the strided network's features."""
    strided = get_model("resnet50", classes=5)
    initialize(strided)
    x = noise(2, 3, 72, 104)
    settle(strided, x)
    dilated = Network(get_spec("fcn_resnet50_cityscapes"), classes=5)
    initialize(dilated)
    transfer_weights(dilated, strided, allow_missing=True, skip_classifier=True)

    def features(net):
        y = x
        for layer in net.features[: net.first_unit + len(list(net.spec.plan())) + 1]:
            y = layer(y)
        return y.asnumpy()

    sparse, dense = features(strided), features(dilated)
    assert dense.shape == (2, 2048, 9, 13)
    assert relative_error(dense[:, :, ::4, ::4], sparse) < 1e-4  # rounding of random weights


@pytest.mark.parametrize("size", [(64, 64), (65, 97), (43, 70)])
def test_every_pixel_has_logits_whatever_the_size(size):
    net = made(get_spec(SMALL))
    net.hybridize()
    assert net(noise(2, 3, *size)).shape == (2, 5, *size)


def test_too_small_a_picture_is_refused():
    with pytest.raises(InputError, match="at least 8x8"):
        made(get_spec(SMALL))(noise(1, 3, 7, 64))


@pytest.mark.parametrize("size", [(33, 49), (40, 56), (35, 50)])
def test_logits_are_interpolated_between_their_own_pixels(size):
    coarse = [-(-n // 8) for n in size]
    x = np.random.RandomState(0).normal(size=(2, 3, *coarse)).astype("float32")
    expected = np.empty((2, 3, *size), "float32")
    for i in range(size[0]):
        for j in range(size[1]):
            p, q = min(i / 8, coarse[0] - 1), min(j / 8, coarse[1] - 1)
            a, b = int(p), int(q)
            c, d = min(a + 1, coarse[0] - 1), min(b + 1, coarse[1] - 1)
            top = x[:, :, a, b] * (1 - q + b) + x[:, :, a, d] * (q - b)
            bottom = x[:, :, c, b] * (1 - q + b) + x[:, :, c, d] * (q - b)
            expected[:, :, i, j] = top * (1 - p + a) + bottom * (p - a)
    y = upsample(mx.nd, mx.nd.array(x), mx.nd.zeros((2, 1, *size)), (8, 8)).asnumpy()
    assert relative_error(y, expected) < 1e-6


def test_interpolation_is_mxnets_own_where_both_borders_are_locations():
    x, like = noise(2, 3, 5, 7), mx.nd.zeros((2, 1, 33, 49))
    theirs = mx.nd.contrib.BilinearResize2D(x, like, mode="like", align_corners=True)
    assert relative_error(upsample(mx.nd, x, like, (8, 8)).asnumpy(), theirs.asnumpy()) < 1e-6


def test_the_unit_relates_all_pixels():
    """A change in one corner moves the logits of the other, only where there is a unit."""
    for name, far in ((SMALL, True), ("fcn_small_cityscapes", False)):
        net = made(get_spec(name))
        x = noise(1, 3, 64, 1600)
        moved = x.copy()
        moved[:, :, :8, :8] += 1
        difference = (net(moved) - net(x)).abs().asnumpy()[0, :, -1, -1].max()
        assert (difference > 0) == far, name


def with_auxiliary(stage):
    spec = get_spec(SMALL)
    return dataclasses.replace(spec, head=dataclasses.replace(spec.head, auxiliary=stage))


@pytest.mark.parametrize("stage", [2, 4, 5])
def test_the_auxiliary_head_learns_from_its_stage(stage):
    net = made(with_auxiliary(stage))
    both = WithAuxiliary(net)
    assert list(both.collect_params()) == list(net.collect_params())
    both.hybridize(static_alloc=True, static_shape=True)
    x = noise(2, 3, 48, 56)
    main, auxiliary = both(x)
    assert main.shape == auxiliary.shape == (2, 5, 48, 56)
    assert relative_error(main.asnumpy(), net(x).asnumpy()) < 1e-6

    y = x
    for layer in net.features[: net.first_unit + 2 * (stage - 1)]:
        y = layer(y)
    stride = (4, 4) if stage == 2 else (8, 8)
    expected = upsample(mx.nd, net.auxiliary(y), x, stride).asnumpy()
    assert relative_error(auxiliary.asnumpy(), expected) < 1e-6


def test_each_of_the_two_heads_gives_gradients_to_what_it_reads():
    net = made(with_auxiliary(4))
    both = WithAuxiliary(net)
    both.hybridize(static_alloc=True, static_shape=True)
    x = noise(2, 3, 48, 56)
    later = {"conv5", "tail", "head", "classifier"}
    for outputs, silent in (((0,), {"auxiliary"}), ((1,), later), ((0, 1), set())):
        net.collect_params().zero_grad()
        with autograd.record():
            loss = sum((both(x)[i] ** 2).sum() for i in outputs)
        loss.backward()
        dead = {
            param.name.split("_")[0]
            for param in net.collect_params().values()
            if param.grad_req != "null" and not np.abs(param.grad().asnumpy()).max() > 0
        }
        assert dead == silent


def test_a_backbone_is_taken_over_from_a_classifier():
    source = get_model("resnet18", classes=7)
    initialize(source)
    net = Network(as_fcn(get_spec("resnet18"), units=1, channels=16, mid_channels=4), classes=5)
    initialize(net)
    kept = transfer_weights(net, source, allow_missing=True, skip_classifier=True)
    assert {name.split("_")[0] for name in kept} == {"head", "classifier"}
    mine, theirs = net.collect_params(), source.collect_params()
    for name in set(mine) - set(kept):
        assert np.array_equal(mine[name].data().asnumpy(), theirs[name].data().asnumpy())


def test_a_head_without_units_is_no_glore_network():
    assert FCNHead().units == 0
    assert get_spec("fcn_small_cityscapes").placement == "none"
