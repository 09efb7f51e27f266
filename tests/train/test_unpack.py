import numpy as np
import pytest

from gluon_glore.data.image import encode_png
from gluon_glore.data.records import RecordDataset, write_records
from train.pack import main as pack
from train.unpack import main


@pytest.fixture
def packed(tmp_path):
    """Nine pictures of three classes in turn, each of another grey."""
    pictures = [encode_png(np.full((4, 4), 20 * i, np.uint8)) for i in range(9)]
    write_records(tmp_path / "a.rec", [(picture, i % 3) for i, picture in enumerate(pictures)])
    (tmp_path / "a.classes.txt").write_text("eel\ncat\ndog\n")
    return tmp_path / "a.rec", pictures


def refused(capsys, *arguments):
    """The one error of a command that is refused."""
    assert main([*map(str, arguments)]) == 2
    (error,) = capsys.readouterr().err.splitlines()
    assert error.startswith("error: ")
    return error


def files(folder):
    return {str(f.relative_to(folder)): f.read_bytes() for f in folder.glob("*/*")}


def test_every_picture_lies_in_its_class_as_it_was(packed, tmp_path, capsys):
    rec, pictures = packed
    assert main([str(rec), str(tmp_path / "out")]) == 0
    assert "out: 9 pictures of 3 classes" in capsys.readouterr().out
    names = ("eel", "cat", "dog")
    expected = {f"{names[i % 3]}/{i:08d}.png": picture for i, picture in enumerate(pictures)}
    assert files(tmp_path / "out") == expected
    # Packed again they are the same pictures, by class.
    assert pack([str(tmp_path / "out"), str(tmp_path / "again")]) == 0
    again = RecordDataset(tmp_path / "again.rec", 3)
    assert sorted(again[i][0] for i in range(9)) == sorted(pictures)


def test_some_of_some_classes_are_taken(packed, tmp_path):
    rec, pictures = packed
    names = tmp_path / "names.txt"
    names.write_text("a\nb\nc\n")
    options = ["--classes", str(names), "--only", "c", "a", "--each", "2"]
    assert main([str(rec), str(tmp_path / "out"), *options]) == 0
    wanted = {"a/00000000.png": 0, "a/00000003.png": 3, "c/00000002.png": 2, "c/00000005.png": 5}
    assert files(tmp_path / "out") == {name: pictures[i] for name, i in wanted.items()}


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        (None, (), "no class names beside it, give a file of them with --classes FILE"),
        ("eel\ncat\ndog", ("--only", "cow"), "--only 'cow' is no class, these are: eel; cat; dog"),
        ("eel\n../cat\ndog", (), "'../cat' can't be the name of a folder"),
        ("eel\n\ndog", (), "a.classes.txt line 2: no class name in it"),
        ("eel\ncat\ndog\nelk", (), "no picture of 'elk'"),
        ("eel\ncat\neel", (), "two classes are called 'eel'"),
        ("eel\ncat", (), "a.rec record 2: label 2 is out of range"),
    ],
)
def test_what_can_not_be_is_one_line_and_nothing_is_written(
    packed, tmp_path, names, options, message, capsys
):
    rec, _ = packed
    beside = rec.with_suffix(".classes.txt")
    beside.unlink() if names is None else beside.write_text(names)
    before = sorted(tmp_path.iterdir())
    assert message in refused(capsys, rec, tmp_path / "out", *options)
    assert sorted(tmp_path.iterdir()) == before


def test_a_folder_with_files_is_left_alone(packed, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    assert "is not empty" in refused(capsys, packed[0], tmp_path / "out")
    assert [f.name for f in (tmp_path / "out").iterdir()] == ["mine.txt"]
