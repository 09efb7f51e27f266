"""Operators that MXNet's exporter refuses or gets wrong, in both runtimes of ONNX."""

import mxnet as mx
import numpy as np
import pytest

from gluon_glore.export.onnx_converters import CONVERTERS
from gluon_glore.export.onnx_file import write_onnx
from gluon_glore.weights.deployment import Deployment
from tests.helpers.networks import execute
from tests.helpers.onnx_runs import run_onnxruntime, run_openvino

onnx = pytest.importorskip("onnx")
pytest.importorskip("openvino")
pytest.importorskip("onnxruntime")

DATA = mx.sym.var("data")
SAMPLE = (2, 4, 14, 14)
SHAPES = (SAMPLE, (1, 4, 19, 17))
RUNS = (run_onnxruntime, run_openvino)
ANY_SIZE = Deployment((None, 4, None, None))


def resize(**options):
    return mx.sym.contrib.BilinearResize2D(DATA, name="resize0", **options)


def resize_like(**options):
    like = mx.sym.Pooling(DATA, kernel=(3, 3), stride=(2, 2), pool_type="max", name="pool0")
    return mx.sym.contrib.BilinearResize2D(DATA, like, mode="like", name="resize0", **options)


def pool(bins):
    return mx.sym.contrib.AdaptiveAvgPooling2D(DATA, output_size=bins, name="pool0")


def norm(make=mx.sym.BatchNorm, **options):
    return make(DATA, name="norm0", **options)


OPERATORS = {
    "norm, its gamma fixed by default": norm(),
    "norm": norm(fix_gamma=False, eps=1e-5),
    "norm of all workers": norm(mx.sym.contrib.SyncBatchNorm, fix_gamma=False, key="norm0"),
    **{f"bins {bins}": pool(bins) for bins in ((1,), (3,), (6, 6), (3, 5))},
    "to a size": resize(height=20, width=9),
    "to a size, corners not aligned": resize(height=20, width=9, align_corners=False),
    "by a factor": resize(scale_height=1.5, scale_width=2.0),
    "like another": resize_like(),
    "like another, corners not aligned": resize_like(align_corners=False),
}


def arrays_of(symbol, shape=SAMPLE):
    """Random values, positive ones, for all that a symbol reads but its data."""
    rng = np.random.RandomState(1)
    arguments, _, statistics = symbol.infer_shape(data=shape)
    shapes = {
        **{f"arg:{name}": s for name, s in zip(symbol.list_arguments(), arguments)},
        **{f"aux:{name}": s for name, s in zip(symbol.list_auxiliary_states(), statistics)},
    }
    del shapes["arg:data"]
    return {name: mx.nd.array(rng.uniform(0.5, 1.5, s)) for name, s in shapes.items()}


@pytest.mark.parametrize("label", OPERATORS)
def test_an_operator_gives_the_same_at_every_size(tmp_path, label):
    symbol = OPERATORS[label]
    arrays = arrays_of(symbol)
    path = write_onnx(tmp_path / "it.onnx", symbol, arrays, ANY_SIZE, SAMPLE)
    for shape in SHAPES:
        x = np.random.RandomState(0).normal(size=shape).astype("float32")
        expected = execute(symbol, arrays, mx.nd.array(x))
        for run in RUNS:
            assert run(path, x).shape == expected.shape
            assert np.abs(run(path, x) - expected).max() < 1e-5


def test_every_converter_is_tried():
    nodes = [name for symbol in OPERATORS.values() for name in symbol.tojson().split('"')]
    assert set(CONVERTERS) <= set(nodes)


@pytest.mark.parametrize(
    ("symbol", "message"),
    [
        (
            mx.sym.BilinearSampler(DATA, mx.sym.var("grid"), name="localnet_sampler0"),
            r"^no ONNX for BilinearSampler \(operator localnet_sampler0\)$",
        ),
        (
            resize(mode="to_even_up"),
            r"^no ONNX for _contrib_BilinearResize2D \(operator resize0\): mode to_even_up$",
        ),
        (
            mx.sym.Pooling(DATA, kernel=(2, 2), pool_type="sum", name="pool0"),
            r"^no ONNX for Pooling \(operator pool0\): Pooling currently does not support .*sum",
        ),
    ],
)
def test_what_has_no_counterpart_is_named_and_nothing_is_written(tmp_path, symbol, message):
    arrays = {"arg:grid": mx.nd.zeros((2, 2, 14, 14))} if "grid" in symbol.list_inputs() else {}
    with pytest.raises(RuntimeError, match=message):
        write_onnx(tmp_path / "it.onnx", symbol, arrays, Deployment((None, *SAMPLE[1:])), SAMPLE)
    assert not list(tmp_path.iterdir())


def test_a_dense_layer_takes_all_of_an_array_where_its_symbol_does_not_say(tmp_path):
    dense = mx.sym.FullyConnected(DATA, num_hidden=3, no_bias=True)
    arrays = arrays_of(dense)
    path = write_onnx(tmp_path / "it.onnx", dense, arrays, Deployment((None, *SAMPLE[1:])), SAMPLE)
    x = np.random.RandomState(0).normal(size=(5, *SAMPLE[1:])).astype("float32")
    expected = execute(dense, arrays, mx.nd.array(x))
    for run in RUNS:
        assert np.abs(run(path, x) - expected).max() < 1e-4


def axes(path):
    """The axes of an ONNX file's output: sizes, or names."""
    (output,) = onnx.load(str(path)).graph.output
    return [axis.dim_param or axis.dim_value for axis in output.type.tensor_type.shape.dim]


def test_the_file_says_which_axes_of_the_output_vary(tmp_path):
    path = tmp_path / "it.onnx"
    for symbol, expected in (
        (pool((3, 5)), ["n", 4, 3, 5]),
        (mx.sym.Activation(DATA, act_type="relu"), ["n", 4, "h", "w"]),
        (resize(scale_height=2.0, scale_width=1.0), ["n", 4, 0, "w"]),  # of no name: open
        (mx.sym.mean(DATA, axis=(2, 3)), ["n", 4]),
    ):
        write_onnx(path, symbol, {}, ANY_SIZE, SAMPLE)
        assert axes(path) == expected
