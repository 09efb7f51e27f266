import dataclasses

import mxnet as mx
import numpy as np
import pytest
from mxnet.gluon import SymbolBlock, nn

from benchmarks.networks import settle
from gluon_glore import (
    InputError,
    Network,
    Stem,
    get_model,
    get_spec,
    inflate_weights,
    list_models,
    save_weights,
)
from gluon_glore.layers.frames import batch_to_frames
from tests.helpers.networks import initialize, open_gates, relative_error
from tests.helpers.small_video import small

VIDEO = [name for name in list_models() if get_spec(name).ndim == 3]
CLASSIFIER = ["classifier_weight", "classifier_bias"]


def still(spec):
    """The network with every kernel of temporal length 1."""
    stages = (dataclasses.replace(stage, temporal=()) for stage in spec.stages)
    stem = dataclasses.replace(spec.stem, kernel=(1, *spec.stem_conv.kernel[1:]))
    return dataclasses.replace(spec, stages=tuple(stages), stem=stem)


def fresh(spec, classes=None):
    net = Network(spec, classes=classes)
    initialize(net)
    return net


def flat_network(spec, size=None):
    """The flattened network, settled on random frames, and two of them."""
    net = fresh(spec.flattened())
    x = mx.nd.random.normal(shape=(8, spec.in_channels, *(size or spec.input_size[1:])))
    settle(net, x)
    return net, x[:2]


def inflated(spec, source, classes=None):
    net = Network(spec, classes=classes)
    assert inflate_weights(net, source) == []
    return net


def repeated(frames, times):
    """(B, C, H, W) -> (B, C, times, H, W)."""
    return mx.nd.repeat(frames.expand_dims(2), repeats=times, axis=2)


def values(net):
    return {name: param.data().asnumpy() for name, param in net.collect_params().items()}


def test_kernels_are_repeated_along_time_over_their_length_and_all_else_is_copied():
    spec = small()
    flat = fresh(spec.flattened())
    for param in flat.collect_params().values():
        param.set_data(mx.nd.random.normal(shape=param.shape))
    source, ours = values(flat), values(inflated(spec, flat))
    assert source.keys() == ours.keys()
    lengths = {
        "conv1__conv_weight": 3,
        "conv2_B01_conv-m1__conv_weight": 3,
        "conv3_B01_conv-m1__conv_weight": 3,
    }
    for name, value in source.items():
        length = lengths.get(name, 1)
        if name.endswith("conv_weight"):
            assert ours[name].shape == (*value.shape[:2], length, *value.shape[2:])
            for frame in range(length):
                assert np.array_equal(ours[name][:, :, frame], value / np.float32(length)), name
        else:
            assert np.array_equal(ours[name], value), name


@pytest.mark.parametrize("name", VIDEO)
def test_every_video_network_is_filled_by_its_flattened_one(name):
    net, flat = get_model(name), Network(get_spec(name).flattened())
    flat.initialize(mx.init.One())
    for param in flat.collect_params().values():
        param.set_data(mx.nd.ones(param.shape))  # biases and means have initialisers of their own
    assert list(net.collect_params()) == list(flat.collect_params())
    assert inflate_weights(net, flat) == []
    for parameter, value in values(net).items():
        length = value.shape[2] if value.ndim == 5 else 1
        assert (value == np.float32(1) / length).all(), parameter


@pytest.mark.parametrize("name", [name for name in VIDEO if "50" in name])
def test_without_temporal_kernels_a_repeated_frame_has_the_frames_logits(name):
    """Fresh GloRe units are the identity, and non-local ones average over equal frames."""
    spec = still(get_spec(name))
    assert spec.flattened() == get_spec(name).flattened()
    flat, frames = flat_network(spec, size=(64, 64))
    got = inflated(spec, flat)(repeated(frames, 8)).asnumpy()
    assert relative_error(got, flat(frames).asnumpy()) < 1e-4


@pytest.mark.parametrize(
    ("kind", "options"),
    [("nonlocal", {}), ("glore", {"arrangement": "post", "normalize": True})],
)
def test_units_at_work_see_a_repeated_frame_as_the_frame(kind, options):
    spec = still(small(squeeze_excite=4)).with_units(kind, res3=(1,), **options)
    flat, frames = flat_network(spec)
    closed = flat(frames).asnumpy()
    open_gates(flat)
    expected = flat(frames).asnumpy()
    assert relative_error(closed, expected) > 1e-2
    got = inflated(spec, flat)(repeated(frames, 9)).asnumpy()
    assert relative_error(got, expected) < 1e-4


