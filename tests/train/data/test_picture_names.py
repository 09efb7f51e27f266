import pytest

from gluon_glore import InputError
from train.config.pictures import Data
from train.data.picture_names import check_names, class_names, training_names


@pytest.fixture
def data(tmp_path):
    """`data(train=names, val=names, given=names)` is a section whose files of names are those."""

    def make(train=None, val=None, given=None):
        for name, lines in (("train.classes", train), ("val.classes", val), ("given", given)):
            if lines is not None:
                (tmp_path / f"{name}.txt").write_text("".join(f"{line}\n" for line in lines))
        file = "" if given is None else str(tmp_path / "given.txt")
        return Data(str(tmp_path / "train.rec"), str(tmp_path / "val.rec"), file)

    return make


def test_names_are_those_given_else_those_beside_the_training_set_else_numbers(data):
    assert training_names(data(), 3) == ["0", "1", "2"]
    assert training_names(data(train=["cat", "dog"]), 2) == ["cat", "dog"]
    assert training_names(data(given=["Katze", "Hund"]), 2) == ["Katze", "Hund"]
    assert class_names(None, 2) == ["0", "1"]


@pytest.mark.parametrize("count", [1, 3])
def test_more_or_fewer_names_than_classes_are_refused(data, count):
    beside = "train.classes.txt: 2 classes, given {} names: set model.classes to as many"
    with pytest.raises(InputError, match=beside.format(count)):
        training_names(data(train=["x", "y", "z"][:count]), 2)
    with pytest.raises(InputError, match=beside.format(count)):  # though others are given
        training_names(data(given=["a", "b"]), 2)
    with pytest.raises(InputError, match=f"given.txt: 2 classes, given {count} names"):
        training_names(data(train=["x", "y"], given=["x", "y", "z"][:count]), 2)


def test_a_validation_set_of_other_names_than_the_training_set_is_refused(data):
    check_names(data(train=["a", "b", "c"], val=["a", "b", "c"]), 3)
    for other in (["a", "c"], ["x", "y", "z"], ["a", "c", "b"], ["nested"]):
        with pytest.raises(InputError, match="val.classes.txt: . class names, not .*train.classes"):
            check_names(data(val=other), 3)


def test_without_names_of_the_training_set_those_given_are_compared(data, capsys):
    check_names(data(val=["a", "b"], given=["a", "b"]), 2)
    with pytest.raises(InputError, match=r"val.classes.txt: 2 class names, not the 2 of .*given.t"):
        check_names(data(val=["b", "a"], given=["a", "b"]), 2)
    assert capsys.readouterr().err == ""


def test_a_set_of_names_meets_a_training_set_without(data, capsys):
    with pytest.raises(
        InputError, match="val.classes.txt: 2 class names, not the 3 of model.class"
    ):
        check_names(data(val=["a", "b"]), 3)
    check_names(data(val=["a", "b", "c"]), 3)
    assert "none of its names is among those of model.classes" in capsys.readouterr().err


def test_names_given_may_be_translated_but_not_in_another_order(data, capsys):
    check_names(data(train=["n1", "n2"], val=["n1", "n2"], given=["tench", "goldfish"]), 2)
    note = "train.classes.txt: none of its names is among those of"
    assert capsys.readouterr().err.count(note) == 1
    with pytest.raises(InputError, match="train.classes.txt: .*label 0 is 'n1', not 'n2'"):
        check_names(data(given=["n2", "n1"]), 2)
