import pytest

from gluon_glore import InputError
from gluon_glore.data.lists.kinds import PICTURE, VIDEO
from gluon_glore.data.lists.tables import read_table

HEADER = "label,youtube_id,time_start,time_end,split"
DRUM, SEIL = '"air drumming",-a_b,5,15,train', "abseiling,--c,000010,20.0,train"


@pytest.fixture
def read(tmp_path):
    """A function that reads lines beside files of these names: (form, {path: class})."""

    def read(text, *files, kind=VIDEO, use="train"):
        for name in files:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        listing = read_table("x.csv", text.split("\n"), kind, str(tmp_path), use)
        paths = [path.removeprefix(f"{tmp_path}/") for path in listing.paths]
        return listing.form.replace(f"{tmp_path}/", ""), dict(zip(paths, listing.classes))

    return read


@pytest.mark.parametrize(
    "folders",
    [
        ("", ""),
        ("train/", "train/"),
        ("air drumming/", "abseiling/"),
        ("air_drumming/", "abseiling/"),
        ("train/air_drumming/", "train/abseiling/"),
        ("train/air drumming/", ""),
    ],
)
def test_videos_of_kinetics_are_found_in_every_layout(read, folders):
    files = (f"{folders[0]}-a_b_000005_000015.mp4", f"{folders[1]}--c_000010_000020.mkv")
    form, found = read(f"{HEADER}\n{DRUM}\n\n{SEIL}", *files)
    assert found == dict(zip(files, ("air drumming", "abseiling")))
    assert form == "Kinetics' csv, split train"


def test_videos_of_kinetics_may_be_in_a_folder_that_is_said(read):
    form, found = read(f"{HEADER}\n{SEIL}\n{DRUM}", "videos/abseiling/--c_000010_000020.mp4")
    assert list(found) == [
        "videos/abseiling/--c_000010_000020.mp4",
        "videos/-a_b_000005_000015.mp4",  # missing, which others count
    ]
    assert form == "Kinetics' csv, split train, files in videos/"


def test_lines_of_another_split_are_left_out_and_this_is_said(read):
    text = f"{HEADER}\n{DRUM}\nyo-yo,d,0,10,validate\nyo-yo,e,0,10,val\nyo-yo,f,0,10,test"
    files = ("-a_b_000005_000015.mp4", "d_000000_000010.mp4", "validate/e_000000_000010.mp4")
    assert read(text, *files) == (
        "Kinetics' csv, split train, 3 lines of other splits left out",
        {files[0]: "air drumming"},
    )
    form, found = read(text, use="val")
    assert form == "Kinetics' csv, split val, 2 lines of other splits left out"
    assert found == {files[1]: "yo-yo", files[2]: "yo-yo"}
    with pytest.raises(InputError, match="x.csv: no line of split val, its lines are of train: "):
        read(f"{HEADER}\n{DRUM}", use="val")


def test_columns_are_known_by_their_names(read):
    text = "is_cc,time_end,label,time_start,youtube_id\n0,15,a,5,-a_b"
    assert read(text, "-a_b_000005_000015.mp4") == (
        "Kinetics' csv",
        {"-a_b_000005_000015.mp4": "a"},
    )


def test_another_first_line_is_another_list():
    for text, kind in (("a.mp4,0", VIDEO), (HEADER, PICTURE), (KAGGLE, VIDEO), ("", VIDEO)):
        assert read_table("x.csv", [text], kind, "", "train") is None


KAGGLE = "ImageId,PredictionString"
BOXES = "n01443537 85 1 499 272 n01443537 8 1 49 27"


def test_kaggles_ids_are_found_by_their_stem_and_are_of_their_boxes_class(read):
    text = f"{KAGGLE}\nval_1,{BOXES}\nval_2,n01440764 1 2 3 4 "
    found = {"val/val_1.JPEG": "n01443537", "val/val_2.jpg": "n01440764"}
    assert read(text, *found, kind=PICTURE) == ("ImageNet's Kaggle csv, files in val/", found)


def test_kaggles_training_pictures_are_in_their_class_folders(read):
    found = {"n01443537/n01443537_1.JPEG": "n01443537"}
    assert read(f"{KAGGLE}\nn01443537_1,{BOXES}", *found, kind=PICTURE)[1] == found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("youtube_id,time_start,time_end,split\na,1,2,test", "x.csv: no column label"),
        (f"{HEADER}\n{DRUM}\n,a,1,2,train", "x.csv line 3: expected label, youtube_id, and time_"),
        (f"{HEADER}\na,,1,2,train", "x.csv line 2: expected label, youtube_id"),
        (f"{HEADER}\na,../b,1,2,train", "x.csv line 2: expected label, youtube_id"),
        (f"{HEADER}\na,b,1.5,2,train", "x.csv line 2: expected label, .* in whole seconds"),
        (f"{HEADER}\n# x\na,b,1,2", "x.csv line 3: expected label,.*,split, given 'a,b,1,2'"),
        (f'{HEADER}\n"a,b,1,2,train', "x.csv line 2: expected label"),
        (
            f"{HEADER}\n{DRUM}",
            "x.csv: no video -a_b_000005_000015 or another of the list in .* root",
        ),
    ],
)
def test_lines_of_kinetics_of_no_use_are_named(read, text, message):
    with pytest.raises(InputError, match=message):
        read(text)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "val_1,n01443537 1 2 3 4 n01440764 1 2 3 4",
            "boxes of 2 classes, n01440764 and n01443537",
        ),
        ("val_1,n01443537 1 2 3", "expected ImageId, and a synset and a box of four numbers once"),
        ("val_1,fish 1 2 3 4", "expected ImageId, and a synset"),
        ("val_1,", "expected ImageId, and a synset"),
        (",n01443537 1 2 3 4", "expected ImageId, and a synset"),
    ],
)
def test_lines_of_kaggles_of_no_use_are_named(read, line, message):
    with pytest.raises(InputError, match=f"x.csv line 3: {message}"):
        read(f"{KAGGLE}\nval_0,{BOXES}\n{line}", kind=PICTURE)