def test_frames_at_the_ends_lack_the_taps_that_see_padding():
    spec = small()
    flat, frames = flat_network(spec)
    net = inflated(spec, flat)
    expected = flat.features[0](frames).asnumpy()
    got = batch_to_frames(mx.nd, net.features[0](repeated(frames, 9)), 9).asnumpy()
    for frame in range(9):
        taps = 2 if frame in (0, 8) else 3
        assert relative_error(got[:, :, frame], expected * taps / 3) < 1e-5


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"stride": (1, 2, 2), "temporal": (1, 2)},
        {"kernel": 3, "temporal": None, "stride": 1, "bottleneck": False},
        {"kernel": 3, "temporal": None},
    ],
    ids=["lite", "all temporal", "cubic", "cubic bottlenecks"],
)
def test_frames_out_of_reach_of_padding_have_the_frames_features(options):
    spec = dataclasses.replace(small(**options), input_size=(25, 32, 32))
    flat, frames = flat_network(spec)
    net = inflated(spec, flat)
    x, y = repeated(frames, 25), frames
    for block, flat_block in zip(net.features[:-2], flat.features[:-2]):
        x, y = block(x), flat_block(y)
    y = y.asnumpy()
    if spec.clip_frames:
        x = batch_to_frames(mx.nd, x, spec.frames_at(3))
    assert relative_error(x[:, :, x.shape[2] // 2].asnumpy(), y) < 1e-4
    assert relative_error(x[:, :, 0].asnumpy(), y) > 1e-2


def test_a_dual_path_network_keeps_its_names():
    spec = small(family="dpn")
    stages = (dataclasses.replace(stage, growth=4, mid_channels=8) for stage in spec.stages)
    spec = dataclasses.replace(spec, stages=tuple(stages))
    flat, _ = flat_network(spec)
    assert inflate_weights(Network(spec), flat) == []


def test_imagenet_weights_fill_all_but_new_units_and_the_other_classifier(tmp_path):
    """The way to a video network, on a small one: from a file, with units and other classes."""
    spec = small()
    save_weights(fresh(spec.flattened(), classes=7), tmp_path / "w.params")
    net = fresh(spec.with_units("glore", res3=(1,), arrangement="post"))
    before = values(net)
    kept = inflate_weights(net, tmp_path / "w.params", allow_missing=True, skip_classifier=True)
    assert kept == [name for name in before if "extra" in name or name in CLASSIFIER]
    plain = values(inflated(spec, tmp_path / "w.params", classes=7))
    for name, value in values(net).items():
        assert np.array_equal(value, before[name] if name in kept else plain[name]), name


def test_a_source_without_classifier_will_do_where_it_is_skipped():
    spec = small()
    flat = fresh(spec.flattened())
    net = fresh(spec)
    assert inflate_weights(net, flat.features, skip_classifier=True) == CLASSIFIER
    with pytest.raises(InputError, match="a HybridSequential: .* classifier_weight is missing in"):
        inflate_weights(net, flat.features)


@pytest.mark.filterwarnings("ignore:Cannot decide type")
def test_an_exported_network_is_a_source():
    spec = small()
    flat, frames = flat_network(spec)
    x = mx.sym.var("data")
    block = SymbolBlock(flat(x), x, params=flat.collect_params())
    ours, expected = values(inflated(spec, block)), values(inflated(spec, flat))
    assert all(np.array_equal(ours[name], value) for name, value in expected.items())


PLAIN = small()
UNITS = PLAIN.with_units("nonlocal", res3=(1,))


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        (
            lambda: fresh(PLAIN.flattened()),
            {},
            "conv3_B01_extra_nl-theta__conv_weight is missing in the",
        ),
        (
            lambda: fresh(UNITS.flattened(), classes=6),
            {},
            r"small_flattened of 2 dimensions: weights of another network, 2 parameters differ: "
            r"classifier_weight is \(5, 32\) in the network, \(6, 32\) in the source",
        ),
        (
            lambda: fresh(UNITS.with_units("glore", res2=(1,)).flattened()),
            {"allow_missing": True},
            "conv2_B01_extra_conv-state__bn_gamma is not in the network",
        ),
        (
            lambda: fresh(dataclasses.replace(UNITS, stem=Stem(8, 3, (1, 2, 2))).flattened()),
            {"allow_missing": True},
            r"conv1__conv_weight is \(8, 2, 3, 5, 5\) in the network, \(8, 2, 3, 3\) in the",
        ),
        (
            lambda: fresh(UNITS),
            {},
            r"small of 3 dimensions: not a 2-D network's weights, conv1__conv_weight is",
        ),
        (lambda: Network(UNITS.flattened()), {}, "conv1__conv_weight has no values to take over"),
        (lambda: "none.params", {}, "none.params: no such parameter file"),
    ],
    ids=["units", "classes", "more units", "kernel", "3-D", "uninitialised", "no file"],
)
def test_weights_that_do_not_fit_are_refused_and_nothing_is_filled(source, options, message):
    net = fresh(UNITS)
    before = values(net)
    with pytest.raises(InputError, match=message):
        inflate_weights(net, source(), **options)
    assert all(np.array_equal(before[name], value) for name, value in values(net).items())


@pytest.mark.parametrize(
    ("spec", "options", "message"),
    [
        (PLAIN, {"skip_classifier": True}, "classifier_weight is to keep its values but has none"),
        (UNITS, {"allow_missing": True}, "conv3_B01_extra_nl-theta__conv_weight is to keep"),
    ],
)
def test_parameters_that_keep_their_values_must_have_some(spec, options, message):
    net = Network(spec)
    with pytest.raises(InputError, match=message):
        inflate_weights(net, fresh(PLAIN.flattened()), **options)
    with pytest.raises(RuntimeError, match="has not been initialized"):
        net.features[0].weight.data()


def test_only_three_dimensional_networks_are_filled():
    flat = fresh(PLAIN.flattened())
    message = "fills a Network of 3 dimensions, given "
    with pytest.raises(InputError, match=f"{message}small_flattened of 2 dimensions"):
        inflate_weights(Network(PLAIN.flattened()), flat)
    with pytest.raises(InputError, match=f"{message}a Dense"):
        inflate_weights(nn.Dense(2), flat)


def test_the_lite_networks_fit_the_video_networks():
    for depth in (50, 101):
        spec = get_spec(f"resnet{depth}_lite")
        assert (spec.input_size, spec.classes, spec.dropout) == ((224, 224), 1000, 0.0)
        assert (spec.stem_conv.kernel, spec.stem_pool.kernel) == ((5, 5), (3, 3))
        assert spec.total_stride == (32, 32)
        video = get_spec(f"resnet{depth}_3d_kinetics400")
        assert list(spec.plan()) == list(video.flattened().plan())
