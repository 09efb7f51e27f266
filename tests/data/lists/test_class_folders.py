import os

import pytest

from gluon_glore import InputError
from gluon_glore.data.lists.class_folders import read_folder
from gluon_glore.data.lists.kinds import VIDEO
from gluon_glore.data.lists.labelled_files import labelled_files


def put(folder, *names):
    """Empty files of these names below a folder, which is returned."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def read(folder, names=None):
    """(form, {path below the folder: class}) of videos."""
    listing = read_folder(str(folder), VIDEO, names)
    paths = [os.path.relpath(path, folder) for path in listing.paths]
    return listing.form.replace(f"{folder}/", ""), dict(zip(paths, listing.classes))


@pytest.fixture
def folder(tmp_path):
    put(tmp_path, "b/2.mp4", "b/deep/1.AVI", "a/x.mkv", "a/.hidden.mp4", "a/x.jpg", ".git/y.mp4")
    return put(tmp_path, "loose.mp4")


def test_a_folder_gives_files_of_the_suffixes_in_order_of_class_and_path(folder):
    form, files = read(folder)
    assert list(files.items()) == [("a/x.mkv", "a"), ("b/2.mp4", "b"), ("b/deep/1.AVI", "b")]
    assert form == "class folders, 1 video beside them left out"


def test_order_is_that_of_folders_then_names(tmp_path):
    put(tmp_path, "a/x/1.mp4", "a/x-y.mp4", "a/x.mp4")
    assert list(read(tmp_path)[1]) == ["a/x/1.mp4", "a/x-y.mp4", "a/x.mp4"]


def test_links_are_followed(folder):
    (folder / "c").symlink_to(folder / "b" / "deep")
    assert list(read(folder)[1].values()) == ["a", "b", "b", "c"]


def test_class_folders_one_folder_deeper_are_taken_and_this_is_said(tmp_path):
    put(tmp_path, "UCF-101/Yo Yo/1.avi", "UCF-101/Makeup/1.avi", "readme.txt")
    form, files = read(tmp_path)
    assert form == "class folders in UCF-101"
    assert files == {"UCF-101/Makeup/1.avi": "Makeup", "UCF-101/Yo Yo/1.avi": "Yo Yo"}
    assert read(tmp_path, ["Makeup", "Yo Yo"])[0] == "class folders in UCF-101"


def test_one_class_of_those_named_is_taken_from_one_folder_deeper(tmp_path):
    put(tmp_path, "val/dog/1.mp4")
    assert read(tmp_path) == ("class folders", {"val/dog/1.mp4": "val"})
    assert read(tmp_path, ["cat", "dog"])[1] == {"val/dog/1.mp4": "dog"}


@pytest.mark.parametrize("files", [("val/1.mp4", "val/a/1.mp4", "val/b/1.mp4"), ("val/a/1.mp4",)])
def test_a_folder_with_files_or_one_folder_in_it_is_a_class(tmp_path, files):
    assert set(read(put(tmp_path, *files))[1].values()) == {"val"}


def test_a_folder_that_is_a_class_of_the_names_is_no_folder_of_classes(tmp_path):
    put(tmp_path, "cat/a/1.mp4", "cat/b/1.mp4")
    assert set(read(tmp_path)[1].values()) == {"a", "b"}
    assert set(read(tmp_path, ["cat", "dog"])[1].values()) == {"cat"}


def test_sets_are_not_taken_for_classes(tmp_path):
    for files in (("train/a/1.mp4", "val/1.mp4"), ("Training/a/1.mp4", "test/a/1.mp4")):
        folder = put(tmp_path / files[0][:5], *files)
        with pytest.raises(InputError, match="its folders .* and .* are sets, not classes: give"):
            read(folder)
    put(tmp_path / "c", "train/1.mp4", "trailer/1.mp4", "valley/1.mp4")  # classes may be so called
    assert set(read(tmp_path / "c")[1].values()) == {"train", "trailer", "valley"}


def test_one_class_folder_is_no_choice_of_classes_unless_it_is_named(tmp_path):
    nested = put(tmp_path / "nested", "val/2.mp4", "val/deep/1.AVI")
    with pytest.raises(InputError, match="nested: one class folder in it, val: give the folder"):
        labelled_files(nested, VIDEO)
    with pytest.raises(InputError, match="class 'val' is not among the 2 names given"):
        labelled_files(nested, VIDEO, ["a", "b"])
    files = labelled_files(nested, VIDEO, ["val"])
    assert files.paths == (f"{nested}/val/2.mp4", f"{nested}/val/deep/1.AVI")
    assert files.labels == (0, 0)


def test_a_folder_without_files_and_one_without_class_folders_are_told_apart(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty: no videos in it, expected class folders or path"):
        read(tmp_path / "empty")
    put(tmp_path / "flat", "1.mp4", "2.mp4")
    with pytest.raises(InputError, match="flat: 2 videos in it and no class folders: give a list"):
        read(tmp_path / "flat")
