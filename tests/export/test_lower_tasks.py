"""Networks of pixels and of videos in 8-bit integers, and their scores in every runtime."""

import functools

import mxnet as mx
import numpy as np
import pytest
import yaml

from benchmarks.networks import settle
from gluon_glore import InputError, get_model
from gluon_glore.data.cityscapes import CLASSES, IGNORE
from gluon_glore.data.clips import Clip
from gluon_glore.data.image import Preprocess
from gluon_glore.data.labelled_videos import measure_videos
from gluon_glore.data.scenes import Scenes
from gluon_glore.data.videos import Videos
from gluon_glore.export import export_model
from gluon_glore.export.check import check
from gluon_glore.export.runtimes import BFLOAT16_FLAGS
from gluon_glore.utils.cpu import processor_flags
from gluon_glore.weights.manifest import Manifest, read_manifest
from tests.helpers.exports import integer_units
from tests.helpers.scene_folders import like_voc
from tests.helpers.street_scenes import write_scenes
from train.moving_digits import CLASS_NAMES, write_moving_digits

pytest.importorskip("onnx")
pytest.importorskip("openvino")
pytest.importorskip("onnxruntime")

RUNTIMES = {"openvino", "onnxruntime", "mxnet"}
PIXELS, VIDEOS = "fcn_small_glore_1_cityscapes", "tiny_3d_glore_0_1"
COLOUR = Preprocess(size=(32, 40), resize=0, mean=(124.0, 117.0, 104.0), scale=0.0167)
GREY = Preprocess(size=(32, 32), resize=32, mean=(10.0,), scale=0.024)
CLIP = Clip(8, 2)
LIMIT = 0.4  # of untrained networks, whose classes are as good as one another


def settled(name, classes, *shape):
    """A network of random weights, no unit of which is the identity."""
    mx.random.seed(0)
    net = get_model(name, classes=classes)
    net.initialize(mx.init.Xavier())
    for parameter in net.collect_params(".*gamma").values():
        parameter.set_data(mx.nd.ones(parameter.shape))
    x = mx.nd.random.normal(shape=shape)
    settle(net, x)
    weight = net.output.weight
    weight.set_data(weight.data() * 4 / net(x).abs().max())  # or one class would be sure
    return net


@pytest.fixture(scope="module")
def streets(tmp_path_factory):
    root = tmp_path_factory.mktemp("streets")
    write_scenes(root, "train", 18)
    write_scenes(root, "val", 16, seed=1)
    return root


@pytest.fixture(scope="module")
def pixels():
    return settled(PIXELS, len(CLASSES), 4, 3, *COLOUR.size)


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """36 videos in class folders."""
    pytest.importorskip("av", reason="PyAV is not installed")
    directory = tmp_path_factory.mktemp("moving") / "digits"
    write_moving_digits(directory, train=2, test=36)
    return directory / "val"


@pytest.fixture(scope="module")
def videos():
    return settled(VIDEOS, 2, 8, 1, CLIP.frames, *GREY.size)


@pytest.fixture(scope="module")
def make(pixels, videos, streets, digits, tmp_path_factory):
    """`make(kind, precision, ...)` exports the network of "scenes" or of "clips"."""
    names = tuple(label.name for label in CLASSES)
    kinds = {
        "scenes": (pixels, Manifest(PIXELS, names, COLOUR), streets),
        "clips": (videos, Manifest(VIDEOS, CLASS_NAMES, GREY, clip=CLIP), digits),
    }

    def run(kind, precision="fp32", **options):
        net, manifest, data = kinds[kind]
        if precision != "fp32":
            options = {"calibrate": data, "tolerance": LIMIT, **options}
        return export_model(
            net, tmp_path_factory.mktemp(kind), manifest, precision, onnx=True, **options
        )

    return run


@pytest.fixture(scope="module")
def int8(make):
    """`int8(kind)` is the folder in integers, made once."""
    return functools.lru_cache(maxsize=None)(lambda kind: make(kind, "int8"))


