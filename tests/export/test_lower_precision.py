import dataclasses
import json

import mxnet as mx
import numpy as np
import pytest

from benchmarks.networks import settle
from gluon_glore import InputError, get_model
from gluon_glore.data.clips import Clip
from gluon_glore.data.image import Preprocess, decode_image
from gluon_glore.data.records import RecordDataset
from gluon_glore.export import export_model, runtimes
from gluon_glore.export import lower_precision as lower
from gluon_glore.export.files import Files, read_files
from gluon_glore.export.optimize import optimize
from gluon_glore.export.quantize_onnx import convolutions
from gluon_glore.export.runtimes import BFLOAT16_FLAGS, load_runtime, start_runtime
from gluon_glore.export.samples import in_batches
from gluon_glore.export.traced import trace
from gluon_glore.model_zoo.find_weights import find_weights
from gluon_glore.utils.cpu import processor_flags
from gluon_glore.weights.golden import read_golden, top1_agreement, typical_error
from gluon_glore.weights.manifest import Manifest, read_manifest
from tests.helpers.exports import by_module, integer_units
from tests.helpers.families import small
from train.digit_pairs import write_digits

onnx = pytest.importorskip("onnx")
pytest.importorskip("openvino")
pytest.importorskip("onnxruntime")

NAME = "tiny_glore_0_1"
UNITS = ("stem", "conv2_B01", "conv3_B01", "conv4_B01", "conv4_B01_extra", "conv4_B02", "head")
RUNTIMES = ("openvino", "onnxruntime", "mxnet")
bfloat16 = pytest.mark.skipif(
    not BFLOAT16_FLAGS & processor_flags(), reason="a processor without bfloat16"
)


@pytest.fixture(scope="module")
def shipped():
    """The shipped entry: (network, manifest)."""
    return get_model(NAME, pretrained=True), find_weights(NAME, True).manifest


@pytest.fixture(scope="module")
def make(shipped, digit_pairs, tmp_path_factory):
    """`make(precision, ...)` exports the shipped entry, calibrated with training pictures."""

    def run(precision, **options):
        net, manifest = shipped
        options = {"onnx": True, "calibrate": digit_pairs / "train.rec", **options}
        return export_model(net, tmp_path_factory.mktemp(precision), manifest, precision, **options)

    return run


@pytest.fixture(scope="module")
def int8(make):
    return make("int8")


@pytest.fixture(scope="module")
def validation(shipped, tmp_path_factory):
    """The 2,000 pairs that the entry's accuracy was measured on: (prepared, labels)."""
    directory = tmp_path_factory.mktemp("pairs")
    write_digits(directory, train=1)
    dataset = RecordDataset(directory / "val.rec", 2)
    preprocess = shipped[1].preprocess
    pictures, labels = zip(*(dataset[i] for i in range(len(dataset))))
    return np.stack([preprocess(decode_image(p, 1)) for p in pictures]), np.array(labels)


def lowered(folder):
    return read_manifest(folder).deployment


def integer_operators(folder, name=NAME):
    """The operators of the MXNet symbol that give or take integers."""
    nodes = json.loads((folder / f"{name}-symbol.json").read_text())["nodes"]
    return [node["name"] for node in nodes if node.get("attrs", {}).get("quantized") == "true"]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_int8_loses_at_most_half_a_point_of_accuracy(int8, shipped, validation, runtime):
    x, labels = validation
    expected = in_batches(lambda batch: shipped[0](mx.nd.array(batch)).asnumpy(), x, 100)
    logits = in_batches(load_runtime(int8, runtime), x, 100)
    float32, ours = ((y.argmax(axis=1) == labels).mean() for y in (expected, logits))
    assert float32 == 0.9195
    assert ours > float32 - 0.005
    assert top1_agreement(logits, expected) > 0.98
    assert 1e-4 < typical_error(logits, expected) < 0.1


def test_the_manifest_says_how_well_the_pictures_held_out_did(int8):
    deployment = lowered(int8)
    assert deployment.precision == "int8"
    assert set(deployment.checked) == set(RUNTIMES)
    for figures in deployment.checked.values():
        assert figures["pictures"] == 96  # half of 192
        assert 1e-4 < figures["pictures_error"] < 0.1
        assert figures["pictures_top1_agreement"] > 0.95
        assert abs(figures["accuracy"] - figures["float32_accuracy"]) < 0.05
        assert figures["error"] < deployment.tolerance


