import pytest

from gluon_glore import InputError
from train.config.cityscapes import SceneData

OWN = {"pictures": "P", "labels": "L", "classes": "c.txt"}


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"train": "train_extra"},
        OWN,
        {**OWN, "pictures": "P/{split}", "labels": "L/{split}/*_L.png", "ignore": (0, 0xFFFFFF)},
    ],
)
def test_sets_that_are_stated_whole_are_taken(keys):
    SceneData(**keys).check()


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"classes": "c.txt"}, "data.pictures is needed where data.classes is given"),
        ({"pictures": "P", "labels": "L"}, "data.classes is needed where data.pictures and"),
        ({"ignore": (0,)}, "data.pictures is needed where data.ignore is given: .*Cityscapes'"),
        ({**OWN, "labels": "/L"}, "data.labels is a path below data.root, given '/L'"),
        ({**OWN, "labels": "L/{split}"}, "both have {split}, or none of them, given 'P' and"),
        ({**OWN, "val": ""}, "data.val is the name of a split or a list, given ''"),
        ({**OWN, "ignore": (-1,)}, r"data.ignore: ids from 0 to 65535, .*, given \[-1\]"),
        ({**OWN, "ignore": (2**24,)}, r"data.ignore: ids from 0 to 65535"),
    ],
)
def test_sets_that_are_stated_in_part_or_wrongly_are_refused(keys, message):
    with pytest.raises(InputError, match=f"config keys? .*{message}"):
        SceneData(**keys).check()
