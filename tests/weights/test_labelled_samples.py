import numpy as np
import pytest

from gluon_glore import InputError
from gluon_glore.data.cityscapes import CLASS_NAMES
from gluon_glore.data.clips import Clip
from gluon_glore.data.image import Preprocess
from gluon_glore.weights.labelled_samples import (
    PictureSamples,
    SceneSamples,
    VideoSamples,
    open_samples,
)
from gluon_glore.weights.manifest import Manifest
from tests.helpers.class_folders import write_class_folders
from tests.helpers.scenes import write_scenes
from tests.helpers.videos import moving, write_video

GREY, RGB = Preprocess((64, 64), 0, (22.0,), 0.0167), Preprocess((16, 16), 0, (1.0, 2.0, 3.0), 0.1)
NAMES = ("different", "same")


def pictures(folder):
    write_class_folders(folder / "photos", different=5, same=7)
    return Manifest("tiny", NAMES, GREY), folder / "photos"


def scenes(folder):
    write_scenes(folder / "city", "val", {"bonn": 3})
    return Manifest("fcn_small_cityscapes", CLASS_NAMES, RGB), folder / "city"


def videos(folder):
    for name in NAMES:
        (folder / "films" / name).mkdir(parents=True)
        write_video(folder / "films" / name / "1.mp4", moving(12))
    return Manifest("tiny_3d_glore_0_1", NAMES, GREY, clip=Clip(8, 1)), folder / "films"


def first_class(shape):
    """A network that names class 0, and keeps the shapes that it saw."""
    seen = []

    def network(x):
        seen.append(x.shape)
        logits = np.zeros((len(x), shape, *(x.shape[2:] if shape == len(CLASS_NAMES) else ())))
        logits[:, 0] = 1
        return logits.astype("float32")

    return network, seen


@pytest.mark.parametrize(
    "make, kind, count, inputs, measured",
    [
        (
            pictures,
            PictureSamples,
            12,
            [(5, 1, 64, 64), (5, 1, 64, 64), (2, 1, 64, 64)],
            {"top1": 5 / 12, "size": [64, 64], "resize": 0},
        ),
        (scenes, SceneSamples, 3, [(1, 3, 30, 40)] * 3, {}),
        (
            videos,
            VideoSamples,
            2,
            [(5, 1, 8, 64, 64)] * 4,
            {"top1": 0.5, "clips": 10, "crops": 1, "size": [64, 64], "resize": 64},
        ),
    ],
)
def test_samples_are_what_the_network_labels(tmp_path, make, kind, count, inputs, measured):
    manifest, source = make(tmp_path)
    if make is videos:
        manifest = Manifest(
            manifest.model, NAMES, Preprocess((64, 64), 64, (22.0,), 0.1), clip=Clip(8, 1)
        )
    samples = open_samples(manifest, source)
    assert type(samples) is kind and len(samples) == count
    assert samples.contents().startswith(f"{count} ")
    network, seen = first_class(len(manifest.class_names))
    found = samples.measure(network, batch=5)
    assert seen == inputs
    expected = {"samples": count, "bad_records": 0, **measured}
    assert {key: found[key] for key in expected} == expected
    assert found["data"].startswith(f"{tmp_path.name if make is not scenes else 'city'}/")
    if make is scenes:
        assert 0 < found["miou"] < found["accuracy"] < 1


def test_other_samples_than_the_network_takes_are_refused(tmp_path):
    manifest, source = pictures(tmp_path)
    for given, data, message in (
        (Manifest("m", ("a", "b"), GREY, task="classify"), source, "different"),
        (scenes(tmp_path)[0], source, "photos/leftImg8bit: no such folder, expected "),
        (manifest, tmp_path / "city", "class 'gtFine' is not among the 2 names given"),
        (scenes(tmp_path)[0], ("a", "b"), "^a, b: one source of scenes is taken$"),
    ):
        with pytest.raises(InputError, match=message) as caught:
            open_samples(given, data)
        assert len(str(caught.value).splitlines()) == 1
