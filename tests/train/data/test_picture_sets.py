import re

import pytest

from gluon_glore import InputError
from gluon_glore.data.labelled_pictures import PictureFiles
from gluon_glore.data.records import RecordDataset
from tests.helpers.class_folders import write_class_folders
from train.config.pictures import Data
from train.config.sections import Config, Model
from train.data.picture_names import check_names
from train.data.picture_sets import open_sets
from train.pack import pack

NAMES = ("cat", "dog", "eel")


@pytest.fixture
def place(tmp_path):
    """Training and validation pictures in class folders, the latter without dogs, and packed."""
    write_class_folders(tmp_path / "train", size=(4, 4), cat=2, dog=3, eel=5)
    write_class_folders(tmp_path / "val", size=(4, 4), cat=1, eel=2)
    for use in ("train", "val"):
        pack(tmp_path / use, tmp_path / f"{use}", names=NAMES)
    (tmp_path / "unnamed.rec").write_bytes((tmp_path / "train.rec").read_bytes())
    (tmp_path / "unnamed.idx").write_bytes((tmp_path / "train.idx").read_bytes())
    (tmp_path / "names.txt").write_text("eel\ncat\ndog\n")
    return tmp_path


def sets(place, classes=0, seed=0, **data):
    """`open_sets` of a `data` section whose paths are below a place."""
    paths = {key: str(place / name) if name else name for key, name in data.items()}
    return open_sets(Config(Model(classes=classes), Data(**paths), seed=seed))


def labels(pictures):
    return [pictures[i][1] for i in range(len(pictures))]


@pytest.mark.parametrize("train", ["train", "train.rec"])
@pytest.mark.parametrize("val", ["val", "val.rec"])
def test_files_and_records_have_the_same_labels_in_any_pairing(place, train, val):
    config, names, training, validation = sets(place, train=train, val=val)
    assert config.model.classes == 3 and names == NAMES
    kinds = [RecordDataset if name.endswith(".rec") else PictureFiles for name in (train, val)]
    assert [type(training), type(validation)] == kinds
    assert labels(training) == [0, 0, 1, 1, 1, 2, 2, 2, 2, 2]
    assert labels(validation) == [0, 2, 2]
    check_names(config.data, 3, names)


def test_given_names_go_before_the_folders_order(place):
    opened = sets(place, train="train", val="val", class_names="names.txt")
    assert opened.class_names == ("eel", "cat", "dog")
    assert labels(opened.validation) == [1, 0, 0]
    with pytest.raises(InputError, match="data.class_names .*names.txt: 3 names, model.classes"):
        sets(place, 4, train="train", val="val", class_names="names.txt")


@pytest.mark.parametrize(
    ("classes", "data", "message"),
    [
        (
            2,
            {"train": "train"},
            "data.train .*train: 3 classes, model.classes is 2: set .* 3, or",
        ),
        (
            0,
            {"train": "unnamed.rec"},
            "unnamed.rec: no class names beside it, .* set model",
        ),
        (3, {"train": "unnamed.rec"}, "'cat' is not among .*unnamed.rec has no names beside it"),
        (
            2,
            {"train": "train.rec"},
            "train.classes.txt: 2 classes, given 3 names: set",
        ),
        (0, {"train": "val", "val": "train"}, "class 'dog' is not among"),
        (0, {"train": "nowhere"}, "nowhere: "),
    ],
)
def test_sets_whose_classes_do_not_go_together_are_refused(place, classes, data, message):
    with pytest.raises(InputError, match=message) as refused:
        sets(place, classes, **{"val": "val", **data})
    assert "\n" not in str(refused.value)


def test_records_of_other_names_than_the_training_folders_are_refused(place, capsys):
    (place / "val.classes.txt").write_text("dog\ncat\neel\n")
    opened = sets(place, train="train", val="val.rec")
    with pytest.raises(InputError, match="val.classes.txt: .*of data.train .*label 0 is 'dog', "):
        check_names(opened.config.data, 3, opened.class_names)
    beside = place / "train.classes.txt"  # packed from the folder: no names of the folder itself
    beside.write_text("x\ny\nz\n")
    opened = sets(place, train="train", val="val")
    check_names(opened.config.data, 3, opened.class_names)
    assert opened.class_names == NAMES and capsys.readouterr().err.count("taken as") == 0


def test_a_share_of_the_training_folder_is_set_aside_by_the_seed(place):
    def drawn(seed):
        data = Data(str(place / "train"), "", val_share=0.4)
        return open_sets(Config(Model(classes=3), data, seed=seed))

    opened = drawn(1)
    assert labels(opened.training) == [0, 1, 1, 2, 2, 2]
    assert labels(opened.validation) == [0, 1, 2, 2]
    assert {*opened.training.paths}.isdisjoint(opened.validation.paths)
    assert drawn(1).validation.paths == opened.validation.paths
    assert len({drawn(seed).validation.paths for seed in range(8)}) > 1
    packed = Data(str(place / "train.rec"), "", val_share=0.4)
    message = re.escape(f"data.train {place}/train.rec is packed: data.val names a validation set")
    with pytest.raises(InputError, match=message):
        open_sets(Config(Model(classes=3), packed))
