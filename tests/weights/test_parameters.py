import mxnet as mx
import numpy as np
import pytest
from mxnet import autograd
from mxnet.gluon import nn

from gluon_glore import InputError, get_model, load_weights, save_weights
from gluon_glore.weights import load_arrays, named_arrays
from tests.helpers.foreign import INPUT, Foreign, by_place, foreign
from tests.helpers.networks import assert_same, values


def tiny(name="tiny_glore_0_1", classes=2):
    net = get_model(name, classes=classes)
    net.initialize()
    return net


def test_saved_weights_load_into_a_fresh_network_and_with_gluons_own_loader(tmp_path):
    net = tiny()
    net(mx.nd.zeros((1, 1, 64, 64))).wait_to_read()  # oneDNN reorders weights in a forward
    save_weights(net, tmp_path / "w.params")
    fresh = get_model("tiny_glore_0_1", classes=2)
    load_weights(fresh, tmp_path / "w.params")
    assert_same(fresh, net)
    by_gluon = get_model("tiny_glore_0_1", classes=2)
    by_gluon.load_parameters(str(tmp_path / "w.params"))
    assert_same(by_gluon, net)


def test_released_spellings_are_read(tmp_path):
    """mx.sym's `_moving_` statistics, and graph convolutions of shape (N, N, 1)."""
    net = tiny()
    arrays = {}
    for name, value in values(net).items():
        kind = "aux" if "running" in name else "arg"
        shape = value.shape[:3] if "_GCN-" in name and name.endswith("weight") else value.shape
        arrays[f"{kind}:{name.replace('running', 'moving')}"] = mx.nd.array(value.reshape(shape))
    mx.nd.save(str(tmp_path / "released.params"), arrays)
    fresh = get_model("tiny_glore_0_1", classes=2)
    load_weights(fresh, tmp_path / "released.params")
    assert_same(fresh, net)


@pytest.mark.parametrize(
    ("name", "classes", "message"),
    [
        ("tiny", 2, "conv4_B01_extra_conv-state__bn_gamma is not in the network"),
        ("tiny_glore_0_1", 3, r"classifier_weight is \(3, 96\) in the network, \(2, 96\) in the"),
        ("resnet18", 2, "is missing in the file"),
    ],
)
def test_weights_of_another_network_are_refused_and_nothing_is_loaded(
    tmp_path, name, classes, message
):
    save_weights(tiny(), tmp_path / "w.params")
    other = tiny(name, classes)
    before = values(other)
    with pytest.raises(InputError, match=message):
        load_weights(other, tmp_path / "w.params")
    assert all(np.array_equal(before[k], v) for k, v in values(other).items())


def test_files_that_are_no_weights_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such parameter file"):
        load_arrays(tmp_path / "none.params")
    (tmp_path / "text.params").write_text("hello")
    with pytest.raises(InputError, match="not an MXNet parameter file"):
        load_arrays(tmp_path / "text.params")
    save_weights(tiny(), tmp_path / "w.params")
    whole = (tmp_path / "w.params").read_bytes()
    (tmp_path / "short.params").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="damaged parameter file"):
        load_arrays(tmp_path / "short.params")


def test_pretrained_finds_root_or_path_or_says_what_is_missing(tmp_path, monkeypatch):
    net = tiny()
    path = tmp_path / "tiny_glore_0_1-0000.params"
    save_weights(net, path)
    assert_same(get_model("tiny_glore_0_1", 2, pretrained=True, root=tmp_path), net)
    assert_same(get_model("tiny_glore_0_1", 2, pretrained=path, ctx=mx.cpu()), net)
    monkeypatch.setenv("GLORE_HOME", str(tmp_path))
    assert_same(get_model("tiny_glore_0_1", 2, pretrained=True), net)
    with pytest.raises(InputError, match="no weights for tiny: the catalogue has none, and there"):
        get_model("tiny", 2, pretrained=True)


def test_fresh_parameters_are_left_as_they_are(tmp_path):
    save_weights(tiny(), tmp_path / "w.params")
    saved = load_arrays(tmp_path / "w.params")
    net = tiny(classes=3)
    before = values(net)
    load_weights(net, tmp_path / "w.params", fresh=net.output.collect_params())
    for name, value in values(net).items():
        expected = before[name] if name.startswith("classifier") else saved[name].asnumpy()
        assert np.array_equal(value, expected), name


def test_16_bits_are_saved_without_loss(tmp_path):
    """float16 as it is; bfloat16, which no reader of files has, as float32."""
    net = tiny()
    net.cast("float16")
    halves = {name: param.data().asnumpy() for name, param in net.collect_params().items()}
    save_weights(net, tmp_path / "half.params")
    saved = load_arrays(tmp_path / "half.params")
    assert saved["classifier_weight"].dtype == np.float16
    loaded = get_model("tiny_glore_0_1", pretrained=tmp_path / "half.params")
    assert loaded.output.weight.dtype == "float32" or loaded.output.weight.dtype is np.float32
    assert all(np.array_equal(halves[name], value) for name, value in values(loaded).items())
    net.cast(np.dtype([("bfloat16", np.uint16)]))
    save_weights(net, tmp_path / "brain.params")
    saved = load_arrays(tmp_path / "brain.params")
    weight = net.output.weight.data().astype("float32").asnumpy()
    assert saved["classifier_weight"].dtype == np.float32
    assert np.array_equal(saved["classifier_weight"].asnumpy(), weight) and weight.any()


