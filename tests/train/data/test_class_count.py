import pytest

from gluon_glore import InputError
from train.config.pictures import Data
from train.config.sections import Config, Model
from train.data.class_count import count_classes


def config(classes, class_names=""):
    return Config(Model(classes=classes), Data(class_names=class_names))


def test_none_stands_for_as_many_as_there_are_names_and_a_number_stays():
    counted = count_classes(config(0), ("a", "b"), "photos")
    assert counted == config(2)
    assert count_classes(config(2), ("a", "b"), "photos") == config(2)
    assert count_classes(config(7), None, "a.rec") == config(7)


@pytest.mark.parametrize(
    ("given", "names", "message"),
    [
        (config(2), ("a",), "^data.train photos: 1 classes, model.classes is 2: set "),
        (
            config(2, "n.txt"),
            ("a",),
            "^data.class_names n.txt: 1 names, model.classes is 2: set ",
        ),
        (
            config(0),
            None,
            "^data.train photos: no class names beside it, .*: set model.classes",
        ),
    ],
)
def test_what_differs_is_said_with_both_numbers(given, names, message):
    with pytest.raises(InputError, match=message):
        count_classes(given, names, "photos")
