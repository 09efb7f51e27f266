"""The PyTorch networks that the benchmarks compare with compute what the Gluon networks do."""

import dataclasses

import mxnet as mx
import numpy as np
import pytest

from benchmarks.networks import settle
from gluon_glore import Network, get_spec
from gluon_glore.utils.errors import InputError
from tests.helpers.networks import relative_error

torch = pytest.importorskip("torch", reason="PyTorch is only a competitor in the benchmarks")

from benchmarks.torch_network import array_names, load_arrays, torch_network  # noqa: E402

SPECS = {
    "pre": get_spec("resnet50_glore_2_3"),
    "post": get_spec("resnet50").with_units(
        "glore", res3=(1, 3), res4=(1, 3, 5), arrangement="post", normalize=True
    ),
    "3x3": get_spec("resnet18_glore_0_1"),
    "pixels": get_spec("fcn_resnet50_glore_2_cityscapes"),
    "non-local": get_spec("resnet50_nl_0_1"),
    "3-D": get_spec("resnet50_3d_kinetics400"),
    "3-D glore": get_spec("resnet50_3d_glore_2_3_kinetics400"),
    "3-D non-local": get_spec("resnet50_3d_nl_2_3_kinetics400"),
}
PIXELS = {2: (4, 3, 128, 124), 3: (2, 3, 8, 112, 108)}  # fewer locations: tiny variances, chaos
LAYOUTS = {2: "channels_last", 3: "channels_last_3d"}


def settled(spec):
    """A Gluon network whose statistics fit a batch, that batch, and its arrays by name."""
    mx.random.seed(1)
    net = Network(spec)
    net.initialize()
    for name, parameter in net.collect_params().items():
        if name.endswith(("fc-2__bn_gamma", "nl-out__bn_gamma")):  # zero: it would not be seen
            parameter.set_data(mx.nd.ones(parameter.shape))
        if name.endswith("nl-theta__conv_weight"):  # else one location has all the attention
            parameter.set_data(parameter.data() / 100)
    x = mx.nd.random.normal(shape=PIXELS[spec.ndim])
    settle(net, x)
    return net, x, {name: p.data().asnumpy() for name, p in net.collect_params().items()}


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_logits_are_those_of_the_gluon_network_in_either_layout(spec):
    net, x, arrays = settled(spec)
    twin = torch_network(spec).eval()
    load_arrays(twin, arrays)
    for layout in ("contiguous_format", LAYOUTS[spec.ndim]):
        memory_format = getattr(torch, layout)
        twin = twin.to(memory_format=memory_format)
        with torch.inference_mode():
            y = twin(torch.from_numpy(x.asnumpy()).to(memory_format=memory_format))
        assert relative_error(y.numpy(), net(x).asnumpy()) < 1e-4, layout


@pytest.mark.parametrize("name", ["post", "3-D glore"])
def test_gradients_are_those_of_the_gluon_network(name):
    spec = dataclasses.replace(SPECS[name], dropout=0)
    net, x, arrays = settled(spec)
    twin = torch_network(spec).train()
    load_arrays(twin, arrays)
    loss = twin(torch.from_numpy(x.asnumpy())).square().sum()
    loss.backward()
    with mx.autograd.record():
        ours = net(x).square().sum()
    ours.backward()
    assert relative_error(loss.item(), ours.asscalar()) < 1e-4
    name = "conv3_B01_extra_conv-state__conv_weight"
    gradient = dict(net.collect_params())[name].grad().asnumpy()
    module = twin.get_submodule("conv3_B01_extra.conv-state._conv")
    theirs = module.weight.grad.numpy().reshape(gradient.shape)
    assert relative_error(theirs, gradient) < 5e-2  # a ReLU may flip
    assert np.abs(gradient).max() > 0


def test_flat_weights_fill_kernels_of_any_axes_and_nothing_else():
    twin = torch_network(SPECS["3-D glore"])
    arrays = {name: tensor.numpy() for name, tensor in array_names(twin).items()}
    with pytest.raises(InputError, match="conv1__conv_weight has shape \\(32, 3, 3, 5, 1\\)"):
        load_arrays(twin, {**arrays, "conv1__conv_weight": np.zeros((32, 3, 3, 5), "float32")})


def test_arrays_of_another_network_are_refused():
    twin = torch_network(SPECS["3x3"], classes=10)
    arrays = {name: tensor.numpy() for name, tensor in array_names(twin).items()}
    load_arrays(twin, arrays)
    with pytest.raises(InputError, match="classifier_bias has shape \\(1000,\\).*\\(10,\\)"):
        load_arrays(twin, {**arrays, "classifier_bias": np.zeros(1000, "float32")})
    with pytest.raises(InputError, match="1 arrays are in one network alone, as 'tail__bn_beta'"):
        arrays.pop("tail__bn_beta")
        load_arrays(twin, arrays)


REFUSED = {
    "dual paths": get_spec("dpn98"),
    "attention": get_spec("se_resnet50"),
    "two layers": get_spec("resnet18").with_units("glore", res4=(1,), graph_layers=2),
    "1-D": dataclasses.replace(get_spec("resnet18"), input_size=(64,)),
}


@pytest.mark.parametrize("spec", REFUSED.values(), ids=REFUSED)
def test_networks_that_are_not_written_here_are_refused(spec):
    with pytest.raises(InputError, match="is not written in PyTorch here"):
        torch_network(spec)
