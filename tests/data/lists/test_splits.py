import pytest

from gluon_glore import InputError
from gluon_glore.data.lists.forms import read_form
from gluon_glore.data.lists.kinds import PICTURE, VIDEO
from gluon_glore.data.lists.splits import is_pattern, read_pattern, with_class_index

TRAIN = "Makeup/v1.avi 1\nYoYo/v1.avi 2\nArchery/v1.avi 3"
INDEX = "1 Makeup\r\n2 YoYo\r\n3 Archery\r\n"


def read(folder, text, names=None, index=""):
    if index:
        (folder / "classInd.txt").write_text(index)
    source = str(folder / "trainlist01.txt")
    form, listing = read_form(source, text.split("\n"), VIDEO)
    return with_class_index(source, form, listing, names)


def test_labels_of_ucf101_are_classes_of_its_index(tmp_path):
    listing = read(tmp_path, TRAIN, index=INDEX)
    assert listing.classes == ["Makeup", "YoYo", "Archery"]
    assert listing.names == ("Makeup", "YoYo", "Archery")  # in its order, not the sorted one
    assert listing.form == "UCF-101's split file with classInd.txt" and not listing.numbered


def test_paths_alone_are_of_their_folders_class(tmp_path):
    text = "YoYo/v1.avi\nMakeup/v 2.avi"
    with pytest.raises(InputError, match="paths without labels, .*: give the class names, or put"):
        read(tmp_path, text)
    assert read(tmp_path, text, names=("Makeup", "YoYo")).classes == ["YoYo", "Makeup"]
    listing = read(tmp_path, text, index=INDEX)
    assert listing.classes == ["YoYo", "Makeup"]
    assert listing.names == ("Makeup", "YoYo", "Archery")


def test_labels_count_from_1_where_every_folder_says_so(tmp_path):
    names = ("Makeup", "YoYo", "Archery")
    listing = read(tmp_path, TRAIN, names)
    assert listing.classes == ["Makeup", "YoYo", "Archery"] and not listing.numbered
    assert listing.form == "UCF-101's split file, labels from 1 as its folders say"
    for text in (TRAIN + "\nx/v1.avi 1", TRAIN.replace("Archery", "x"), TRAIN + "\nYoYo/2.avi 1"):
        assert read(tmp_path, text, names).numbered  # no such file: labels as they are
    assert read(tmp_path, "a/1.avi 0\nb/1.avi 1", ("a", "b")).numbered


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("YoYo/v2.avi 4", "line 4: label 4, 1 to 3 allowed by .*classInd.txt"),
        ("YoYo/v2.avi 0", "line 4: label 0, 1 to 3 allowed by"),
        ("YoYo/v2.avi 1", "line 4: label 1 is Makeup in .*classInd.txt, the folder is YoYo"),
    ],
)
def test_labels_that_are_not_the_indexs_are_named(tmp_path, line, message):
    with pytest.raises(InputError, match=f"trainlist01.txt {message}"):
        read(tmp_path, f"{TRAIN}\n{line}", index=INDEX)


def test_other_lists_are_as_they_were(tmp_path):
    assert read(tmp_path, "Makeup/v1.avi\t1", index=INDEX).numbered
    (tmp_path / "classInd.txt").unlink()
    assert read(tmp_path, TRAIN).numbered


@pytest.fixture
def splits(tmp_path):
    for name, text in (
        ("wave", "a b.avi 1 \nc.avi 2\nd.avi 0\n"),
        ("brush_hair", "\ufeff# of HMDB-51\r\n\r\ne.avi 2\r\nf.avi 1\r\n"),
    ):
        (tmp_path / f"{name}_test_split1.txt").write_bytes(text.encode())
    return tmp_path


def test_split_files_of_hmdb51_have_the_class_in_their_name(splits):
    pattern = str(splits / "*_test_split1.txt")
    assert is_pattern(pattern) and not is_pattern(str(splits / "wave_test_split1.txt"))
    listing = read_pattern(pattern, VIDEO, "train")
    assert listing.paths == ["brush_hair/f.avi", "wave/a b.avi"]
    assert listing.classes == ["brush_hair", "wave"] and listing.names == ("brush_hair", "wave")
    assert listing.form == "HMDB-51's split files, use train"
    assert read_pattern(pattern, VIDEO, "val").paths == ["brush_hair/e.avi", "wave/c.avi"]


def test_a_file_whose_name_has_a_star_is_no_pattern(tmp_path):
    (tmp_path / "a*.txt").touch()
    assert not is_pattern(str(tmp_path / "a*.txt"))


def test_split_files_of_no_use_are_named(splits):
    pattern = str(splits / "*_test_split?.txt")
    with pytest.raises(InputError, match="split1.txt: a pattern stands for HMDB-51's .* of videos"):
        read_pattern(pattern, PICTURE, "train")
    with pytest.raises(InputError, match=r"x\*: no file is so called"):
        read_pattern(str(splits / "x*"), VIDEO, "train")
    (splits / "wave_test_split2.txt").write_text("a.avi 1\n")
    with pytest.raises(InputError, match="wave_test_split1.txt and .*split2.txt are two splits"):
        read_pattern(pattern, VIDEO, "train")
    (splits / "wave_test_split2.txt").unlink()
    for line in ("a.avi 3", "a.avi", "a 1"):
        (splits / "wave_test_split1.txt").write_text(f"b.avi 1\n{line}\n")
        with pytest.raises(InputError, match=f"split1.txt line 2: expected .*, given '{line}'"):
            read_pattern(pattern, VIDEO, "train")
    (splits / "list.txt").write_text("a.avi 1\n")
    with pytest.raises(InputError, match="list.txt: a pattern stands for HMDB-51's split files"):
        read_pattern(str(splits / "*.txt"), VIDEO, "train")