HELD_OUT = [("scenes", "windows", 16, "miou"), ("clips", "clips", 18, "accuracy")]


@pytest.mark.parametrize(("kind", "samples", "count", "score"), HELD_OUT)
def test_what_was_held_out_measures_every_runtime(int8, kind, samples, count, score):
    folder = int8(kind)
    deployment = read_manifest(folder).deployment
    assert len(integer_units(folder)) > 2
    assert set(deployment.checked) == RUNTIMES
    for figures in deployment.checked.values():
        assert figures[samples] == count
        assert 1e-4 < figures[f"{samples}_error"] < LIMIT
        assert figures[f"{samples}_top1_agreement"] > 0.8
        assert abs(figures[score] - figures[f"float32_{score}"]) < 0.1


def whole_scenes(net, root):
    """Mean IoU and the share of the right pixels, by hand, each scene whole."""
    counts = np.zeros((len(CLASSES), len(CLASSES)), int)
    scenes = Scenes(root, "val")
    for picture, label in (scenes[i] for i in range(len(scenes))):
        found = net(mx.nd.array(COLOUR.normalize(picture)[None])).asnumpy()[0].argmax(axis=0)
        seen = label != IGNORE
        np.add.at(counts, (label[seen], found[seen]), 1)
    right, union = counts.diagonal(), counts.sum(axis=0) + counts.sum(axis=1) - counts.diagonal()
    return (right[union > 0] / union[union > 0]).mean(), right.sum() / counts.sum()


def test_check_scores_whole_scenes_in_every_runtime(make, int8, pixels, streets, capsys):
    expected = whole_scenes(pixels, streets)
    folder = make("scenes", any_size=True, preprocess="NCHW")
    figures = check(folder, streets, apart=False)
    assert set(figures) == RUNTIMES
    for row in figures.values():
        assert (row["miou"], row["accuracy"]) == pytest.approx(expected, abs=1e-3)
    assert "on 16 scenes" in capsys.readouterr().out
    for row in check(int8("scenes"), streets, apart=False).values():  # by windows of its size
        assert row["miou"] == pytest.approx(expected[0], abs=0.1)


def test_check_scores_videos_in_every_runtime(make, int8, videos, digits, capsys):
    measured = measure_videos(
        lambda x: videos(mx.nd.array(x)).asnumpy(), Videos(digits, CLASS_NAMES), GREY, CLIP
    )
    assert 0.2 < measured.top1 < 0.8  # of an untrained one
    for row in check(make("clips", preprocess=True), digits, apart=False).values():
        assert row["accuracy"] == measured.top1
    assert "on 36 videos" in capsys.readouterr().out
    for name, row in check(int8("clips"), digits).items():
        assert row["accuracy"] == pytest.approx(measured.top1, abs=0.2), name


@pytest.mark.skipif(not BFLOAT16_FLAGS & processor_flags(), reason="a processor without bfloat16")
@pytest.mark.parametrize(("kind", "samples"), [("scenes", "windows"), ("clips", "clips")])
def test_bf16_lowers_openvino(make, kind, samples):
    deployment = read_manifest(make(kind, "bf16")).deployment
    assert 1e-4 < deployment.checked["openvino"][f"{samples}_error"] < LIMIT
    assert samples not in deployment.checked["mxnet"]


def test_samples_of_another_task_or_of_other_classes_are_refused(make, streets, digits, tmp_path):
    with pytest.raises(InputError, match="no videos in it, expected class folders"):
        check(make("clips"), streets)
    with pytest.raises(InputError, match="val/leftImg8bit: no such folder"):
        make("scenes", "int8", calibrate=digits)
    table = tmp_path / "classes.txt"
    table.write_text("7\tgrass\n8\troad\n")
    stated = tmp_path / "set.yaml"
    keys = {**like_voc(streets, tmp_path / "voc"), "classes": str(table), "ignore": [*range(7)]}
    stated.write_text(yaml.safe_dump({"data": keys}))
    with pytest.raises(InputError, match="it tells 19 classes apart, the set 2"):
        make("scenes", "int8", calibrate=stated)