def test_the_golden_pair_is_of_pictures_with_float32_logits(int8, shipped):
    x, logits = read_golden(int8)
    assert x.min() == np.float32(-22 * 0.0167)  # the black of every pair
    assert np.abs(shipped[0](mx.nd.array(x)).asnumpy() - logits).max() < 1e-5


def test_the_files_are_what_the_manifest_says(int8, make):
    deployment = lowered(int8)
    assert integer_units(int8) == set(UNITS) - set(deployment.float32["onnx"])
    assert set(deployment.float32["onnx"]) < set(UNITS[1:])  # almost all of it is lowered
    assert len(integer_operators(int8)) > 10
    strict = make("int8", tolerance=0.012)
    kept = lowered(strict).float32
    assert integer_units(strict) == set(UNITS) - set(kept["onnx"])
    assert len(kept["onnx"]) > len(deployment.float32["onnx"])
    assert len(integer_operators(strict)) < len(integer_operators(int8))
    assert not [name for name in integer_operators(strict) if name.startswith(kept["mxnet"])]


def test_block_and_module_give_the_same(int8):
    x, _ = read_golden(int8)
    expected = load_runtime(int8, "mxnet")(x)
    assert np.abs(by_module(int8 / NAME, mx.nd.array(x)) - expected).max() < 1e-5


def test_int8_by_minmax_on_pictures(make, validation, shipped):
    """The graph prepares uint8 pictures itself."""
    folder = make("int8", method="minmax", preprocess=True)
    x, labels = (array[:500] for array in validation)
    preprocess = shipped[1].preprocess
    pictures = np.rint(x / preprocess.scale + preprocess.mean[0]).astype("uint8")
    for runtime in RUNTIMES:
        logits = in_batches(load_runtime(folder, runtime), np.moveaxis(pictures, 1, -1), 100)
        assert (logits.argmax(axis=1) == labels).mean() > 0.9


def test_the_symbol_alone_is_lowered_without_onnx(make):
    folder = make("int8", onnx=False)
    assert not list(folder.glob("*.onnx"))
    assert list(lowered(folder).float32) == ["mxnet"]
    assert len(integer_operators(folder)) > 10


@bfloat16
def test_bf16_keeps_the_files_and_lowers_openvino(make, shipped, validation):
    x, labels = validation
    folder = make("bf16")
    deployment = lowered(folder)
    assert deployment.float32 == {"mxnet": UNITS, "onnx": ()}
    assert list(deployment.checked["openvino"])[0] == "error"
    expected = in_batches(lambda batch: shipped[0](mx.nd.array(batch)).asnumpy(), x, 100)
    logits = in_batches(load_runtime(folder, "openvino"), x, 100)
    assert 1e-4 < typical_error(logits, expected) < 0.05
    assert (logits.argmax(axis=1) == labels).mean() > 0.9195 - 0.005
    for runtime in ("onnxruntime", "mxnet"):
        assert typical_error(in_batches(load_runtime(folder, runtime), x, 100), expected) < 1e-4


@bfloat16
def test_openvino_keeps_the_listed_units_in_float32(make, validation):
    """All of them: as exact as float32. One lowered: its operators alone, not the others."""
    files, x = read_files(make("bf16", calibrate=None)), validation[0][:8]
    exact = start_runtime(files.with_deployment(precision="fp32"), "openvino")(x)
    errors = {}
    for lowered_unit in (None, *UNITS):
        kept = tuple(unit for unit in UNITS if unit != lowered_unit)
        runtime = start_runtime(files.with_deployment(float32={"onnx": kept}), "openvino")
        errors[lowered_unit] = typical_error(runtime(x), exact)
    assert errors.pop(None) < 1e-6
    assert min(errors.values()) > 1e-6
    together = start_runtime(files.with_deployment(float32={"onnx": ()}), "openvino")(x)
    assert max(errors.values()) < 2 * typical_error(together, exact)


@bfloat16
def test_where_nothing_can_be_lowered_it_says_so(make):
    with pytest.raises(InputError, match="no unit can be lowered to bf16 with an error of at most"):
        make("bf16", tolerance=1e-9)


