import os

import pytest

from gluon_glore import InputError
from gluon_glore.data.class_names import ClassNames
from gluon_glore.data.lists.labelled_files import VIDEO, labelled_files
from gluon_glore.data.lists.labels import label_files, number_names
from gluon_glore.data.lists.listing import Listing


def labelled(source, names=None):
    """(names, {file's path below the folder: label}) of a list of videos."""
    files = labelled_files(source, VIDEO, names)
    paths = [os.path.relpath(path, source.parent) for path in files.paths]
    return files.class_names, dict(zip(paths, files.labels))


def written(folder, text, name="list.txt"):
    (folder / name).write_text(text)
    return folder / name


def test_a_list_has_lines_of_path_tab_class_or_path_and_label(tmp_path):
    source = written(tmp_path, "my film 7.mp4\triding a bike\nmy film 8.mp4 1\nz.mp4  0 \n")
    names = ["abseiling", "riding a bike"]
    assert labelled(source, names) == (
        tuple(names),
        {"my film 7.mp4": 1, "my film 8.mp4": 1, "z.mp4": 0},
    )


def test_integers_are_labels_in_their_own_order_and_names_come_first(tmp_path):
    source = written(tmp_path, "a.mp4 10\nb.mp4 2\n")
    names, labels = labelled(source)
    assert names == tuple(map(str, range(11))) and labels == {"a.mp4": 10, "b.mp4": 2}
    assert labelled(source, ["2", "10", "x"])[1] == {"a.mp4": 1, "b.mp4": 0}
    words = written(tmp_path, "a.mp4\tdog\nb.mp4\t10\n", "words.txt")
    assert labelled(words)[0] == ("10", "dog")


def test_integers_of_a_list_are_labels_however_they_are_written(tmp_path):
    text = "".join(f"{i}.mp4\t{i:03}\n" for i in (10, 2, 0, 11))
    names, labels = labelled(written(tmp_path, text))
    assert names == tuple(map(str, range(12)))
    assert labels == {"10.mp4": 10, "2.mp4": 2, "0.mp4": 0, "11.mp4": 11}
    padded = [f"{i:03}" for i in (11, 10, 2, 0)]
    assert labelled(tmp_path / "list.txt", padded)[1]["10.mp4"] == 1  # a name goes before a number


def test_labels_that_count_from_1_are_refused_unless_the_names_have_them(tmp_path):
    source = written(tmp_path, "a.mp4 1\nb.mp4 3\nc.mp4 2\n")
    with pytest.raises(InputError, match="list.txt: labels 1 to 3 and no 0, .*: subtract 1, or"):
        labelled(source)
    with pytest.raises(InputError, match="line 2: .*label 3 is out of range, 0 to 2 allowed for 3"):
        labelled(source, ["a", "b", "c"])
    names = ["background", "a", "b", "c"]
    assert labelled(source, names)[1] == {"a.mp4": 1, "b.mp4": 3, "c.mp4": 2}


def test_labels_count_as_the_names_are_numbered_in_the_validation_set_too(tmp_path):
    source = written(tmp_path, "a.mp4 1\nb.mp4 3\n")
    names = ClassNames(["x", "y", "z"], first=1)
    assert labelled(source, names) == (("x", "y", "z"), {"a.mp4": 0, "b.mp4": 2})
    val = written(tmp_path, "c.mp4 2\n", "val.txt")
    assert labelled(val, labelled(source, names)[0])[1] == {"c.mp4": 1}
    with pytest.raises(InputError, match="label 0 is out of range, 1 to 3 allowed .* from 1"):
        labelled(written(tmp_path, "a.mp4 0\n"), names)


def test_a_list_may_have_the_line_ends_of_windows_and_empty_lines_at_its_end(tmp_path):
    (tmp_path / "list.txt").write_bytes(b"\xef\xbb\xbfa.mp4\tx\r\nb.mp4 y.mp4\ty\r\n\r\n\n")
    assert labelled(tmp_path / "list.txt") == (("x", "y"), {"a.mp4": 0, "b.mp4 y.mp4": 1})