def test_what_has_no_values_is_not_saved(tmp_path):
    with pytest.raises(InputError, match="conv1__conv_weight has no values yet: initialize"):
        save_weights(get_model("tiny"), tmp_path / "w.params")
    layer = mx.gluon.nn.Dense(5)
    layer.initialize()  # its shape waits for an input
    with pytest.raises(InputError, match="run it once where a layer was not told its input"):
        save_weights(layer, tmp_path / "w.params")
    assert not (tmp_path / "w.params").exists()


def assert_same_places(net, other):
    ours, theirs = by_place(net), by_place(other)
    assert ours.keys() == theirs.keys()
    for place, value in ours.items():
        assert np.array_equal(value, theirs[place]), place


def save_export(net, path):
    mx.nd.save(str(path), named_arrays(net))


@pytest.mark.parametrize("initialized", [False, True])
@pytest.mark.parametrize("unit", [False, True])
@pytest.mark.parametrize(
    "save", [save_weights, nn.Block.save_parameters, save_export], ids=["ours", "Gluon's", "export"]
)
def test_a_file_of_any_block_loads_into_another_instance_before_it_has_shapes(
    tmp_path, save, unit, initialized
):
    source, net = foreign(unit=unit), Foreign(unit=unit)
    if initialized:
        net.initialize()
    save(source, str(tmp_path / "w.params"))
    load_weights(net, tmp_path / "w.params")
    assert_same_places(net, source)
    x = mx.nd.random.normal(shape=INPUT)
    assert np.array_equal(net(x).asnumpy(), source(x).asnumpy())


def test_blocks_whose_names_count_on_load_each_others_file_and_gluon_does(tmp_path):
    source = foreign(scoped=False)
    save_weights(source, tmp_path / "w.params")
    load_weights(net := Foreign(scoped=False), tmp_path / "w.params")
    by_gluon = Foreign(scoped=False)
    by_gluon.load_parameters(str(tmp_path / "w.params"))
    for other in (net, by_gluon):
        assert_same_places(other, source)
    save_export(source, tmp_path / "names.params")
    with pytest.raises(InputError, match="weights of another network"):
        load_weights(Foreign(scoped=False), tmp_path / "names.params")


def test_known_sizes_of_a_deferred_shape_must_be_the_files_and_nothing_is_loaded(tmp_path):
    save_weights(foreign(), tmp_path / "w.params")
    net = Foreign(width=5)
    with pytest.raises(InputError, match=r"conv0_weight is \(5, 0, 3, 3\) in the network, \(8, 3"):
        load_weights(net, tmp_path / "w.params")
    assert net.conv1.weight.shape == (5, 0, 3, 3) and net.norm.gamma.shape == (0,)
    with pytest.raises(RuntimeError, match="has not been initialized"):
        net.norm.gamma.data()


def test_a_fresh_name_that_is_no_parameters_is_refused(tmp_path):
    save_weights(foreign(), tmp_path / "w.params")
    with pytest.raises(InputError, match="no parameter is called 'fc.weight', which is to keep"):
        load_weights(Foreign(), tmp_path / "w.params", fresh=["fc.weight"])


@pytest.mark.parametrize("hybridize", [{}, {"active": True, "static_alloc": True}])
def test_a_video_network_that_has_run_takes_weights_and_learns_on(tmp_path, hybridize):
    """MXNet's CPU build can't write into the weights of a Conv3D after an inference."""

    def make():
        net = nn.HybridSequential()
        net.add(nn.Conv3D(32, 3, in_channels=16), nn.Dense(2))
        net.initialize(mx.init.Normal(0.1))
        if hybridize:
            net.hybridize(**hybridize)
        return net

    source, net = make(), make()
    x = mx.nd.random.normal(shape=(2, 16, 4, 6, 6))
    expected, before = source(x).asnumpy(), net(x).asnumpy()
    trainer = mx.gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.1})
    save_weights(source, tmp_path / "w.params")
    load_weights(net, tmp_path / "w.params")
    assert np.array_equal(net(x).asnumpy(), expected)
    assert not np.allclose(before, expected)
    loaded = by_place(net)
    with autograd.record():
        loss = net(x).sum()
    loss.backward()
    gradient = net[0].weight.grad().asnumpy()
    trainer.step(1)
    moved = loaded["0.weight"] - 0.1 * gradient
    assert np.abs(gradient).max() > 0
    assert np.allclose(by_place(net)["0.weight"], moved, atol=1e-6)


def test_a_layer_that_stands_twice_is_saved_once_and_loaded(tmp_path):
    def make():
        net = nn.HybridSequential()
        layer = nn.Dense(3)
        net.add(layer, layer)
        return net

    source, net = make(), make()
    source.initialize()
    source(mx.nd.ones((1, 3)))
    save_weights(source, tmp_path / "w.params")
    assert set(load_arrays(tmp_path / "w.params")) == {"0.weight", "0.bias"}
    load_weights(net, tmp_path / "w.params")
    assert_same_places(net, source)
    source.save_parameters(str(tmp_path / "twice.params"))
    assert len(load_arrays(tmp_path / "twice.params")) == 4
    load_weights(again := make(), tmp_path / "twice.params")
    assert_same_places(again, source)


def test_a_parameter_without_a_place_is_not_lost(tmp_path):
    class Scaled(mx.gluon.HybridBlock):
        def __init__(self):
            super().__init__()
            self.params.get("scale", shape=(1,))  # no attribute: save_parameters leaves it out

    net = Scaled()
    net.initialize()
    with pytest.raises(InputError, match="_scale is no attribute of its block"):
        save_weights(net, tmp_path / "w.params")


def test_a_file_of_safetensors_is_not_written_by_mxnet(tmp_path):
    with pytest.raises(InputError, match="w.safetensors: a network of Gluon's is saved as .params"):
        save_weights(get_model("tiny"), tmp_path / "w.safetensors")
    assert not list(tmp_path.iterdir())
