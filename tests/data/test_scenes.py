from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from gluon_glore import InputError
from gluon_glore.data.cityscapes import CLASSES, IGNORE, to_train_ids
from gluon_glore.data.records import BadRecord
from gluon_glore.data.scenes import Scenes, check_scenes, layout_of, read_all
from tests.helpers.damaged_records import count_bad
from tests.helpers.places import ROOT
from tests.helpers.scene_folders import like_voc, palette_png, section_of
from tests.helpers.scenes import png, write_scenes

REAL = ROOT.parent / "shared" / "data" / "camvid"


@pytest.fixture
def root(tmp_path):
    write_scenes(tmp_path)
    return tmp_path


def test_scenes_come_in_order_of_their_names_with_train_ids(tmp_path):
    written = write_scenes(tmp_path)
    scenes = Scenes(tmp_path, "train")
    assert len(scenes) == len(scenes.pictures) == len(scenes.labels) == 5
    assert [path.parent.name for path in scenes.pictures] == ["aachen"] * 2 + ["bonn"] * 3
    for i, (picture, ids) in enumerate(written):
        seen, train_ids = scenes[i]
        assert np.array_equal(seen, picture) and np.array_equal(scenes.picture(i), picture)
        assert np.array_equal(train_ids, to_train_ids(ids))
        assert (seen.dtype, train_ids.dtype) == (np.uint8, np.uint8)
    assert scenes.name(2).endswith("train/bonn/bonn_000000_000019_leftImg8bit.png")
    assert Path(scenes.name(0)).is_file()


def test_several_threads_read_what_one_does(root):
    scenes = Scenes(root, "train")
    with ThreadPoolExecutor(4) as pool:
        for i, (picture, label) in zip(
            [0, 1, 2, 3, 4] * 8, pool.map(scenes.__getitem__, [*range(5)] * 8)
        ):
            assert np.array_equal(picture, scenes[i][0]) and np.array_equal(label, scenes[i][1])


def test_pictures_without_labels_are_read_where_none_are_asked_for(root):
    for label in (root / "gtFine").rglob("*.png"):
        label.unlink()
    scenes = Scenes(root, "train", labelled=False)
    assert scenes.labels is None
    picture, label = scenes[0]
    assert picture.shape == (30, 40, 3) and label is None


def test_what_is_no_picture_is_passed_over(root):
    for stray in (
        "leftImg8bit/train/.DS_Store",
        "leftImg8bit/train/bonn/._bonn_000000_000019_leftImg8bit.png",
        "leftImg8bit/train/license.txt",
        "gtFine/train/bonn/bonn_000000_000019_gtFine_color.png",
        "gtFine/train/bonn/bonn_000009_000019_gtFine_labelIds.png",  # more labels do no harm
    ):
        (root / stray).write_bytes(b"")
    assert len(Scenes(root, "train")) == 5


def test_a_missing_folder_is_named_with_what_is_expected_and_what_is_there(root):
    tree = "expected .*/leftImg8bit/{}/CITY/.*_leftImg8bit.png"
    with pytest.raises(InputError, match=f"gone: no such folder, {tree.format('train')}$"):
        Scenes(root / "gone", "train")
    with pytest.raises(
        InputError, match=f"bonn/leftImg8bit: no such .*{tree.format('val')}; .*bonn has no folder"
    ):
        Scenes(root / "gtFine" / "train" / "bonn", "val")
    with pytest.raises(InputError, match="leftImg8bit/val: no such .*; .*leftImg8bit has train$"):
        Scenes(root, "val")
    (root / "leftImg8bit" / "val").mkdir()
    with pytest.raises(InputError, match="leftImg8bit/val: no picture in it, expected CITY/"):
        Scenes(root, "val")


def test_an_archive_that_was_not_unpacked_is_named(root):
    (root / "gtFine").rename(root / "elsewhere")
    (root / "gtFine_trainvaltest.zip").write_bytes(b"")
    with pytest.raises(
        InputError, match=r"_labelIds.png; .* gtFine_trainvaltest.zip \(not unpacked\)"
    ):
        Scenes(root, "train")


def test_missing_labels_are_counted_and_the_first_is_named(root):
    for i in (0, 2):
        (root / f"gtFine/train/bonn/bonn_{i:06d}_000019_gtFine_labelIds.png").unlink()
    message = "bonn_000000_000019_gtFine_labelIds.png: no such file, 2 of 5 pictures have no label"
    with pytest.raises(InputError, match=message):
        Scenes(root, "train")


def refused(path, message):
    """Reading the first scene is refused, with the file's name; the next one reads."""
    scenes = Scenes(path.parents[3], "train")
    with pytest.raises(BadRecord, match=f"{path.name}: {message}"):
        scenes[0]
    assert len(scenes[1]) == 2


