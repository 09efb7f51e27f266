from dataclasses import replace

import numpy as np
import pytest

from gluon_glore import InputError, get_spec
from gluon_glore.plan.parameters import parameter_shapes
from tests.helpers.odd_networks import ODD

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from gluon_glore.pytorch import Network, from_mxnet, to_mxnet  # noqa: E402

SPECS = {**ODD, "3-D": get_spec("tiny_3d_glore_0_1"), "2-D": get_spec("tiny_glore_0_1")}


def drawn(spec):
    """Parameters by MXNet's names, no two numbers alike."""
    rng = np.random.RandomState(0)
    shapes = parameter_shapes(spec)
    return {name: rng.normal(size=shape).astype("float32") for name, shape in shapes.items()}


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_arrays_fill_the_network_and_come_back_to_the_bit(spec):
    arrays = drawn(spec)
    net = Network(spec)
    net.load_state_dict(from_mxnet(arrays))
    for state in (net.state_dict(), from_mxnet(arrays), from_mxnet(arrays, spec.ndim)):
        back = to_mxnet(state)
        assert sorted(back) == sorted(arrays)
        for name, array in arrays.items():
            assert back[name].shape == array.shape and back[name].tobytes() == array.tobytes()


def test_names_may_say_what_kind_an_array_is():
    arrays = drawn(SPECS["2-D"])
    kinds = {n: f"{'aux' if 'running' in n else 'arg'}:{n}" for n in arrays}
    state, expected = from_mxnet({kinds[n]: a for n, a in arrays.items()}), from_mxnet(arrays)
    assert list(state) == list(expected)
    assert all(torch.equal(state[name], expected[name]) for name in state)


def test_both_ways_are_copies():
    arrays = {"classifier_weight": np.ones((2, 3), "float32")}
    state = from_mxnet(arrays)
    back = to_mxnet(state)
    arrays["classifier_weight"][:] = 5
    assert (state["classifier.weight"] == 1).all()
    state["classifier.weight"][:] = 7
    assert (back["classifier_weight"] == 1).all()


def test_the_dimensions_of_parameters_alone_can_be_given():
    """1x1 kernels of a unit by itself do not tell them."""
    arrays = {"conv3_B01_extra_fc-2__conv_weight": np.zeros((4, 2, 1, 1), "float32")}
    for ndim in (1, 2, 3):
        (weight,) = from_mxnet(arrays, ndim).values()
        assert weight.shape == (4, 2, *(1,) * ndim)
    (weight,) = from_mxnet(arrays).values()
    assert weight.dim() == 4


def test_number_types_stay_but_for_bfloat16():
    for dtype in (torch.float64, torch.float16):
        state = {"tail.bn.weight": torch.tensor([1.5], dtype=dtype)}
        (array,) = to_mxnet(state).values()
        (again,) = from_mxnet({"tail__bn_gamma": array}).values()
        assert again.dtype == dtype and torch.equal(again, state["tail.bn.weight"])
    (array,) = to_mxnet({"tail.bn.weight": torch.tensor([1.5], dtype=torch.bfloat16)}).values()
    assert array.dtype == np.float32 and array[0] == 1.5


def test_counters_are_left_out_and_names_of_no_layer_refused():
    assert to_mxnet({"tail.bn.num_batches_tracked": torch.tensor(3)}) == {}
    with pytest.raises(InputError, match="given 'encoder.weight'"):
        to_mxnet({"encoder.weight": torch.zeros(2)})
    with pytest.raises(InputError, match="given 'resnetv20_conv0_weight'"):
        from_mxnet({"arg:resnetv20_conv0_weight": np.zeros(2)})


@pytest.mark.parametrize(
    "value", [None, torch.eye(2).to_sparse(), [1.0]], ids=["none", "sparse", "list"]
)
def test_what_is_no_dense_tensor_is_refused(value):
    with pytest.raises(InputError, match="classifier.weight must be a dense tensor of numbers"):
        to_mxnet({"classifier.weight": value})


def test_a_state_of_other_classes_is_told_by_pytorch():
    state = from_mxnet(drawn(SPECS["2-D"]))
    with pytest.raises(RuntimeError, match="size mismatch for classifier.weight"):
        Network(replace(SPECS["2-D"], classes=3)).load_state_dict(state)
