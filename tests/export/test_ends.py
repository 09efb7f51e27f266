"""What an exported graph does with pixels in front of the network and behind its logits."""

from dataclasses import replace

import mxnet as mx
import numpy as np
import pytest
import yaml

from gluon_glore import InputError, describe, export_model, import_model
from gluon_glore.data.clips import Clip
from gluon_glore.data.image import Preprocess
from gluon_glore.export.check import check
from gluon_glore.export.files import read_files
from gluon_glore.export.runtimes import load_runtime, usable
from gluon_glore.inference.classify import load_classifier, softmax
from gluon_glore.inference.recognize import load_recognizer
from gluon_glore.inference.segment import Views, load_segmenter
from gluon_glore.weights.manifest import MANIFEST, read_manifest
from tests.helpers.any_networks import CLASSES, CLIP, PICTURE, classifier, recognizer, segmenter
from tests.helpers.exports import by_module, resign
from tests.helpers.networks import relative_error

PIXELS = Preprocess((16, 16), 0, (120.0, 110.0, 100.0), (0.02, 0.01, 0.03))
NETWORKS = {"classify": (classifier, PICTURE), "segment": (segmenter, PICTURE)}
NETWORKS["recognize"] = (recognizer, CLIP)


def made(task, place, **how):
    """(network, exported folder) of a network that does `task`."""
    make, size = NETWORKS[task]
    net = make()
    stride = {"stride": 1} if task == "recognize" else {}
    manifest = describe(net, PIXELS, CLASSES, name="any", size=size, **stride)
    return net, export_model(net, place / "out", manifest, **how)


def probabilities(net, planes):
    """What the network itself says of uint8 pixels `(B, C, ...)`, with float64 softmax."""
    channels = (1, -1, *(1,) * (planes.ndim - 2))
    x = (planes - np.reshape(PIXELS.mean, channels)) * np.reshape(PIXELS.scales, channels)
    logits = net(mx.nd.array(x)).asnumpy().astype("float64")
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
@pytest.mark.parametrize("task", NETWORKS)
def test_pixels_in_either_order_become_probabilities_in_every_runtime(tmp_path, task, layout):
    net, folder = made(task, tmp_path, onnx=True, preprocess=layout, softmax=True)
    deployment = read_manifest(folder).deployment
    planes = np.random.RandomState(1).randint(0, 256, (3, *NETWORKS[task][1])).astype("uint8")
    given = planes if layout == "NCHW" else np.moveaxis(planes, 1, -1)
    assert deployment.accepts(given) and deployment.takes_pictures
    assert np.array_equal(deployment.laid_out(np.moveaxis(planes, 1, -1)), given)
    assert np.array_equal(deployment.laid_out(np.moveaxis(planes, 1, -1)[0]), given[0])

    expected = probabilities(net, planes)
    assert set(usable(read_files(folder))) >= {"mxnet"}
    for name in usable(read_files(folder)):
        network = load_runtime(folder, name)
        assert np.abs(network.raw(given) - expected).max() < 1e-5
        assert np.abs(network(given) - np.log(expected)).max() < 1e-4
    block, manifest = import_model(folder)
    logits = block(mx.nd.array(given)).asnumpy()
    log_shares = np.log(expected)
    shift = logits - log_shares  # one number for all classes
    assert np.abs(shift - shift.mean(axis=1, keepdims=True)).max() < 1e-4
    assert np.abs(shift).max() > 1e-3 and manifest.deployment.output == "logits"
    assert np.abs(by_module(folder / "any", mx.nd.array(given)) - expected).max() < 1e-5
    golden = np.load(folder / "golden.npz")
    assert sorted(golden) == ["input", "probabilities"]
    assert np.allclose(golden["probabilities"].sum(axis=1), 1, atol=1e-5)
    assert set(check(folder, apart=False)) == set(usable(read_files(folder)))
    readme = (folder / "README.md").read_text()
    assert "- output: probabilities, (batch, 3" in readme and "softmax" not in readme


def test_predict_says_the_same_of_logits_and_of_probabilities(tmp_path):
    """Whatever order the pixels have; the picture is smaller than the window, and is larger."""
    picture = np.random.RandomState(2).randint(0, 256, (24, 30, 3)).astype("uint8")
    video = np.random.RandomState(2).randint(0, 256, (6, 24, 30, 3)).astype("uint8")
    answers = {}
    for softmax_inside, layout in ((False, False), (True, "NHWC"), (True, "NCHW")):
        how = {"softmax": softmax_inside, "preprocess": layout}
        place = tmp_path / str(layout)
        mx.random.seed(0)
        _, folder = made("classify", place / "pictures", **how)
        top = load_classifier(folder).classify(picture, 3)
        _, folder = made("segment", place / "pixels", **how)
        segmenter = load_segmenter(folder)
        assert segmenter.output == ("probabilities" if softmax_inside else "logits")
        shares = segmenter.probabilities(picture, Views(scales=(0.5, 1.0), flip=True))
        _, folder = made("recognize", place / "videos", **how)
        recognizer = load_recognizer(folder)
        assert recognizer.clip == Clip(4, 1)
        seen = recognizer.watch(Frames(video), clips=2, crops=3).probabilities
        answers[layout] = [*(share for _, share in top), *seen, *shares.ravel()]
        assert segmenter.classes(picture).shape == (24, 30)
    for layout in ("NHWC", "NCHW"):
        assert np.abs(np.subtract(answers[layout], answers[False])).max() < 1e-5


