import mxnet as mx
import numpy as np
import pytest
from mxnet.gluon import nn

from gluon_glore import InputError, describe, export_model, import_model, load_runtime
from gluon_glore.data.clips import Clip
from gluon_glore.data.image import Preprocess
from gluon_glore.data.pixels import Pixels
from gluon_glore.export.check import check
from gluon_glore.weights.manifest import Manifest, read_manifest
from tests.helpers.any_networks import (
    CLASSES,
    Halves,
    TwoOutputs,
    classifier,
    recognizer,
    segmenter,
    with_values,
)
from tests.helpers.networks import relative_error

PIXELS = Preprocess((16, 16), 0, (1.0, 2.0, 3.0), 0.02)


def described(net, class_names=CLASSES, pixels=PIXELS, name="net", **how):
    return describe(net, pixels, class_names, name=name, **how)


def test_shapes_say_what_a_network_does():
    pictures, pixels = described(classifier()), described(segmenter())
    videos = described(recognizer(), size=(3, 4, 16, 16), stride=2, rate=25.0)
    assert (pictures.task, pixels.task, videos.task) == ("classify", "segment", "recognize")
    assert pictures.clip is pixels.clip is None and videos.clip == Clip(4, 2, 25.0)
    assert pictures.deployment.shape == (None, 3, 16, 16)
    assert (videos.deployment.shape, videos.deployment.layout) == ((None, 3, 4, 16, 16), "NCDHW")


def test_a_network_without_values_is_described():
    net = nn.HybridSequential()
    net.add(nn.Conv2D(4, 3), nn.Flatten(), nn.Dense(3))
    assert described(net).task == "classify"
    with pytest.raises(InputError, match="has no values yet"):
        export_model(net, "nowhere", described(net))


def test_pixels_are_told_by_a_set_or_numbers_and_a_size(capsys):
    told = described(classifier(), None, "torchvision", size=(28, 28))
    assert told.preprocess == Pixels("torchvision").fitted(3, (28, 28))
    assert told.preprocess.resize == 32 and told.class_names == ("0", "1", "2")
    assert "net: its classes are called 0 to 2, for want of names\n" in capsys.readouterr().err
    seen_whole = described(segmenter(), CLASSES, "torchvision", size=(16, 16))
    assert seen_whole.preprocess.resize == 0
    grey = Pixels(mean=(0.0,), std=(255.0,), resize=0)
    net = with_values(nn.Dense(3), (1, 16, 16))
    assert described(net, CLASSES, grey, size=(1, 16, 16)).preprocess.mean == (0.0,)
    with pytest.raises(InputError, match=r"size \(16, 16\): give the channels before it"):
        described(net, CLASSES, grey, size=(16, 16))


