import subprocess
import sys

import mxnet as mx
import numpy as np
import pytest
from gluoncv import model_zoo
from gluoncv.loss import SSDMultiBoxLoss
from gluoncv.model_zoo.ssd.ssd import get_ssd
from gluoncv.model_zoo.ssd.target import SSDTargetGenerator
from gluoncv.nn.feature import FPNFeatureExpander
from gluoncv.utils import export_block
from mxnet import autograd
from mxnet.gluon import Trainer, nn

import gluon_glore.gluoncv  # noqa: F401
from benchmarks.networks import settle
from gluon_glore import (
    InputError,
    Network,
    get_model,
    get_spec,
    list_models,
    register_model,
    save_weights,
)
from gluon_glore.networks import registry
from tests.helpers.networks import relative_error
from tests.helpers.places import ROOT

RENAMED = {"resnext101_32x4d": "gluon_glore_resnext101_32x4d"}


@pytest.mark.parametrize("name", list_models())
def test_every_network_is_in_gluoncvs_zoo(name):
    key = RENAMED.get(name, name)
    assert key in model_zoo.get_model_list()
    net = model_zoo.get_model(key.upper(), classes=7)
    assert isinstance(net, Network)
    assert net.spec == get_spec(name)
    assert net.output.weight.shape[0] == 7


def test_gluoncvs_own_networks_stay_and_the_package_alone_does_not_load_it():
    script = """
import sys, gluon_glore
assert not {"gluoncv", "mxnet"} & set(sys.modules)
gluon_glore.get_model
assert "gluoncv" not in sys.modules

from gluoncv import model_zoo
zoo = model_zoo.model_zoo._models
before, pretrained = dict(zoo), model_zoo.pretrained_model_list()
import gluon_glore.gluoncv
assert {name: zoo[name] for name in before} == before
assert len(zoo) == len(before) + len(gluon_glore.list_models())
assert model_zoo.pretrained_model_list() == pretrained
print(type(model_zoo.get_model("resnext101_32x4d")).__module__)
"""
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.stdout == "gluoncv.model_zoo.resnext\n", run.stderr


@pytest.fixture
def fresh(monkeypatch):
    """Both tables as copies: what the test registers is gone after it."""
    zoo = model_zoo.model_zoo
    monkeypatch.setattr(registry, "_ROWS", dict(registry._ROWS))
    monkeypatch.setattr(zoo, "_models", dict(zoo._models))
    return zoo._models


def test_networks_registered_later_are_there_and_replace_none(fresh):
    before = dict(fresh)

    def row():
        """A test's."""
        return get_spec("tiny")

    for name in ("Later", "resnet50_v1b", "TINY", "Tiny"):
        row.__name__ = name
        register_model(row)
    assert {name: fresh[name] for name in before} == before
    for key, name in (
        ("later", "Later"),
        ("gluon_glore_resnet50_v1b", "resnet50_v1b"),
        ("gluon_glore_tiny", "TINY"),
        ("gluon_glore_gluon_glore_tiny", "Tiny"),
    ):
        assert model_zoo.get_model(key).spec.name == name
    assert len(fresh) == len(before) + 4


@pytest.mark.parametrize("by", ["path", "root", "root below home"])
def test_weights_load_from_a_path_and_from_root(tmp_path, monkeypatch, by):
    net = get_model("tiny_glore_0_1", classes=2)
    net.initialize()
    path = tmp_path / "weights" / "tiny_glore_0_1-0000.params"
    path.parent.mkdir()
    save_weights(net, path)
    monkeypatch.setenv("HOME", str(tmp_path))
    options = {
        "path": {"pretrained": str(path)},
        "root": {"pretrained": True, "root": str(path.parent)},
        "root below home": {"pretrained": True, "root": "~/weights"},  # as GluonCV's own default
    }[by]
    devices = [mx.cpu(0), mx.cpu(1)]  # GluonCV's scripts give a list
    loaded = model_zoo.get_model("tiny_glore_0_1", classes=2, ctx=devices, **options)
    for name, param in loaded.collect_params().items():
        expected = net.collect_params()[name].data().asnumpy()
        for device in devices:
            assert np.array_equal(param.data(device).asnumpy(), expected)


