import copy
import io
import re
import warnings
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from gluon_glore import InputError, get_spec
from gluon_glore.plan.head import FCNHead
from gluon_glore.plan.parameters import parameter_shapes
from tests.helpers.networks import synthetic
from tests.helpers.odd_networks import ODD
from tests.helpers.places import GOLDEN

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from gluon_glore.pytorch import Network, from_mxnet  # noqa: E402
from gluon_glore.pytorch.network import make_unit  # noqa: E402

TINY = get_spec("tiny_glore_0_1")


def noise(spec, batch=2, size=None):
    return torch.randn(batch, spec.in_channels, *(size or spec.input_size))


def trained(spec, classes=None):
    """A network whose statistics have seen pixels, and those."""
    torch.manual_seed(0)
    net = Network(replace(spec, dropout=0.0), classes)
    x = noise(spec, batch=4)
    for module in net.modules():
        if hasattr(module, "momentum"):
            module.momentum = 1.0
    with torch.no_grad():
        net(x)
    return net.eval(), x


def clip(*shape):
    return torch.from_numpy(np.random.RandomState(7).normal(size=shape).astype("float32"))


def test_the_authors_video_network_gives_its_golden_logits():
    """Their state dict, of their names and shapes, loaded as it is."""
    golden = np.load(GOLDEN / "kinetics_resnet50_3d_w-glore_2-3-golden.npz")
    net = Network(get_spec("resnet50_3d_glore_2_3_kinetics400")).eval()
    statistics = {key[len("aux:") :] for key in golden.files if key.startswith("aux:")}
    own = net.state_dict()
    assert statistics == {name for name in own if "running" in name}
    state = {
        name: torch.from_numpy(
            golden[f"aux:{name}"] if name in statistics else synthetic(name, tuple(own[name].shape))
        )
        for name in own
        if not name.endswith("num_batches_tracked")
    }
    net.load_state_dict(state)
    with torch.inference_mode():
        logits = net(clip(2, 3, 8, 224, 224)).numpy()
    assert np.abs(logits - golden["logits"]).max() < 5e-3 * golden["logits"].std()


def test_the_released_layout_gives_its_golden_imagenet_logits():
    """Arrays by MXNet's names; BatchNorm's eps is that of the released graph."""
    golden = np.load(GOLDEN / "resnet50_w-glore_2-3-golden.npz")
    graph = (GOLDEN / "resnet50_w-glore_2-3-symbol.json").read_text()
    (eps,) = {float(eps) for eps in re.findall(r'"eps": "([^"]*)"', graph)}
    net = Network(replace(get_spec("resnet50_glore_2_3"), eps=eps)).eval()
    arrays = {}
    for name, shape in parameter_shapes(net.spec).items():
        if "running" in name:
            arrays[f"aux:{name}"] = golden[f"aux:{name.replace('running', 'moving')}"]
        else:
            # The released graph convolutions are one-dimensional.
            flat = shape[:3] if "_GCN-" in name and name.endswith("weight") else shape
            arrays[f"arg:{name}"] = synthetic(name, flat).reshape(shape)
    net.load_state_dict(from_mxnet(arrays))
    with torch.inference_mode():
        logits = net(clip(2, 3, 224, 224)).numpy()
    assert np.abs(logits - golden["logits"]).max() < 5e-3 * golden["logits"].std()


@pytest.mark.parametrize(
    "name", ["tiny_glore_0_1", "tiny_nl_0_1", "tiny_3d_glore_0_1", "fcn_small_glore_1_cityscapes"]
)
def test_channels_last_gives_the_same(name):
    spec = get_spec(name)
    net, x = trained(replace(spec, input_size=(64, 64)) if spec.head else spec)
    layout = torch.channels_last_3d if spec.ndim == 3 else torch.channels_last
    with torch.inference_mode():
        expected = net(x)
        y = copy.deepcopy(net).to(memory_format=layout)(x.to(memory_format=layout))
    torch.testing.assert_close(y, expected, rtol=1e-4, atol=1e-4)