@pytest.mark.parametrize(
    "net, how, message",
    [
        (classifier, {"class_names": ("a", "b")}, "net: 3 classes, given 2 names"),
        (classifier, {"size": (1, 16, 16)}, "does not take such an input: .*Shape inconsistent"),
        (classifier, {"size": (3, 4, 16, 16)}, "--stride is missing"),
        (classifier, {"size": (3, 16, 16), "stride": 2}, "--stride and --rate are of videos"),
        (classifier, {"size": (16,)}, "size .16,.: channels, height and width"),
        (classifier, {"size": (3, 20, 20)}, r"cropped to \(16, 16\), the network's input is \(20"),
        (classifier, {"pixels": "torchvision"}, "--input is missing"),
        (classifier, {"pixels": "nothing"}, "--pixels nothing: unknown"),
        (lambda: nn.Conv2D(3, 3), {}, r"gives outputs \(2, 3, 14, 14\) for inputs \(2, 3, 16, 16"),
        (lambda: nn.Dense(3, flatten=False), {}, r"gives outputs \(2, 3, 16, 3\)"),
        (lambda: nn.Sequential(), {}, "a HybridBlock has a graph, Sequential has none"),
        (classifier, {"name": "a/b"}, "name: a name of at most 200"),
        (TwoOutputs, {}, "the network has 2 outputs, 0 twooutputs0_dense0_fwd, 1 .*--output"),
        (TwoOutputs, {"output": 2}, "given 2"),
        (TwoOutputs, {"output": "dense"}, "given 'dense'"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_line(net, how, message):
    with pytest.raises(InputError, match=message) as error:
        described(net(), **how)
    assert len(str(error.value).splitlines()) == 1


def test_a_network_that_cannot_be_traced_is_refused():
    class Loops(nn.HybridSequential):
        def hybrid_forward(self, F, x):
            return x[: x.shape[0]]

    with pytest.raises(InputError, match="Loops can't be traced: .*shape"):
        described(Loops())


@pytest.mark.parametrize("output", [0, "twooutputs0_dense1_fwd", "1"])
def test_one_of_several_outputs_is_exported(tmp_path, output):
    net = with_values(TwoOutputs(), (3, 16, 16))
    export_model(net, tmp_path, described(net, output=output))
    x = mx.nd.array(np.random.RandomState(3).normal(size=(2, 3, 16, 16)))
    expected = net(x)[0 if output == 0 else 1].asnumpy()
    assert relative_error(load_runtime(tmp_path, "mxnet")(x.asnumpy()), expected) < 1e-5


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("onnx", [False, True])
def test_an_array_cut_in_parts_and_a_layer_run_twice_stay_right(tmp_path, plain, onnx):
    net = with_values(Halves(), (3, 16, 16))
    net.hybridize()
    export_model(net, tmp_path / "out", described(net), onnx=onnx, plain=plain)
    x = mx.nd.array(np.random.RandomState(3).normal(size=(3, 3, 16, 16)))
    for name in ("mxnet", "onnxruntime", "openvino") if onnx else ("mxnet",):
        logits = load_runtime(tmp_path / "out", name)(x.asnumpy())
        assert relative_error(logits, net(x).asnumpy()) < 1e-5
    if onnx:
        assert set(check(tmp_path / "out", apart=False)) == {"mxnet", "onnxruntime", "openvino"}


def test_files_say_nothing_of_the_process_that_made_them(tmp_path):
    names = []
    for _ in range(2):
        net = classifier()
        export_model(net, tmp_path / net.name, described(net), plain=True)
        block, manifest = import_model(tmp_path / net.name)
        names.append(set(block.collect_params()))
        assert manifest.task == "classify" and manifest.spec is None
    assert names[0] == names[1]
    assert {"conv0_weight", "batchnorm0_running_var", "dense0_bias"} <= names[0]


def test_a_name_of_ours_does_not_make_it_one_of_ours(tmp_path):
    net = classifier()
    manifest = describe(net, PIXELS, CLASSES, name="resnet50")
    folder = export_model(net, tmp_path / "resnet50", manifest, preprocess=True)
    again = read_manifest(folder)
    assert (again.model, again.task, again.spec) == ("resnet50", "classify", None)
    picture = np.random.RandomState(0).randint(0, 256, (1, 16, 16, 3)).astype("uint8")
    expected = net(mx.nd.array(PIXELS(picture[0])[None])).asnumpy()
    assert relative_error(load_runtime(folder, "mxnet")(picture), expected) < 1e-5
    block, found = import_model(folder)
    with pytest.raises(InputError, match="was exported to take uint8 in fp32: export what it was"):
        export_model(block, tmp_path / "again", found)


def test_any_size_is_for_networks_that_take_it(tmp_path):
    for net in (classifier(), segmenter()):
        folder = export_model(net, tmp_path / net.name, described(net), onnx=True, any_size=True)
        x = mx.nd.array(np.random.RandomState(0).normal(size=(2, 3, 21, 18)))
        for name in ("mxnet", "onnxruntime"):
            error = relative_error(load_runtime(folder, name)(x.asnumpy()), net(x).asnumpy())
            assert error < 1e-5
    fixed = with_values(nn.Dense(3), (3, 16, 16))
    with pytest.raises(InputError, match="net takes pictures of 16x16 alone"):
        export_model(fixed, tmp_path / "fixed", described(fixed), any_size=True)
    assert not (tmp_path / "fixed").exists()


def test_any_size_is_tried_at_another_size(tmp_path):
    """Pools that go over the border are not every runtime's: this one is at 16x16 alone."""
    pool = nn.AvgPool2D(3, strides=3, padding=1, ceil_mode=True)
    net = nn.HybridSequential()
    net.add(nn.Conv2D(4, 3, padding=1), pool, nn.GlobalAvgPool2D(), nn.Dense(3))
    with_values(net, (3, 16, 16))
    export_model(net, tmp_path / "one", described(net), onnx=True)
    with pytest.raises(RuntimeError, match=r"not give the network's outputs for \(2, 3, 48, 80\)"):
        export_model(net, tmp_path / "any", described(net), onnx=True, any_size=True)
    assert not (tmp_path / "any").exists()


def test_probabilities_are_not_taken_for_logits(tmp_path):
    """Also where the softmax is not the last operator, and so not found by name."""
    net = classifier(nn.HybridLambda(lambda F, x: F.softmax(x)), nn.Flatten())
    with pytest.raises(InputError, match="net gives probabilities, .* --output"):
        export_model(net, tmp_path / "out", described(net))
    assert not list(tmp_path.iterdir())


def test_a_manifest_of_another_network_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"gluon_glore.describe\(net, ...\) makes its manifest"):
        export_model(classifier(), tmp_path / "out", Manifest("net", CLASSES, PIXELS))
    with pytest.raises(InputError, match="net: 4 classes, given 3 names"):
        export_model(classifier(classes=4), tmp_path / "out", described(classifier()))
    with pytest.raises(InputError, match="segment, not classify"):
        export_model(segmenter(), tmp_path / "out", described(classifier()))
    half = classifier()
    half.cast("float16")
    with pytest.raises(InputError, match="net is a network of float16"):
        export_model(half, tmp_path / "out", described(classifier()))
