import json

import pytest

from gluon_glore import InputError
from gluon_glore.data.clips import Clip
from gluon_glore.data.image import Preprocess
from gluon_glore.data.labelled_pictures import PictureSource
from gluon_glore.data.labelled_scenes import SceneSource
from gluon_glore.data.labelled_videos import VideoSource
from gluon_glore.weights.manifest import Manifest, write_manifest
from gluon_glore.weights.run_folder import validation_set, validation_source

OWN = {"train": "photos", "val": "", "root": "r", "val_share": 0.2}


def run(folder, seed=5, **data):
    """A finished run of 80 training pictures with these keys of `data`."""
    checkpoint = folder / "checkpoints" / "epoch-0001"
    checkpoint.mkdir(parents=True, exist_ok=True)
    order = {"seed": 5, "pictures": 80, "batch_size": 8}
    write_manifest(checkpoint, Manifest("tiny", ("a", "b"), Preprocess(), order=order), [])
    summary = {"config": {"seed": seed, "data": data}}
    (folder / "summary.json").write_text(json.dumps(summary))
    return folder


def test_a_run_was_validated_on_a_folder_several_files_or_a_part_of_its_own(tmp_path):
    assert validation_set(run(tmp_path, train="t", val="photos")) == PictureSource("photos")
    several = run(tmp_path, train="t", val=["a.rec", "b.rec"])
    assert validation_set(several) == PictureSource(("a.rec", "b.rec"))
    own = PictureSource("photos", "r", share=0.2, seed=5, rest=80)
    assert validation_set(run(tmp_path, **OWN)) == own


@pytest.mark.parametrize(
    "change",
    [
        {"val_share": 0},
        {"val_share": 1.5},
        {"val_share": "x"},
        {"train": 3},
        {"seed": -1},
        {"seed": "x"},
        {"val": ["a", 2]},
        {"root": None},
    ],
)
def test_a_damaged_summary_says_nothing(tmp_path, change):
    with pytest.raises(InputError, match="does not say its validation set: give --data FILE.rec"):
        validation_set(run(tmp_path, **{**OWN, **change}))


PIXELS = Manifest("fcn_small_cityscapes", ("a", "b"), Preprocess())
VIDEOS = Manifest("tiny_3d_glore_0_1", ("a", "b"), Preprocess(), clip=Clip())


def test_what_a_run_was_evaluated_on_is_of_what_its_network_labels(tmp_path):
    scenes = {"root": "city", "val": "v", "pictures": "", "ignore": [255], "size": [8, 8]}
    source = SceneSource("city", val="v", ignore=(255,))
    assert validation_source(run(tmp_path, **scenes), PIXELS) == source
    videos = run(tmp_path, val="list.txt", root="films")
    assert validation_source(videos, VIDEOS) == VideoSource("list.txt", "films")
    pictures = run(tmp_path, train="t", val="photos")
    manifest = Manifest("tiny", ("a", "b"), Preprocess())
    assert validation_source(pictures, manifest) == PictureSource("photos")


@pytest.mark.parametrize(
    "manifest, data, kind",
    [
        (PIXELS, {"root": 5}, "SCENES"),
        (PIXELS, {"val": "v"}, "SCENES"),
        (PIXELS, {"root": "r", "ignore": [-1]}, "SCENES"),
        (VIDEOS, {"root": "r"}, "VIDEOS"),
        (VIDEOS, {"val": ["a"]}, "VIDEOS"),
    ],
)
def test_a_damaged_summary_names_what_is_to_be_given(tmp_path, manifest, data, kind):
    message = f"does not say its validation set: give --data {kind}$"
    with pytest.raises(InputError, match=message):
        validation_source(run(tmp_path, **data), manifest)