def test_imagenets_classes_are_known_by_their_numbers(tmp_path):
    source = written(tmp_path, "a.mp4\tn01443537\nb.mp4\tn01440764 tench, Tinca tinca\n")
    names = ["n01440764 tench, Tinca tinca", "n01443537 goldfish"]
    assert labelled(source, names) == (tuple(names), {"a.mp4": 1, "b.mp4": 0})
    with pytest.raises(InputError, match="class name 'n01440764' comes twice among the 2 names"):
        labelled(source, [names[0], "n01440764"])


def test_relative_paths_are_below_the_root(tmp_path):
    source = written(tmp_path, "a.mp4 0\n/elsewhere/b.mp4 0\n")
    root = tmp_path / "root"
    assert labelled_files(source, VIDEO, root=root).paths == (
        f"{root}/a.mp4",
        "/elsewhere/b.mp4",
    )
    assert labelled_files(source, VIDEO).paths[0] == str(tmp_path / "a.mp4")


@pytest.mark.parametrize(
    ("line", "names", "message"),
    [
        ("a.mp4", None, "line 2: expected path<TAB>class or path label, .* given 'a.mp4'"),
        ("a.mp4\t", None, "line 2: expected path"),
        ("\tdog", None, "line 2: expected path"),
        ("a.mp4\tdog\t1", None, "line 2: expected path"),
        ("0 0 a.mp4", None, "line 2: expected path"),
        ("a.mp4 " + "1" * 5000, None, "line 2: expected path"),
        ("a.mp4 1.5", None, "line 2: expected path"),
        ("a.mp4 2", ["x", "y"], "line 2: .*a.mp4: label 2 is out of range, 0 to 1 allowed"),
        ("a.mp4 -1", ["x", "y"], "line 2: .*a.mp4: label -1 is out of range, 0 to 1 allowed"),
        ("a.mp4 -1", None, "line 2: .*a.mp4: label -1 is out of range, 0 to 0 allowed"),
        ("a.mp4 1600000000", None, "line 2: .* out of range, 0 to 99999 allowed"),
        ("a.mp4\tz", ["x", "y"], "line 2: .*a.mp4: class 'z' is not among the 2 names given"),
        ("a.mp4 0", [], "no class names given"),
        ("a.mp4 0", ["x", "y", "x"], "class name 'x' comes twice among the 3 names given"),
    ],
)
def test_lines_and_labels_of_no_use_are_named(tmp_path, line, names, message):
    source = written(tmp_path, f"good.mp4 0\n{line}\n")
    with pytest.raises(InputError, match=message):
        labelled(source, names)


def labels_of(classes, names):
    paths = [f"{name}/1.mp4" for name in classes]
    return label_files("src", Listing("class folders", paths, classes), names)[1]


def test_a_class_is_known_with_underscores_for_blanks_and_with_the_number_of_its_name():
    names = ["air drumming", "yo_yo"]
    assert labels_of(["air_drumming", "yo yo", "air drumming"], names) == [0, 1, 0]
    assert labels_of(["0_air drumming", "1 yo_yo"], names) == [0, 1]
    assert labels_of(["1 air drumming"], ClassNames(names, first=1)) == [0]
    both = ["yo yo", "yo_yo"]  # each by its own name alone
    assert labels_of(both, both) == [0, 1]
    for name in ("1 air drumming", "YoYo"):
        with pytest.raises(InputError, match=f"/1.mp4: class '{name}' is not among the 2 names"):
            labels_of([name], names)
    with pytest.raises(InputError, match="class 'a_b c' is not among the 2 names"):
        labels_of(["a_b c"], ["a b c", "a_b_c"])


def test_an_integer_is_no_label_of_a_folder():
    with pytest.raises(InputError, match="^1/1.mp4: class '1' is not among the 2 names given"):
        labels_of(["1"], ["a", "b"])


def test_names_are_numbered_by_class():
    assert number_names(["b", "n01440764 tench"]) == {"b": 0, "n01440764": 1}
