from dataclasses import replace

import pytest

from gluon_glore import InputError, get_spec
from tests.helpers.odd_networks import ODD

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from gluon_glore.pytorch import Backbone, Network  # noqa: E402


def noise(spec, batch=2):
    return torch.randn(batch, spec.in_channels, *spec.input_size)


@pytest.mark.parametrize(
    "name", ["2-D extend first", "2-D norms", "3-D dpn", "1-D two masks", "clips"]
)
def test_maps_are_what_the_stages_give(name):
    spec = replace(ODD[name], dropout=0.0)
    net, x = Network(spec).eval(), noise(spec)
    backbone = Backbone(net, ("res3", "res2")).eval()
    second, first = net.stage_outputs(x)  # of two stages
    maps = backbone(x)
    assert torch.equal(maps[0], net.tail_of(first)) and torch.equal(maps[1], second)
    for row, y in zip(backbone.maps, maps):
        sizes = [-(-n // stride) for n, stride in zip(spec.input_size, row.strides)]
        assert y.shape == (2, row.channels, *sizes)
    assert backbone.channels == tuple(y.shape[1] for y in maps)
    logits = net._modules[spec.names[3]](maps[0].flatten(2).mean(2))
    assert torch.equal(net(x), logits)


def test_the_layers_are_the_networks_own_up_to_the_last_map_and_called_as_there():
    spec = get_spec("tiny_glore_0_1")
    net = Network(spec)
    net.preprocess = object()
    backbone = Backbone(net, ("res3",))
    assert backbone.spec is spec and backbone.preprocess is net.preprocess
    own = dict(net.named_parameters())
    names = [name for name, _ in backbone.named_parameters()]
    assert all(own[name] is parameter for name, parameter in backbone.named_parameters())
    assert names == [n for n in own if n.startswith(("conv1.", "conv2.", "conv3."))]
    backbone(noise(spec))[0].sum().backward()
    assert all(own[name].grad is not None for name in names)
    assert net(noise(spec)).shape == (2, spec.classes)  # the network stays whole


@pytest.mark.parametrize("features", ["res4", (), ("res5",), ("res3", "res3")])
def test_names_of_no_stage_are_refused(features):
    with pytest.raises(InputError, match="^features of tiny are .* res2, res3, res4, each once"):
        Backbone(Network(get_spec("tiny")), features)


def test_it_refuses_what_the_network_does_and_warns_as_it():
    backbone = Backbone(Network(get_spec("tiny_glore_0_1")), ("res4",)).eval()
    with pytest.raises(InputError, match=r"takes \(batch, 1, 2 spatial axes\)"):
        backbone(torch.zeros(1, 3, 64, 64))
    with pytest.warns(UserWarning, match="^evaluated untrained: .* of conv4.B01_extra are unset"):
        backbone(torch.zeros(1, 1, 64, 64))
