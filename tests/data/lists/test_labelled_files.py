import pytest

from gluon_glore import InputError
from gluon_glore.data.lists.labelled_files import PICTURE, VIDEO, labelled_files

BOX = "\t0\t32\t44\t62\n"
SYNSETS = ("n01440764", "n01443537", "n01484850")
# What is there, files with their text; what is given, kind and options; what comes of it.
CASES = {
    "class folders": (
        {"set/b c/1.jpg": "", "set/a/2.png": ""},
        ("set", PICTURE, {}),
        (["set/a/2.png", "set/b c/1.jpg"], [0, 1], ("a", "b c"), "class folders"),
    ),
    "a Caffe list in the folder above": (
        {"val.txt": "v_1.JPEG 1\nv_2.JPEG 0\n", "val/v_1.JPEG": "", "val/v_2.JPEG": ""},
        ("val.txt", PICTURE, {"class_names": SYNSETS}),
        (["val/v_1.JPEG", "val/v_2.JPEG"], [1, 0], SYNSETS, "a Caffe list, files in val/"),
    ),
    "Kaggle's csv": (
        {"LOC_val.csv": "ImageId,PredictionString\nv_1,n01443537 1 2 3 4\n", "val/v_1.JPEG": ""},
        ("LOC_val.csv", PICTURE, {"class_names": SYNSETS, "root": "val"}),
        (["val/v_1.JPEG"], [1], SYNSETS, "ImageNet's Kaggle csv"),
    ),
    "the devkit's ground truth": (
        {"truth.txt": "2\n3\n", "val/v_1.JPEG": "", "val/v_2.JPEG": ""},
        ("truth.txt", PICTURE, {"class_names": ["a", "b", "c"], "root": "val"}),
        (
            ["val/v_1.JPEG", "val/v_2.JPEG"],
            [1, 2],
            ("a", "b", "c"),
            "the devkit's ground truth, its numbers taken as places in the class names from 1",
        ),
    ),
    "MXNet's .lst": (
        {"t.lst": "0\t2.000000\tx/1.jpg\n0\t0.000000\tx/2.jpg\n", "in/x/1.jpg": ""},
        ("t.lst", PICTURE, {"root": "in"}),
        (["in/x/1.jpg", "in/x/2.jpg"], [2, 0], ("0", "1", "2"), "MXNet's .lst"),
    ),
    "tiny-imagenet's list": (
        {"v/val_annotations.txt": f"v_1.JPEG\tn01443537{BOX}", "v/images/v_1.JPEG": ""},
        ("v/val_annotations.txt", PICTURE, {"class_names": SYNSETS}),
        (["v/images/v_1.JPEG"], [1], SYNSETS, "tiny-imagenet's val_annotations.txt"),
    ),
    "tiny-imagenet's val folder": (
        {"v/val_annotations.txt": f"v_1.JPEG\tn01443537{BOX}", "v/images/v_1.JPEG": ""},
        ("v", PICTURE, {"class_names": SYNSETS}),
        (["v/images/v_1.JPEG"], [1], SYNSETS, "tiny-imagenet's val_annotations.txt in the folder"),
    ),
    "tiny-imagenet's train folder": (
        {f"train/{name}/{what}": "" for name in SYNSETS for what in ("boxes.txt", "images/1.JPEG")},
        ("train", PICTURE, {}),
        ([f"train/{name}/images/1.JPEG" for name in SYNSETS], [0, 1, 2], SYNSETS, "class folders"),
    ),
    "Kinetics' csv": (
        {
            "val.csv": "label,youtube_id,time_start,time_end,split\nb,-x,1,11,val\na,y,0,9,train\n",
            "val/-x_000001_000011.mp4": "",
        },
        ("val.csv", VIDEO, {"use": "val", "class_names": ("a", "b")}),
        (
            ["val/-x_000001_000011.mp4"],
            [1],
            ("a", "b"),
            "Kinetics' csv, split val, 1 lines of other splits left out",
        ),
    ),
    "UCF-101's split file": (
        {
            "trainlist01.txt": "YoYo/1.avi 1\n",
            "classInd.txt": "1 YoYo\n2 Air\n",
            "U/YoYo/1.avi": "",
        },
        ("trainlist01.txt", VIDEO, {}),
        (
            ["U/YoYo/1.avi"],
            [0],
            ("YoYo", "Air"),
            "UCF-101's split file with classInd.txt, files in U/",
        ),
    ),
    "HMDB-51's split files": (
        {"s/a_test_split1.txt": "1.avi 2\n", "s/b_test_split1.txt": "1.avi 1\n", "h/b/1.avi": ""},
        ("s/*_test_split1.txt", VIDEO, {"root": "h"}),
        (["h/b/1.avi"], [1], ("a", "b"), "HMDB-51's split files, use train"),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_people_have_is_read(case, tmp_path, monkeypatch):
    there, (source, kind, options), expected = CASES[case]
    monkeypatch.chdir(tmp_path)
    for name, text in there.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    files = labelled_files(source, kind, **options)
    paths, labels, names, form = expected
    assert (files.paths, files.labels) == (tuple(paths), tuple(labels))
    assert (files.class_names, files.form) == (names, form)


def test_contents_are_told_in_a_line(tmp_path):
    (tmp_path / "list.txt").write_text("".join(f"/{i}.jpg {i % 1000}\n" for i in range(5000)))
    files = labelled_files(tmp_path / "list.txt", PICTURE)
    assert files.contents(PICTURE) == "5,000 pictures of 1,000 classes, from a Caffe list"
    names = [f"n{i}" for i in range(1200)]
    files = labelled_files(tmp_path / "list.txt", PICTURE, names)
    assert files.contents(PICTURE).startswith("5,000 pictures of 1,000 of the 1,200 classes, from")
    assert len(files) == 5000


def test_a_home_folder_is_expanded_in_source_and_root(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpg").touch()
    (tmp_path / "list.txt").write_text("a.jpg 0\n")
    files = labelled_files("~/list.txt", PICTURE, root="~/in")
    assert files.paths == (f"{tmp_path}/in/a.jpg",)


def test_what_is_no_list_is_named(tmp_path):
    with pytest.raises(InputError, match="gone.txt: No such file"):
        labelled_files(tmp_path / "gone.txt", PICTURE)
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="binary.txt: not a text file"):
        labelled_files(tmp_path / "binary.txt", PICTURE)
    for text in ("", "\n# nothing\n"):
        (tmp_path / "empty.txt").write_text(text)
        with pytest.raises(
            InputError, match="empty.txt: no pictures in it, expected class folders"
        ):
            labelled_files(tmp_path / "empty.txt", PICTURE)
    with pytest.raises(InputError, match="use 'test', allowed are train and val"):
        labelled_files(tmp_path, PICTURE, use="test")
