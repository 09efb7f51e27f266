import numpy as np
import pytest

from gluon_glore import InputError
from gluon_glore.data.cityscapes import IGNORE
from gluon_glore.data.scene_classes import MOST, read_classes
from tests.helpers.scene_folders import palette_png
from tests.helpers.scenes import png


def read(tmp_path, text, ignore=()):
    (tmp_path / "classes.txt").write_bytes(text.encode())
    return read_classes(tmp_path / "classes.txt", ignore)


def test_names_alone_have_the_ids_from_0_on(tmp_path):
    classes = read(tmp_path, "\ufeff# a comment\r\nbackground\r\nsea lion\r\n\r\n", (255,))
    assert (classes.names, classes.ids) == (("background", "sea lion"), (0, 1))
    label = classes.train_ids(palette_png(np.uint8([[0, 1, 255]])))
    assert label.dtype == np.uint8 and label.tolist() == [[0, 1, IGNORE]]


def test_names_may_have_numbers(tmp_path):
    assert read(tmp_path, "4x4\n7 up\n2\nsky\n").names == ("4x4", "7 up", "2", "sky")


def test_ids_stand_before_their_names_in_any_order_and_of_16_bits(tmp_path):
    classes = read(tmp_path, "700\troad\n3\tsky\n", (0, 65535))
    assert classes.names == ("road", "sky")
    label = classes.train_ids(png(np.uint16([[3, 700, 0, 65535]])))
    assert label.tolist() == [[1, 0, IGNORE, IGNORE]]


def test_colours_stand_before_their_names_as_camvids_do(tmp_path):
    classes = read(tmp_path, "64 128 64\t\tAnimal\n192 0 128\tArchway\n0 0 0\tVoid\n", (0,))
    assert classes.names == ("Animal", "Archway")
    colours = np.uint8([[[192, 0, 128], [0, 0, 0], [64, 128, 64]]])
    assert classes.train_ids(png(colours)).tolist() == [[1, IGNORE, 0]]
    with pytest.raises(InputError, match="^colours 0 0 1, 128 64 64: neither a class of .*classes"):
        classes.train_ids(png(np.uint8([[[128, 64, 64], [0, 0, 1]]])))


def test_the_line_of_an_ignored_id_is_no_class(tmp_path):
    classes = read(tmp_path, "other\nwall\nsky\n", (0,))
    assert (classes.names, classes.ids) == (("wall", "sky"), (1, 2))
    assert classes.train_ids(png(np.uint8([[0, 1, 2]]))).tolist() == [[IGNORE, 0, 1]]


def test_an_id_that_is_neither_a_class_nor_ignored_is_named(tmp_path):
    classes = read(tmp_path, "a\nb\n", (255,))
    with pytest.raises(InputError, match="id 2: neither a class of .*txt nor in data.ignore"):
        classes.train_ids(png(np.uint8([[0, 1, 2]])))
    with pytest.raises(InputError, match="^ids 2, 3, 4, 5, 6 and 3 more: "):
        classes.train_ids(png(np.arange(10, dtype=np.uint8).reshape(2, 5)))


def test_colours_for_ids_and_ids_for_colours_are_refused(tmp_path):
    colours = png(np.zeros((2, 2, 3), np.uint8))
    with pytest.raises(InputError, match="pixels are RGB colours, .* has ids: .* R G B<TAB>name"):
        read(tmp_path, "a\n").train_ids(colours)
    classes = read(tmp_path, "0 0 0\ta\n")
    with pytest.raises(InputError, match="pixels are ids, .* has colours: .* lines id<TAB>name"):
        classes.train_ids(palette_png(np.zeros((2, 2), np.uint8)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no classes in it"),
        ("# none\n\n", "no classes in it"),
        ("a\n\nb\n", "line 2: an empty name"),
        ("1\ta\n2\t \n", "line 2: an empty name"),
        ("1\ta\nb\n", "line 2: expected id<TAB>name as in the first line, given 'b'"),
        ("1 2 3\ta\n4\tb\n", "line 2: expected R G B<TAB>name as in the first line"),
        ("a\n1\tb\n", "line 2: expected a name alone as in the first line"),
        ("a\nb\na\n", "line 3: its name is that of line 1 too"),
        ("1\ta\n1\tb\n", "line 2: its id or colour is that of line 1 too"),
        ("1\t0.2\ta\n", "line 1: a tab in the name"),
        ("a\tb\n", "line 1: a tab in the name"),
        (
            "0 a\n1 b\n",
            "its lines begin with numbers, as '1 b', and are no names: expected id<TAB>",
        ),
        ("Idx,Name\n1,wall\n2,sky\n", "its lines begin with numbers, as '2,sky', and are no names"),
        ("1\ta\n65536\tb\n", "line 2: a number is from 0 to 65535"),
        ("1 2 256\ta\n", "line 1: a number is from 0 to 255"),
        ("\n".join(f"c{i}" for i in range(MOST + 1)), "1 to 254 classes are taken, given 255"),
    ],
)
def test_files_that_are_of_no_use_name_the_line(tmp_path, text, message):
    with pytest.raises(InputError, match=rf"classes\.txt:? {message}"):
        read(tmp_path, text)


def test_the_most_classes_are_taken_and_ignored_ids_must_be_ids(tmp_path):
    names = "\n".join(f"c{i}" for i in range(MOST))
    classes = read(tmp_path, names)
    assert classes.train_ids(png(np.uint8([[MOST - 1]]))).tolist() == [[MOST - 1]]
    with pytest.raises(InputError, match="id 254: neither"):
        classes.train_ids(png(np.uint8([[MOST]])))
    with pytest.raises(InputError, match="data.ignore: 65536 is no id of the labels of"):
        read(tmp_path, "a\n", (65536,))
    with pytest.raises(InputError, match="1 to 254 classes are taken, given 0"):
        read(tmp_path, "a\n", (0,))