class Frames:
    """A video of frames in memory, as `Recognizer.watch` reads one."""

    rate = 10.0

    def __init__(self, frames):
        self._frames = frames

    def __len__(self):
        return len(self._frames)

    def frames(self, places, channels=3):
        """The frames at `places`."""
        return ((place, self._frames[place]) for place in places)


def test_raw_outputs_are_what_the_graph_gives(tmp_path):
    x = np.random.RandomState(3).normal(size=(2, *PICTURE)).astype("float32")
    net, folder = made("classify", tmp_path / "logits")
    predictor = load_classifier(folder)
    assert predictor.output == "logits"
    assert np.array_equal(predictor.raw(x), predictor.network(x))
    assert relative_error(predictor.raw(x), net(mx.nd.array(x)).asnumpy()) < 1e-4
    net, folder = made("classify", tmp_path / "shares", softmax=True)
    predictor = load_classifier(folder)
    assert np.abs(predictor.raw(x) - softmax(net(mx.nd.array(x)).asnumpy())).max() < 1e-5
    assert np.array_equal(predictor.network(x), np.log(predictor.raw(x)))


def test_a_probability_of_zero_has_a_finite_logit(tmp_path):
    net, folder = made("classify", tmp_path, softmax=True)
    x = np.full((1, *PICTURE), 1e4, "float32")
    assert load_runtime(folder).raw(x).min() == 0
    assert -88 < load_runtime(folder)(x).min() < -87
    ((_, share), *_) = load_classifier(folder).best(load_runtime(folder)(x)[0])
    assert share == pytest.approx(probabilities_of(net, x).max(), abs=1e-6)


def probabilities_of(net, x):
    return softmax(net(mx.nd.array(x)).asnumpy())


def test_a_wrong_network_is_told_by_the_golden_pair_though_its_probabilities_are_sure(tmp_path):
    """Probabilities of 1 and 0 hide what the logits are: logarithms are compared."""
    net, folder = made("classify", tmp_path, softmax=True, preprocess=True)
    files = read_files(folder)
    arrays = mx.nd.load(str(files.params))
    bias = next(name for name in arrays if "dense" in name and name.endswith("bias"))
    arrays[bias] = arrays[bias] + mx.nd.array([0, 0, 0.1])
    mx.nd.save(str(files.params), arrays)
    resign(folder)
    with pytest.raises(InputError, match="mxnet gives other outputs than the golden pair"):
        check(folder, apart=False)


def test_a_manifest_that_says_probabilities_of_a_graph_without_softmax_is_not_believed(tmp_path):
    _, folder = made("classify", tmp_path)
    text = (folder / MANIFEST).read_text()
    (folder / MANIFEST).write_text(text.replace("output: logits", "output: probabilities"))
    with pytest.raises(InputError, match="says probabilities, its last operator is no softmax"):
        import_model(folder)


def test_probabilities_are_of_exported_networks_alone(tmp_path):
    _, folder = made("classify", tmp_path)
    fields = yaml.safe_load((folder / MANIFEST).read_text())
    del fields["deployment"]
    (folder / MANIFEST).write_text(yaml.safe_dump({**fields, "output": "probabilities"}))
    with pytest.raises(InputError, match="output: probabilities, only exported networks give"):
        read_manifest(folder)


def test_what_makes_no_sense_is_refused(tmp_path):
    net = classifier(classes=1)
    manifest = describe(net, PIXELS, ["one"], name="any", size=PICTURE)
    with pytest.raises(InputError, match="any has one class, whose probability is 1"):
        export_model(net, tmp_path / "out", manifest, softmax=True)
    with pytest.raises(InputError, match="unknown layout of pixels 'CHWN', known: NHWC, NCHW"):
        export_model(net, tmp_path / "out", manifest, preprocess="CHWN")
    net = classifier(mx.gluon.nn.HybridLambda(lambda F, x: F.exp(F.log_softmax(x))))
    manifest = describe(net, PIXELS, CLASSES, name="any", size=PICTURE)
    with pytest.raises(InputError, match="any gives probabilities, of which softmax would make"):
        export_model(net, tmp_path / "out", manifest, softmax=True)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("output", ["logits", "probabilities"])
def test_the_onnx_files_ends_have_names_of_their_own(tmp_path, output):
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    for task in NETWORKS:
        _, folder = made(task, tmp_path / task, onnx=True, softmax=output == "probabilities")
        graph = onnx.load(read_files(folder).onnx).graph
        assert [value.name for value in (*graph.input, *graph.output)] == ["data", output]


def test_an_older_folder_says_nothing_of_these(tmp_path):
    _, folder = made("classify", tmp_path, preprocess=True)
    deployment = yaml.safe_load((folder / MANIFEST).read_text())["deployment"]
    assert not {"probabilities", "stem"} & set(deployment)
    fields = yaml.safe_load((folder / MANIFEST).read_text())
    del fields["output"]
    (folder / MANIFEST).write_text(yaml.safe_dump(fields))
    assert replace(read_manifest(folder).deployment, checked={}).output == "logits"
    assert check(folder, apart=False)
