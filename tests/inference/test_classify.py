import cv2
import numpy as np
import pytest

from gluon_glore import InputError
from gluon_glore.data.image import Preprocess
from gluon_glore.export import export_model
from gluon_glore.inference.classify import Classifier, load_classifier
from gluon_glore.weights.deployment import Deployment
from gluon_glore.weights.manifest import Manifest, read_manifest
from tests.helpers.exports import TINY, exported

NAMES = ("a", "b", "c")


def constant(*logits):
    """A network that gives everything the same logits."""
    return Classifier(lambda x: np.float32([logits] * len(x)), Manifest("m", NAMES, TINY))


def picture(seed=0):
    return np.random.RandomState(seed).randint(0, 256, (64, 64, 1)).astype("uint8")


def test_best_are_the_likeliest_classes_with_their_probabilities():
    (first, p), (second, q) = constant(1, 3, 2).classify(picture(), top=2)
    assert (first, second) == ("b", "c")
    e = np.exp([1, 3, 2])
    assert (p, q) == pytest.approx((e[1] / e.sum(), e[2] / e.sum()))
    best = constant(0, 1000, -1000).classify(picture(), top=9)  # without overflow
    assert best == [("b", 1.0), ("a", 0.0), ("c", 0.0)]


def test_outputs_that_are_not_finite_are_refused():
    for bad in (np.nan, np.inf):
        with pytest.raises(InputError, match="outputs are not finite"):
            constant(0, bad, 0).classify(picture())


def test_a_batch_gives_what_each_picture_gives_alone(tmp_path):
    exported(tmp_path)
    classifier = load_classifier(tmp_path)
    pictures = [picture(i) for i in range(5)]
    for batch, alone in zip(classifier.classify_all(pictures), map(classifier.classify, pictures)):
        assert [name for name, _ in batch] == [name for name, _ in alone]
        assert [p for _, p in batch] == pytest.approx([p for _, p in alone], abs=1e-5)


def test_a_network_that_normalizes_itself_gets_pixels():
    preprocess = Preprocess(size=(4, 4), resize=4, mean=(0.0,), scale=1.0)
    deployment = Deployment((None, 4, 4, 1), "NHWC", "uint8")
    manifest = Manifest("m", ("dark", "bright"), preprocess, deployment=deployment)

    def network(x):
        assert (x.dtype, x.shape[1:]) == (np.uint8, (4, 4, 1))
        return np.stack([np.zeros(len(x)), x.mean((1, 2, 3)) - 100.0], axis=1)

    classifier = Classifier(network, manifest)
    bright, dark = np.full((8, 8, 1), 255, np.uint8), np.zeros((8, 8, 1), np.uint8)
    best = [rows[0][0] for rows in classifier.classify_all([bright, dark])]
    assert best == ["bright", "dark"]


def test_graphs_with_and_without_preprocessing_say_the_same_of_a_jpeg(tmp_path):
    net = exported(tmp_path / "pixels", "resnet18_glore_0_1", Preprocess((64, 48), 70))
    manifest = read_manifest(tmp_path / "pixels")
    export_model(net, tmp_path / "pictures", manifest, preprocess=True)
    jpeg = tmp_path / "picture.jpg"
    rng = np.random.RandomState(1)
    cv2.imwrite(str(jpeg), cv2.resize(rng.randint(0, 256, (6, 8, 3)).astype("uint8"), (120, 99)))
    pixels, pictures = (load_classifier(tmp_path / name) for name in ("pixels", "pictures"))
    assert pictures.prepare(np.zeros((99, 120, 3), "uint8")).dtype == np.uint8
    expected, got = pixels.predict(jpeg), pictures.predict(jpeg)
    assert [name for name, _ in got] == [name for name, _ in expected]
    assert [p for _, p in got] == pytest.approx([p for _, p in expected], abs=1e-4)


def test_runtimes_that_a_model_has_not_are_refused(tmp_path):
    exported(tmp_path)
    assert load_classifier(tmp_path, runtime="mxnet").runtime == "mxnet"
    with pytest.raises(InputError, match="runs on mxnet or pytorch, not on"):
        load_classifier("tiny_glore_0_1", runtime="onnxruntime")
