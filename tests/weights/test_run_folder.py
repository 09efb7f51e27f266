import json

import pytest

from gluon_glore import InputError
from gluon_glore.data.image import Preprocess
from gluon_glore.data.labelled_pictures import PictureSource
from gluon_glore.weights.manifest import Manifest, write_manifest
from gluon_glore.weights.run_folder import validation_set

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
