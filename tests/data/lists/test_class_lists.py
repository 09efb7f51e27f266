import os

import pytest

from gluon_glore import InputError
from gluon_glore.data.lists.class_lists import label_files, list_files
from gluon_glore.data.sources import VIDEOS


def videos(source, **options):
    return list_files(source, VIDEOS, "video", **options)


def labelled(source, names=None):
    """(names, {file's path below the folder: label}) of videos."""
    files = videos(source)
    names, labels = label_files(source, files, names)
    folder = source if source.is_dir() else source.parent
    return names, {os.path.relpath(path, folder): label for (path, _), label in zip(files, labels)}


@pytest.fixture
def folder(tmp_path):
    for name in ("b/2.mp4", "b/deep/1.AVI", "a/x.mkv", "a/.hidden.mp4", "a/x.jpg", ".git/y.mp4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "loose.mp4").touch()
    return tmp_path


def test_a_folder_gives_files_of_the_suffixes_in_order_of_class_and_path(folder):
    assert [(os.path.relpath(path, folder), name) for path, name in videos(folder)] == [
        ("a/x.mkv", "a"),
        ("b/2.mp4", "b"),
        ("b/deep/1.AVI", "b"),
    ]
    assert labelled(folder)[0] == ("a", "b")
    assert labelled(folder, ["b", "c", "a"])[1] == {"a/x.mkv": 2, "b/2.mp4": 0, "b/deep/1.AVI": 0}


def test_order_is_that_of_folders_then_names(tmp_path):
    for name in ("a/x/1.mp4", "a/x-y.mp4", "a/x.mp4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    order = [os.path.relpath(path, tmp_path) for path, _ in videos(tmp_path)]
    assert order == ["a/x/1.mp4", "a/x-y.mp4", "a/x.mp4"]


def test_links_are_followed(folder):
    (folder / "c").symlink_to(folder / "b" / "deep")
    assert [name for _, name in videos(folder)] == ["a", "b", "b", "c"]


def written(folder, text, name="list.txt"):
    (folder / name).write_text(text)
    return folder / name


def test_a_list_has_lines_of_path_tab_class_or_path_and_label(tmp_path):
    source = written(tmp_path, "my film 7.mp4\triding a bike\nmy film 8.mp4 1\nz.mp4  0 \n")
    assert [(os.path.basename(path), name) for path, name in videos(source)] == [
        ("my film 7.mp4", "riding a bike"),
        ("my film 8.mp4", "1"),
        ("z.mp4", "0"),
    ]
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


def test_one_class_folder_is_no_choice_of_classes_unless_it_is_named(folder, tmp_path):
    nested = tmp_path / "nested"
    nested.mkdir()
    (folder / "b").rename(nested / "val")
    with pytest.raises(InputError, match="nested: one class folder in it, val: give the folder"):
        labelled(nested)
    with pytest.raises(InputError, match="class 'val' is not among the 2 names given"):
        labelled(nested, ["a", "b"])
    assert labelled(nested, ["val"])[1] == {"val/2.mp4": 0, "val/deep/1.AVI": 0}


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
    assert [path for path, _ in videos(source, root=root)] == [
        f"{root}/a.mp4",
        "/elsewhere/b.mp4",
    ]
    assert videos(source)[0][0] == str(tmp_path / "a.mp4")


@pytest.mark.parametrize(
    ("line", "names", "message"),
    [
        ("a.mp4", None, "line 2: expected path<TAB>class or path label, .* given 'a.mp4'"),
        ("\nb.mp4 0", None, "line 2: expected path"),
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


def test_a_folder_of_another_class_and_one_with_no_files_are_named(folder, tmp_path):
    with pytest.raises(InputError, match=r"b/2.mp4: class 'b' is not among the 1 names given"):
        labelled(folder, ["a"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty: no videos in it, expected class folders or path"):
        videos(tmp_path / "empty")
    with pytest.raises(InputError, match="gone.txt: No such file"):
        videos(tmp_path / "gone.txt")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="binary.txt: not a text file"):
        videos(tmp_path / "binary.txt")