def test_a_copy_and_a_saved_state_give_the_same_logits():
    net, x = trained(TINY)
    file = io.BytesIO()
    torch.save(net.state_dict(), file)
    file.seek(0)
    again = Network(TINY).eval()
    again.load_state_dict(torch.load(file, weights_only=True))
    copied = copy.deepcopy(net)
    expected = net(x)
    assert torch.equal(again(x), expected) and torch.equal(copied(x), expected)
    torch.nn.init.zeros_(net.classifier.weight)
    assert torch.equal(copied(x), expected)


@pytest.mark.parametrize("name", ["tiny_glore_0_1", "tiny_nl_0_1", "tiny_3d_glore_0_1"])
def test_it_trains_in_bfloat16_under_autocast(name):
    net, x = trained(get_spec(name))
    net.train()
    with torch.autocast("cpu", torch.bfloat16):
        y = net(x)
        loss = y.float().square().mean()
    loss.backward()
    assert y.dtype == torch.bfloat16 and torch.isfinite(y).all()
    gradients = [p.grad for p in net.parameters()]
    assert all(g is not None and torch.isfinite(g).all() for g in gradients)


def test_an_input_is_not_overwritten():
    for name in ("2-D norms", "2-D dpn", "2-D se_resnet", "no pool"):
        net, x = trained(ODD[name])
        before = x.clone()
        net(x)
        assert torch.equal(x, before), name


def test_without_classes_it_gives_pooled_features():
    net, x = trained(TINY, classes=0)
    assert net.classes == 0
    assert net(x).shape == (4, TINY.feature_channels)
    assert not any(name.startswith("classifier") for name in net.state_dict())


def test_a_new_classifier_is_of_the_classes_and_number_type():
    net, x = trained(TINY)
    net.double().reset_classifier(5)
    assert net.classes == 5 and net(x.double()).shape == (4, 5)
    assert net.classifier.weight.dtype == torch.float64
    net.reset_classifier()
    assert net.classes == TINY.classes
    for classes in (-1, 1.5, "7", True):
        with pytest.raises(InputError, match="classes"):
            net.reset_classifier(classes)


def test_an_auxiliary_head_tells_the_same_classes_apart():
    spec = replace(
        get_spec("fcn_small_cityscapes"),
        head=FCNHead(channels=8, auxiliary=4),
        input_size=(33, 41),
    )
    net, x = trained(spec, classes=3)
    net.reset_classifier(6)
    assert [y.shape for y in net.with_auxiliary(x)] == [(4, 6, 33, 41)] * 2
    assert torch.equal(net.with_auxiliary(x)[0], net(x))
    with pytest.raises(InputError, match="classes must be at least 1, given 0"):
        net.reset_classifier(0)
    with pytest.raises(InputError, match="tiny_glore_0_1 has no auxiliary head"):
        Network(TINY).with_auxiliary(x)


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        (
            "tiny",
            (1, 3, 64, 64),
            r"tiny takes \(batch, 1, 2 spatial axes\), given \(1, 3, 64, 64\)",
        ),
        ("tiny", (1, 1, 64), r"given \(1, 1, 64\)"),
        ("tiny_3d", (1, 1, 7, 64, 64), "takes clips of"),
        ("resnet18", (1, 3, 8, 0), "resnet18"),
    ],
)
def test_inputs_that_the_layers_do_not_take_are_refused(name, shape, message):
    net = Network(get_spec(name))
    with pytest.raises(InputError, match=message):
        net(torch.zeros(shape))


def test_a_unit_of_another_kind_is_refused():
    with pytest.raises(InputError, match="mine: units of kind 'other' are not spelled in PyTorch"):
        make_unit(SimpleNamespace(kind="other", name="mine"), 2)


@pytest.mark.filterwarnings("error:evaluated untrained")
def test_an_untrained_network_warns_once_of_all_its_units():
    spec = get_spec("cifar_resnet14").with_units("glore", res3=(1, 2))
    net, x = Network(spec).eval(), noise(spec)
    told = "statistics of conv3.B01_extra and 1 more units are unset"
    with pytest.warns(UserWarning, match=re.escape(told)):
        net(x)
    net(x)
    trained(spec)[0](x)


def test_the_graph_that_a_compiler_takes_gives_the_same():
    """Dynamo's alone; what its compiler makes of it is timed in the benchmarks."""
    net, x = trained(TINY)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        y = torch.compile(net, backend="eager", fullgraph=True)(x)
    torch.testing.assert_close(y, net(x))