def test_unknown_options_and_names_are_refused():
    allowed = "classes, pretrained, ctx, root, preprocess, in_channels, features"
    message = f"^tiny takes {allowed}, given deep_stem=True, avg_down=False$"
    with pytest.raises(InputError, match=message):
        model_zoo.get_model("tiny", classes=2, deep_stem=True, avg_down=False)
    with pytest.raises(InputError, match="classes must be at least 1"):
        model_zoo.get_model("tiny", classes=-1)
    with pytest.raises(ValueError, match='"resnet51" is not among') as error:
        model_zoo.get_model("resnet51")
    assert {"resnet50_glore_2_3", "resnet50_v1"} <= set(str(error.value).split())


def test_use_se_is_let_through_where_it_is_true_of_the_network():
    plain, attentive = "resnext101_32x4d_glore_2_3", "se_resnet50_glore_0_3"
    assert model_zoo.get_model(plain, use_se=False).spec.name == plain
    assert model_zoo.get_model(attentive, use_se=True).spec.name == attentive
    for name, given in ((plain, True), (attentive, False)):
        with pytest.raises(InputError, match=f"given use_se={given}"):
            model_zoo.get_model(name, use_se=given)


def ready(name):
    """A network that evaluates to finite numbers."""
    net = model_zoo.get_model(name, classes=5)
    net.initialize()
    settle(net, mx.nd.random.normal(shape=(16, net.spec.in_channels, 64, 64)))
    return net


def load(path):
    return mx.gluon.SymbolBlock.imports(f"{path}-symbol.json", ["data"], f"{path}-0000.params")


@pytest.mark.filterwarnings("ignore:Cannot decide type")
@pytest.mark.parametrize("data_shape", [None, (64, 64, 3)])
def test_export_block_with_its_preprocessing_gives_the_networks_outputs(tmp_path, data_shape):
    net = ready("resnet18_glore_0_1")
    pixels = np.random.RandomState(0).randint(0, 256, (2, 64, 96, 3)).astype("float32")
    normal = (pixels - [123.675, 116.28, 103.53]) / [58.395, 57.12, 57.375]
    x = mx.nd.array(normal.transpose(0, 3, 1, 2))
    expected = net(x).asnumpy()
    assert np.isfinite(expected).all()

    export_block(str(tmp_path / "net"), net, data_shape=data_shape)
    assert relative_error(load(tmp_path / "net")(mx.nd.array(pixels)).asnumpy(), expected) < 1e-4
    assert relative_error(net(x).asnumpy(), expected) < 1e-4  # the network itself is as before
    with pytest.raises(InputError, match="init_mean is not in the network"):
        get_model("resnet18_glore_0_1", classes=5, pretrained=tmp_path / "net-0000.params")


@pytest.mark.filterwarnings("ignore:Cannot decide type")
def test_export_block_of_a_grey_network(tmp_path):
    net = ready("tiny_glore_0_1")
    x = mx.nd.random.normal(shape=(2, 1, 64, 64))
    expected = net(x).asnumpy()
    assert np.isfinite(expected).all()

    path = str(tmp_path / "net")
    export_block(path, net, data_shape=(1, 64, 64), preprocess=None, layout="CHW")
    assert relative_error(load(path)(x).asnumpy(), expected) < 1e-4
    again = get_model("tiny_glore_0_1", classes=5, pretrained=f"{path}-0000.params")
    assert relative_error(again(x).asnumpy(), expected) < 1e-4


def test_export_block_refuses_a_grey_network_where_pictures_are_rgb(tmp_path):
    net = ready("tiny_glore_0_1")
    path = str(tmp_path / "net")
    with pytest.raises(InputError, match=r"takes \(batch, 1, 2 spatial axes\), given \(1, 3, 224"):
        export_block(path, net, preprocess=None, layout="CHW")
    with pytest.raises(RuntimeError, match="Shape inconsistent"):  # after its preprocessing
        export_block(path, net, data_shape=(64, 64, 1))
    assert not list(tmp_path.iterdir())


NEUTRAL = {
    "norm_layer": nn.BatchNorm,
    "norm_kwargs": {},
    "use_global_stats": False,
    "last_gamma": False,
    "pretrained_base": False,
    "dilated": False,
}


