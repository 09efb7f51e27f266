"""Lower precision of a network that is none of this project's, with a GloRe unit in it."""

import mxnet as mx
import numpy as np
import pytest
from mxnet.gluon import nn

from benchmarks.networks import settle
from gluon_glore import GloRe
from gluon_glore.data.image import Preprocess
from gluon_glore.export import export_model
from gluon_glore.export.describe import describe
from gluon_glore.export.files import read_files
from gluon_glore.export.runtimes import BFLOAT16_FLAGS, load_runtime, start_runtime
from gluon_glore.export.samples import in_batches
from gluon_glore.utils.cpu import processor_flags
from gluon_glore.weights.golden import log_softmax, read_golden, typical_error
from tests.helpers.class_folders import write_class_folders
from tests.helpers.exports import integer_units

pytest.importorskip("onnx")
pytest.importorskip("openvino")
pytest.importorskip("onnxruntime")

UNITS = ("small_conv0", "small_conv1", "small_middle_glore", "small_dense0")
PIXELS = Preprocess(size=(16, 16), resize=0, mean=(128.0,), scale=1 / 64)
SPIKE = 2000.0  # between the first two convolutions, one channel is that much larger


@pytest.fixture(scope="module")
def net():
    """Three layers and a unit; integers can't represent what the second convolution reads."""
    mx.random.seed(0)
    net = nn.HybridSequential(prefix="small_")
    with net.name_scope():
        unit = GloRe(12, 4, arrangement="post", zero_gamma=False, prefix="middle_glore_")
        net.add(nn.Conv2D(8, 3, in_channels=1), nn.BatchNorm(), nn.Activation("relu"))
        net.add(nn.Conv2D(12, 3, in_channels=8), nn.Activation("relu"), unit)
        net.add(nn.GlobalAvgPool2D(), nn.Dense(2))
    net.initialize(mx.init.Normal(0.3))
    settle(net, mx.nd.random.normal(shape=(16, 1, 16, 16)))
    first, second = net[1].gamma, net[3].weight
    first.set_data(first.data() * mx.nd.array([SPIKE] + [1] * 7))
    second.set_data(second.data() / mx.nd.array([SPIKE] + [1] * 7).reshape((1, 8, 1, 1)))
    return net


@pytest.fixture(scope="module")
def make(net, tmp_path_factory):
    """`make(precision, ...)` exports it."""
    pictures = write_class_folders(tmp_path_factory.mktemp("pictures"), (16, 16), no=24, yes=24)

    def run(precision, **options):
        manifest = describe(net, PIXELS, ("no", "yes"), name="small", size=(16, 16))
        if precision == "int8":
            options["calibrate"] = pictures
        folder = tmp_path_factory.mktemp(precision)
        return export_model(net, folder, manifest, precision, onnx=True, **options)

    return run


@pytest.fixture(scope="module")
def int8(make):
    return make("int8", tolerance=0.25)


def test_the_manifest_has_the_units_and_those_that_stay(int8):
    deployment = read_files(int8).manifest.deployment
    assert deployment.units == UNITS
    assert deployment.float32["onnx"] == ("small_conv1", "small_dense0")  # dense ones always stay
    assert deployment.float32["mxnet"] == UNITS[:3]  # MXNet rounds what the first one gives, too
    assert integer_units(int8) == {"small_conv0", "small_middle_glore"}


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime", "mxnet"])
def test_every_runtime_gives_nearly_the_same(int8, net, runtime):
    x = np.random.RandomState(0).uniform(-2, 2, (40, 1, 16, 16)).astype("float32")
    expected = net(mx.nd.array(x)).asnumpy()
    assert 1e-4 < typical_error(in_batches(load_runtime(int8, runtime), x), expected) < 0.3


def test_a_softmax_and_planes_of_pixels_stand_around_the_integers(make, net):
    """The units are chosen by the logits: a softmax would hide an error where a class is sure."""
    folder = make("int8", tolerance=0.25, softmax=True, preprocess="NCHW")
    deployment = read_files(folder).manifest.deployment
    assert integer_units(folder) and deployment.float32["mxnet"] != UNITS
    x = np.random.RandomState(0).randint(0, 256, (40, 1, 16, 16)).astype("uint8")
    expected = log_softmax(net(mx.nd.array((x - 128.0) / 64)).asnumpy())
    for name in ("openvino", "onnxruntime", "mxnet"):
        assert 1e-4 < typical_error(in_batches(load_runtime(folder, name), x), expected) < 0.3
        assert np.allclose(load_runtime(folder, name).raw(x[:8]).sum(axis=1), 1, atol=1e-5)
        assert deployment.checked[name]["pictures_error"] < 0.3


def test_a_model_of_tritons_computes_with_integers_too(make):
    folder = make("int8", tolerance=0.25, layout="triton")
    assert integer_units(folder) == {"small_conv0", "small_middle_glore"}
    assert 'default_model_filename: "small.onnx"' in (folder.parent / "config.pbtxt").read_text()


@pytest.mark.skipif(not BFLOAT16_FLAGS & processor_flags(), reason="a processor without bfloat16")
def test_openvino_keeps_the_listed_units_in_float32(make):
    files = read_files(make("bf16"))
    assert files.manifest.deployment.units == UNITS
    x, expected = read_golden(files.folder)
    errors = {}
    for kept in ((), *((unit,) for unit in UNITS), UNITS):
        runtime = start_runtime(files.with_deployment(float32={"onnx": kept}), "openvino")
        errors[kept] = typical_error(runtime(x), expected)
    assert errors.pop(UNITS) < 1e-6 < 1e-4 < errors[()]
    assert len(set(errors.values())) > len(UNITS)  # each is other operators


def test_what_mxnet_can_not_run_in_integers_stays_in_float32(tmp_path):
    """Its pool of integers wants a kernel, which a pool over everything need not have."""
    mx.random.seed(0)
    net = nn.HybridSequential(prefix="small_")
    with net.name_scope():
        pool = nn.HybridLambda(lambda F, x: F.Pooling(x, global_pool=True, pool_type="avg"))
        net.add(nn.Conv2D(8, 3, in_channels=1), nn.Conv2D(8, 3, in_channels=8), pool)
        net.add(nn.Dense(2, in_units=8))
    net.initialize(mx.init.Normal(0.3))
    pictures = write_class_folders(tmp_path / "pictures", (16, 16), no=24, yes=24)
    manifest = describe(net, PIXELS, ("no", "yes"), name="small", size=(16, 16))
    folder = export_model(net, tmp_path / "out", manifest, "int8", calibrate=pictures)
    assert read_files(folder).manifest.deployment.float32 == {"mxnet": ("small_dense0",)}
    x, expected = read_golden(folder)
    assert 1e-4 < typical_error(load_runtime(folder, "mxnet")(x), expected) < 0.1
