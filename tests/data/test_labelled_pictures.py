import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from gluon_glore import InputError
from gluon_glore.data.image import PIXELS_VARIABLE
from gluon_glore.data.labelled_pictures import PictureSource, open_pictures, pictures_for
from gluon_glore.data.records import BadRecord, RecordDataset, write_records
from tests.helpers.class_folders import write_class_folders

NAMES = ("cat", "dog", "eel")


@pytest.fixture
def photos(tmp_path):
    return write_class_folders(tmp_path / "photos", size=(4, 4), cat=3, dog=2, eel=4)


def samples(pictures):
    return [pictures[i] for i in range(len(pictures))]


def test_files_are_read_in_order_of_class_and_path_with_their_labels(photos):
    pictures = open_pictures(photos)
    files = sorted(photos.glob("*/*.png"))
    assert pictures.path == photos and pictures.class_names == NAMES
    assert [pictures.name(i) for i in range(9)] == list(pictures.paths) == list(map(str, files))
    assert samples(pictures) == [(f.read_bytes(), NAMES.index(f.parent.name)) for f in files]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(pictures.__getitem__, [*range(9)] * 9)) == samples(pictures) * 9
    assert pictures.contents().startswith("9 pictures of 3 classes, from ")


def test_a_list_has_its_own_order_and_its_paths_a_root(photos, tmp_path):
    (tmp_path / "list.txt").write_text("eel/001.png\teel\ncat/000.png\tcat\n")
    pictures = open_pictures(tmp_path / "list.txt", NAMES, root=str(photos))
    assert samples(pictures) == [
        ((photos / "eel/001.png").read_bytes(), 2),
        ((photos / "cat/000.png").read_bytes(), 0),
    ]
    assert pictures.contents().startswith("2 pictures of 2 of the 3 classes, from ")


def test_a_file_that_is_gone_hangs_or_is_too_large_is_a_bad_record_by_name(photos, monkeypatch):
    pictures = open_pictures(photos)
    files = [photos / "cat" / f"{i:03d}.png" for i in range(3)]
    files[0].unlink()
    files[1].unlink()
    os.mkfifo(files[1])
    files[2].write_bytes(b"text")  # which is found where it is decoded, as of records
    monkeypatch.setenv(PIXELS_VARIABLE, "1")
    size = (photos / "dog/000.png").stat().st_size
    for i, reason in enumerate(["No such file", "a named pipe", None, f"{size} bytes, at most"]):
        if reason:
            with pytest.raises(BadRecord, match=f"^{pictures.name(i)}: {reason}"):
                pictures[i]
        else:
            assert pictures[i] == (b"text", 0)


def test_of_other_classes_than_the_training_sets_one_may_lack_and_none_be_new(photos):
    for file in (photos / "dog").iterdir():
        file.unlink()
    (photos / "dog").rmdir()
    assert {label for _, label in samples(open_pictures(photos, NAMES))} == {0, 2}
    assert open_pictures(photos).class_names == ("cat", "eel")
    with pytest.raises(InputError, match="class 'eel' is not among"):
        open_pictures(photos, ("cat", "dog"))
    with pytest.raises(InputError, match="photos: 2 classes, 3 are needed"):
        open_pictures(photos, classes=3)


def test_records_are_opened_as_they_are_and_say_the_names_beside_them(tmp_path):
    write_records(tmp_path / "a.rec", [(b"x", 0), (b"y", 2)])
    assert open_pictures(tmp_path / "a.rec").class_names is None
    assert open_pictures([tmp_path / "a.rec"])[1] == (b"y", 2)
    with pytest.raises(InputError, match="label 2 is out of range, 0 to 1 allowed"):
        open_pictures(tmp_path / "a.rec", ("cat", "dog"))[1]
    (tmp_path / "a.classes.txt").write_text("cat\ndog\neel\n")
    opened = open_pictures(tmp_path / "a.rec", classes=3)
    assert type(opened) is RecordDataset and opened.class_names == NAMES
    with pytest.raises(InputError, match="none.rec: no such file"):
        open_pictures(tmp_path / "none.rec")


def test_several_sources_are_records_all(photos, tmp_path):
    write_records(tmp_path / "a.rec", [(b"x", 0)])
    with pytest.raises(InputError, match="a.rec, .*photos: one folder, one list, or several .rec"):
        open_pictures([tmp_path / "a.rec", photos])


def test_those_that_a_run_set_aside_are_found_again_or_it_is_said_that_they_can_not(photos):
    rest, aside = open_pictures(photos).split(0.3, seed=1)
    assert (len(rest), len(aside)) == (6, 3)
    assert {*rest.paths}.isdisjoint(aside.paths)
    assert "(3 of the 9 are set aside)" in rest.contents()
    assert open_pictures(photos).whole and not rest.whole and not aside.whole
    assert "(set aside of 9)" in aside.contents()
    source = PictureSource(str(photos), share=0.3, seed=1, rest=6)
    again = pictures_for("runs/a", NAMES, source)
    assert again.paths == aside.paths and samples(again) == samples(aside)
    (photos / "cat/new.png").write_bytes(b"x")
    with pytest.raises(InputError, match=r"photos: 7 pictures .*, 6 when runs/a was trained: "):
        pictures_for("runs/a", NAMES, source)
    alone = write_class_folders(photos.parent / "alone", size=(4, 4), cat=1, dog=1)
    with pytest.raises(InputError, match="alone: no class has two samples"):
        open_pictures(alone).split(0.3, seed=1)
