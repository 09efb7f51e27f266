import numpy as np
import pytest

from gluon_glore.networks.registry import get_spec
from gluon_glore.plan.parameters import parameter_shapes
from gluon_glore.pytorch.names import their_name
from gluon_glore.utils.errors import InputError
from gluon_glore.weights.network_file import from_pytorch, read_arrays
from gluon_glore.weights.params_file import write_params
from gluon_glore.weights.safetensors_file import write_safetensors

SHAPES = parameter_shapes(get_spec("tiny"))
ARRAYS = {name: np.full(shape, n, "float32") for n, (name, shape) in enumerate(SHAPES.items())}


def theirs(before=""):
    return {f"{before}{their_name(name)}": array for name, array in ARRAYS.items()}


@pytest.mark.parametrize("before", ["", "module.", "model.net."])
def test_both_kinds_of_file_give_the_same_arrays(tmp_path, before):
    write_params(tmp_path / "w.params", ARRAYS)
    counters = {f"{before}tail.bn.num_batches_tracked": np.array(3)}
    write_safetensors(tmp_path / "w.safetensors", {**theirs(before), **counters})
    for file in ("w.params", "w.safetensors"):
        found = read_arrays(tmp_path / file)
        assert found.keys() == ARRAYS.keys()
        for name, array in ARRAYS.items():
            np.testing.assert_array_equal(found[name], array)


def test_a_name_of_no_layer_stays_for_whoever_reads_the_file_to_name():
    found = from_pytorch({**theirs(), "fc.weight": np.ones(1)})
    assert set(found) - set(ARRAYS) == {"fc.weight"}


def test_two_arrays_of_one_name_are_refused(tmp_path):
    both = {**theirs(), "tail__bn_gamma": np.ones(1)}
    with pytest.raises(InputError, match="two arrays are called tail__bn_gamma"):
        from_pytorch(both)
    write_safetensors(tmp_path / "w.safetensors", both)
    with pytest.raises(InputError, match="w.safetensors: two arrays are called tail__bn_gamma"):
        read_arrays(tmp_path / "w.safetensors")