def test_options_that_say_what_is_so_anyway_pass():
    assert model_zoo.get_model("tiny", **NEUTRAL).spec.name == "tiny"
    assert model_zoo.get_model("tiny", norm_kwargs=None).spec.name == "tiny"
    assert model_zoo.get_model("fcn_small_cityscapes", dilated=True).spec.head
    others = {
        "norm_layer": nn.LayerNorm,
        "norm_kwargs": {"momentum": 0.5},
        "use_global_stats": True,
        "last_gamma": True,
        "pretrained_base": True,
        "dilated": True,
    }
    for option, value in others.items():
        with pytest.raises(InputError) as caught:
            model_zoo.get_model("tiny", **{option: value})
        told = f"tiny has {option}={NEUTRAL[option]!r}, given {option}={value!r}"
        assert str(caught.value) == told
    with pytest.raises(InputError, match="has dilated=True, given dilated=False"):
        model_zoo.get_model("fcn_small_cityscapes", dilated=False)


DETECTED = "cifar_resnet14_glore_1_0"


@pytest.mark.filterwarnings("ignore:Cannot decide type", "ignore:Parameter .* already initialized")
def test_an_ssd_by_name_starts_from_its_weights_and_trains(tmp_path):
    weights = get_model(DETECTED, classes=7)
    weights.initialize()
    save_weights(weights, tmp_path / "weights.params")
    maps = get_spec(DETECTED).feature_maps
    net = get_ssd(
        DETECTED,
        base_size=64,
        features=[maps[name].output for name in ("res3", "res4")],
        filters=[32],
        sizes=[10, 20, 40, 60],
        ratios=[[1, 2, 0.5]] * 3,
        steps=[4, 8, 16],
        classes=("circle", "square"),
        dataset="none",
        pretrained_base=str(tmp_path / "weights.params"),
        min_depth=16,
        anchor_alloc_size=32,
    )
    backbone = {
        name: net.collect_params()[net.prefix + name]
        for name in weights.collect_params()
        if not name.startswith("classifier")
    }
    for name, param in backbone.items():
        expected = weights.collect_params()[name].data().asnumpy()
        assert np.array_equal(param.data().asnumpy(), expected), name
    net.initialize()
    x = mx.nd.random.normal(shape=(2, 3, 64, 64))
    boxes, classes = (
        mx.nd.array([[[5, 5, 30, 30]], [[20, 20, 50, 50]]]),
        mx.nd.array([[[0]], [[1]]]),
    )
    trainer = Trainer(net.collect_params(), "sgd", {"learning_rate": 0.1})
    with autograd.record():
        scores, offsets, anchors = net(x)
        with autograd.pause():
            targets = SSDTargetGenerator(negative_mining_ratio=-1)(anchors, scores, boxes, classes)
        losses, *_ = SSDMultiBoxLoss()(scores, offsets, *targets[:2])
    autograd.backward(losses)
    for name, param in backbone.items():
        assert param.grad_req == "null" or np.abs(param.grad().asnumpy()).max() > 0, name
    trainer.step(2)
    assert [len(row) for row in net(x)] == [2, 2, 2]
    assert anchors.shape == (1, 4 * (16**2 + 8**2 + 4**2), 4)


@pytest.mark.filterwarnings("ignore:Cannot decide type")
def test_a_feature_pyramid_by_name_trains():
    maps = get_spec(DETECTED).feature_maps
    outputs = [row.output for row in maps.values()]
    net = FPNFeatureExpander(DETECTED, outputs, num_filters=[16] * 3, use_p6=True, no_bias=False)
    net.initialize()
    x = mx.nd.random.normal(shape=(2, 3, 64, 64))
    trainer = Trainer(net.collect_params(), "sgd", {"learning_rate": 0.1})
    with autograd.record():
        pyramid = net(x)
        loss = sum((level**2).mean() for level in pyramid)
    loss.backward()
    assert [level.shape for level in pyramid] == [(2, 16, n, n) for n in (32, 16, 8, 4)]
    for name, param in net.collect_params().items():
        assert param.grad_req == "null" or np.abs(param.grad().asnumpy()).max() > 0, name
    trainer.step(2)