def test_what_can_not_be_lowered_is_refused(make, monkeypatch, capsys):
    for options, message in (
        ({"precision": "int4"}, "unknown precision 'int4', known: fp32, bf16, int8"),
        ({"precision": "int8", "method": "mean"}, "unknown calibration 'mean', known: minmax, ent"),
        (
            {"precision": "int8", "calibrate": None},
            "int8 needs pictures, .* --calibrate LABELLED",
        ),
        ({"precision": "int8", "calibrate": "none.rec"}, "none.rec: no such file"),
    ):
        with pytest.raises(InputError, match=message):
            make(**options)
    monkeypatch.setattr(lower, "processor_flags", lambda: {"avx512_bf16"})
    with pytest.raises(InputError, match="bf16 is for the ONNX file, in OpenVINO: give --onnx"):
        make("bf16", onnx=False)
    lower.refuse_lowering("int8", True, "some.rec")
    assert "no VNNI" in capsys.readouterr().err
    monkeypatch.setattr(lower, "processor_flags", lambda: {"avx512_vnni"})
    with pytest.raises(InputError, match="this processor has no bfloat16 .* or as fp32"):
        make("bf16")
    lower.refuse_lowering("int8", True, "some.rec")
    assert capsys.readouterr().err == ""


def test_int8_on_a_processor_without_vnni_runs_and_says_so(int8, monkeypatch, capsys):
    x, expected = read_golden(int8)
    capsys.readouterr()
    monkeypatch.setattr(runtimes, "processor_flags", lambda: {"avx512_vnni"})
    load_runtime(int8)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(runtimes, "processor_flags", lambda: {"avx2"})
    logits = load_runtime(int8)(x)
    assert "no VNNI" in capsys.readouterr().err
    assert typical_error(logits, expected) < 0.1


NETWORKS = [
    ("resnet18", 2, ("glore", {})),
    ("resnet", 2, ("glore", {"arrangement": "post"})),
    ("resnext", 2, ("glore", {"shared_projection": False})),
    ("se_resnet", 2, ("nonlocal", {"subsample": 2})),
    ("dpn", 2, ("glore", {})),
    ("resnet", 3, ("glore", {"arrangement": "post"})),
    ("se_resnet", 3, ("nonlocal", {"subsample": 2})),
]
IDS = [f"{family}, {ndim}-D" for family, ndim, _ in NETWORKS]


@pytest.mark.parametrize(("family", "ndim", "units"), NETWORKS, ids=IDS)
def test_every_family_has_integer_convolutions(tmp_path, family, ndim, units):
    mx.random.seed(1)
    net = small(family, ndim, 12, units)
    net.initialize()
    size = net.spec.input_size
    x = np.random.RandomState(1).normal(size=(16, 2, *size)).astype("float32")
    settle(net, mx.nd.array(x))
    preprocess = Preprocess(size=size[-2:], resize=0, mean=(0.0, 0.0), scale=1.0)
    names = tuple(map(str, range(net.classes)))
    clip = Clip(size[0], 1) if ndim == 3 else None
    manifest = Manifest("small", names, preprocess, clip=clip)
    export_model(net, tmp_path / "out", manifest, onnx=True)
    files = read_files(tmp_path / "out").with_deployment(precision="int8")
    files = Files(files.folder, dataclasses.replace(files.manifest, sha256={}))
    traced = trace(net, x.shape)
    symbol, arrays = optimize(traced.symbol, traced.arrays(net))
    expected = net(mx.nd.array(x)).asnumpy()
    for way in (lower.Integers, lower.SymbolIntegers):
        way = way(files, files.units, symbol, arrays, x, "minmax")
        count = len(convolutions(onnx.load(str(files.onnx))))
        way.write(())
        assert typical_error(start_runtime(files, way.runtime)(x), expected) < 0.4
        model = onnx.load(str(files.onnx))
        if way.file == "mxnet":
            assert len(integer_operators(tmp_path / "out", "small")) >= count
        else:
            integers = [n for n in model.graph.node if n.op_type == "DequantizeLinear"]
            assert len(integers) >= 2 * count
            assert start_runtime(files, "onnxruntime")(x).shape == expected.shape
        way.write(way.units)
        plain = files.with_deployment(precision="fp32")
        assert typical_error(start_runtime(plain, way.runtime)(x), expected) < 1e-4