@pytest.mark.parametrize("kind", ["pictures", "labels"])
def test_damaged_files_are_named_wherever_they_are_cut_or_changed(root, kind):
    path = getattr(Scenes(root, "train"), kind)[0]
    whole = path.read_bytes()
    # The last 12 bytes say that it ends; before them lie a checksum and the last pixels.
    for length in (0, 4, 20, 33, 60, len(whole) // 2, len(whole) - 20, len(whole) - 12):
        path.write_bytes(whole[:length])
        refused(path, "not a readable picture")
    for place in (1, 18, 45, len(whole) // 2, len(whole) - 20, len(whole) - 14):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        refused(path, "not a readable picture")
    path.write_bytes(whole)
    assert len(Scenes(root, "train")[0]) == 2


def test_a_file_that_can_not_be_read_is_named(root):
    path = Scenes(root, "train").pictures[0]
    path.unlink()
    path.symlink_to("gone")
    refused(path, "No such file or directory")
    path.unlink()
    path.mkdir()
    refused(path, "Is a directory")


def test_labels_that_are_not_one_channel_of_8_bits_are_refused(root):
    path = Scenes(root, "train").labels[0]
    ids = np.full((30, 40), 7, np.uint8)
    jpeg = cv2.imencode(".jpg", ids)[1].tobytes()
    posing = jpeg[:2] + b"\xff\xfe\x00\x2a" + b"\x08\x00" * 20 + jpeg[2:]  # in a comment
    one_bit = cv2.imencode(".png", ids % 2, [cv2.IMWRITE_PNG_BILEVEL, 1])[1].tobytes()
    for data in (png(np.stack([ids] * 3, -1)), png(ids.astype(np.uint16)), jpeg, posing, one_bit):
        path.write_bytes(data)
        refused(path, "a label file is a PNG of one channel of 8 bits, this is not")


def test_label_ids_out_of_range_and_sizes_that_differ_are_refused(root):
    path = Scenes(root, "train").labels[0]
    ids = np.full((30, 40), 33, np.uint8)
    path.write_bytes(png(ids))
    assert (Scenes(root, "train")[0][1] == 18).all()
    ids[29, 39] = 34
    path.write_bytes(png(ids))
    refused(path, "label id 34 is no label's, 0 to 33 allowed")
    path.write_bytes(png(ids[:, :39] // 2))
    refused(path, "30x39 pixels, the picture has 30x40")


def test_bad_scenes_are_counted_as_bad_records_are(root, capsys):
    scenes = Scenes(root, "train")
    scenes.labels[3].write_bytes(b"")
    bad = count_bad(scenes, 0.2)

    def attempt(index):
        try:
            scenes[index]
        except BadRecord as error:
            bad.meet(index, error)

    bad.agree([3], [1], attempt)
    assert bad.known == {3}
    assert f"skipped {scenes.labels[3]}: not a readable picture" in capsys.readouterr().err
    with pytest.raises(InputError, match="leftImg8bit/train: more than 0 of 5 records are bad"):
        count_bad(Scenes(root, "train")).agree([3], [1], attempt)


def test_the_preflight_lets_chance_pass_and_refuses_more(tmp_path):
    write_scenes(tmp_path, cities={"bonn": 120})
    scenes = Scenes(tmp_path, "train")
    check_scenes(scenes, max_bad=0.0)
    scenes.labels[0].write_bytes(b"")
    check_scenes(scenes, max_bad=0.01)  # one of 20, but then one of 120 is allowed
    with pytest.raises(InputError, match="1 of 20 scenes tried are bad, as .*bonn_000000_000019"):
        check_scenes(scenes, max_bad=0.005)
    scenes.pictures[119].write_bytes(b"")
    with pytest.raises(InputError, match="2 of 20 scenes tried are bad"):
        check_scenes(scenes, max_bad=0.01)
    check_scenes(scenes, max_bad=0.1)


def own(keys, split="train", **options):
    """The scenes of a `data` section of such keys."""
    section = section_of(**keys)
    return Scenes(section.root, getattr(section, split), layout=layout_of(section), **options)


@pytest.fixture
def voc(root, tmp_path):
    return like_voc(root, tmp_path / "voc", ["train"])


def test_vocs_folders_hold_what_cityscapes_do(root, voc):
    theirs, ours = Scenes(root, "train"), own(voc)
    assert ours.contents() == theirs.contents() == "5 scenes of 19 classes"
    assert ours.path.name == "train.txt" and ours.name(0).endswith(
        "voc/JPEGImages/train_aachen_000000_000019.png"
    )
    for i in range(5):
        for mine, other in zip(ours[i], theirs[i]):
            assert np.array_equal(mine, other) and mine.dtype == other.dtype


def test_scenes_of_a_list_come_in_its_order_and_others_stay_out(voc):
    list_of = Path(voc["root"]) / voc["train"]
    names = list_of.read_text().split()
    list_of.write_text("\n".join([names[3], names[0]]))
    assert [path.stem for path in own(voc).pictures] == [names[3], names[0]]


def test_ade20ks_folders_are_read_with_their_splits(root, tmp_path):
    ade = tmp_path / "ade"
    for i, split in enumerate(("training", "validation", "validation")):
        for kind, suffix in (("images", "jpg"), ("annotations", "png")):
            (ade / kind / split).mkdir(parents=True, exist_ok=True)
            pixels = np.full((4, 6, 3)[: 3 - (suffix == "png")], i, np.uint8)
            encoded = cv2.imencode(f".{suffix}", pixels)[1].tobytes()
            (ade / kind / split / f"{9 - i}.{suffix}").write_bytes(encoded)
    (tmp_path / "names.txt").write_text("1\twall\n2\tsky\n")
    keys = {"root": str(ade), "pictures": "images/{split}", "labels": "annotations/{split}"}
    keys |= {"train": "training", "val": "validation", "ignore": [0]}
    keys |= {"classes": str(tmp_path / "names.txt")}
    assert (own(keys)[0][1] == IGNORE).all()
    scenes = own(keys, "val")
    assert [path.name for path in scenes.pictures] == ["7.jpg", "8.jpg"]
    assert [int(scenes[i][1].max()) for i in (0, 1)] == [1, 0]
    assert scenes.contents() == "2 scenes of 2 classes"


def test_an_unlabelled_picture_and_sizes_that_differ_are_named(voc):
    label = own(voc).labels[1]
    whole = label.read_bytes()
    label.write_bytes(palette_png(np.zeros((4, 5), np.uint8)))
    with pytest.raises(BadRecord, match=f"{label}: 4x5 pixels, the picture has 30x40"):
        own(voc)[1]
    label.unlink()
    with pytest.raises(InputError, match=f"{label}: no such file, 1 of 5 pictures have no label"):
        own(voc)
    assert own(voc, labelled=False)[1][1] is None
    label.with_suffix(".gif").write_bytes(whole)
    with pytest.raises(InputError, match="1 of 5 pictures have no label"):
        own(voc)


def test_an_id_that_no_class_has_makes_its_scene_bad(voc):
    scenes = own(voc)
    scenes.labels[2].write_bytes(palette_png(np.full((30, 40), 40, np.uint8)))
    with pytest.raises(BadRecord, match=f"{scenes.labels[2]}: id 40: neither a class of .*txt nor"):
        scenes[2]
    check_scenes(scenes, max_bad=0.2)
    assert len(scenes[1]) == 2


def test_classes_that_are_not_the_labels_are_found_before_a_run(tmp_path):
    """Of 60 labels 3 have other ids; none of them is among the 20 scenes that are tried."""
    write_scenes(tmp_path, cities={"bonn": 60})
    scenes = own(like_voc(tmp_path, tmp_path / "voc", ["train"]))
    strange = [1, 2, 4]
    assert not {*strange} & {*np.linspace(0, 59, 20).astype(int)}
    for i in strange:
        scenes.labels[i].write_bytes(palette_png(np.full((30, 40), 100 + i, np.uint8)))
    with pytest.raises(InputError) as error:
        check_scenes(scenes, max_bad=0.01)
    told = "3 of 60 labels looked at hold ids 101, 102, 104, neither one of the 19 classes of "
    assert told in str(error.value) and str(scenes.labels[1]) in str(error.value)
    check_scenes(scenes, max_bad=0.1)


def test_a_mistaken_table_names_its_ids(voc):
    Path(voc["classes"]).write_text("road\nsky\n")
    with pytest.raises(InputError, match=r"5 of 5 labels looked at hold ids 2, 3, 4, 5, 6 and 27 "):
        check_scenes(own({**voc, "ignore": [255]}), max_bad=0.01)
    with pytest.raises(InputError, match="classes are taken, given 0 that are not ignored"):
        own(voc)


def test_reading_all_names_every_bad_scene(voc, capsys):
    scenes = own(voc)
    read_all(scenes)
    scenes.labels[1].write_bytes(b"")
    scenes.pictures[4].write_bytes(b"")
    with pytest.raises(InputError, match="train.txt: 2 of 5 scenes are bad"):
        read_all(scenes)
    bad = [line for line in capsys.readouterr().err.splitlines() if line.startswith("bad ")]
    assert len(bad) == 2
    assert str(scenes.labels[1]) in bad[0] and str(scenes.pictures[4]) in bad[1]


def test_a_folder_without_pictures_says_what_is_in_it(voc):
    with pytest.raises(InputError, match=r"no picture in it, expected \*\.jpg or another "):
        own({**voc, "pictures": "ImageSets"})
    with pytest.raises(InputError, match="config key data.pictures: expected a folder, FOLDER/"):
        own({**voc, "pictures": "P*"})


@pytest.mark.skipif(
    not REAL.is_dir(), reason="../shared/data/camvid, real street scenes, is absent"
)
def test_real_street_scenes_are_read_and_have_classes():
    counts = np.zeros(256, int)
    for split, expected in (("train", 120), ("val", 40)):
        scenes = Scenes(REAL, split)
        assert len(scenes) == expected
        check_scenes(scenes, max_bad=0.0)
        for i in range(0, expected, 20):
            picture, label = scenes[i]
            assert picture.shape == (360, 480, 3) and label.shape == (360, 480)
            counts += np.bincount(label.ravel(), minlength=256)
    assert counts[CLASSES[0].train_id] > 0.1 * counts.sum()  # road
    assert counts.sum() == counts[:19].sum() + counts[IGNORE]
