import mxnet as mx
import numpy as np
import pytest

from gluon_glore import InputError
from gluon_glore.weights import load_arrays
from gluon_glore.weights.run_folder import checkpoints
from tests.helpers.bfloat16 import needs_bfloat16
from tests.helpers.runs import rows, train
from train.engine.checkpoint import UPDATES
from train.engine.precision import all_finite, check_precision


@pytest.mark.parametrize(
    ("precision", "flags", "gpus", "message"),
    [
        ("bfloat16", {"avx512f"}, 0, "needs a processor with amx_bf16 or avx512_bf16, use float32"),
        ("bfloat16", {"amx_bf16"}, 1, "is for processors, on a GPU use float16"),
        ("float16", {"avx512_fp16"}, 0, "float16 needs a GPU"),
    ],
)
def test_what_the_machine_can_not_train_in_is_refused(precision, flags, gpus, message):
    with pytest.raises(InputError, match=message):
        check_precision(precision, flags, gpus)


@pytest.mark.parametrize(
    ("precision", "flags", "gpus"),
    [
        ("float32", set(), 0),
        ("bfloat16", {"avx512_bf16"}, 0),
        ("bfloat16", {"amx_bf16"}, 0),
        ("float16", set(), 1),
    ],
)
def test_what_the_machine_can_train_in_is_allowed(precision, flags, gpus):
    check_precision(precision, flags, gpus)


@needs_bfloat16
def test_bfloat16_trains_like_float32_and_leaves_float32_weights(tmp_path, settings):
    losses = {}
    for precision in ("float32", "bfloat16"):
        out = tmp_path / precision
        assert train(out, settings, "--set", f"optim.precision={precision}") == 0
        losses[precision] = [row["loss"] for row in rows(out) if row["kind"] == "train"]
        for file in ("weights.params", "momentum.params"):
            arrays = load_arrays(checkpoints(out)[-1] / file)
            arrays.pop(UPDATES, None)  # a count, not a state
            assert {array.dtype.__name__ for array in arrays.values()} == {"float32"}
    assert losses["bfloat16"] != losses["float32"]  # it is another arithmetic
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.05)


@pytest.mark.parametrize("count", [1, 200, 201, 450])
def test_numbers_that_are_not_finite_are_found_in_any_of_many_arrays(count):
    arrays = [mx.nd.ones((3, 5)) for _ in range(count)]
    assert all_finite(arrays)
    for place in {0, count // 2, count - 1}:
        for number in (np.nan, np.inf):
            arrays[place][1, 2] = number
            assert not all_finite(arrays)
        arrays[place][:] = 1
    assert all_finite(arrays)
