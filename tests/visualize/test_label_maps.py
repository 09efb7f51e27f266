import os

import cv2
import numpy as np
import pytest

from gluon_glore import InputError
from gluon_glore.data.cityscapes import CLASS_NAMES, CLASSES, IGNORE, to_ids
from gluon_glore.data.image import encode_png, write_png
from gluon_glore.data.sources import Place
from gluon_glore.visualize.label_maps import LabelMapFolder, Palette

EVERY = np.arange(len(CLASS_NAMES), dtype=np.uint8).reshape(1, -1)


def read(path):
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    return picture[..., ::-1] if picture.ndim == 3 else picture


def test_cityscapes_classes_have_its_colors_and_label_ids():
    palette = Palette(CLASS_NAMES)
    assert palette.cityscapes
    assert palette.color(EVERY)[0].tolist() == [list(label.color) for label in CLASSES]
    assert palette.label_ids(EVERY)[0].tolist() == [label.id for label in CLASSES]
    ignored = np.uint8([[0, IGNORE, 18]])
    assert np.array_equal(palette.label_ids(ignored), to_ids(ignored))
    assert palette.color(ignored)[0, 1].tolist() == [0, 0, 0]


def test_some_of_cityscapes_classes_in_another_order_keep_their_colors_and_ids():
    palette = Palette(("sky", "road"))
    assert palette.cityscapes
    assert palette.label_ids(np.uint8([[0, 1, IGNORE]])).tolist() == [[23, 7, 0]]
    assert palette.color(np.uint8([[0, 1]])).tolist() == [[[70, 130, 180], [128, 64, 128]]]


def test_other_classes_have_colors_of_their_own_that_stay_and_their_numbers_as_ids():
    names = tuple(map(str, range(60)))
    palette, classes = Palette(names), np.arange(60, dtype=np.uint8).reshape(6, 10)
    colors = palette.color(classes).reshape(-1, 3)
    assert len({tuple(color) for color in colors.tolist()}) == 60
    assert not (colors == 0).all(axis=1).any()
    assert not palette.cityscapes and np.array_equal(palette.label_ids(classes), classes)
    mixed = Palette(("x", "road", *names[2:]))
    assert not mixed.cityscapes
    assert mixed.color(classes).reshape(-1, 3)[2:].tolist() == colors[2:].tolist()
    assert mixed.color(np.uint8([[1]])).tolist() == [[[128, 64, 128]]]


def test_a_legend_tells_colors_that_nobody_knows(tmp_path):
    LabelMapFolder(tmp_path / "own", ("cat", "road", "chien, père"))
    lines = (tmp_path / "own" / "color_legend.txt").read_text(encoding="utf-8").splitlines()
    assert [line.split("\t")[1] for line in lines] == ["cat", "road", "chien, père"]
    palette = Palette(("cat", "road", "chien, père"))
    colors = [list(map(int, line.split("\t")[0].split())) for line in lines]
    assert colors == palette.color(np.uint8([[0, 1, 2]]))[0].tolist()
    assert colors[1] == [128, 64, 128]
    LabelMapFolder(tmp_path / "city", CLASS_NAMES)
    assert os.listdir(tmp_path / "city") == []


def test_an_overlay_is_half_picture_half_color_also_of_grey():
    palette = Palette(CLASS_NAMES)
    classes = np.zeros((2, 2), np.uint8)
    for channels in (1, 3):
        overlay = palette.overlay(np.full((2, 2, channels), 100, np.uint8), classes)
        assert overlay[0, 0].tolist() == [114, 82, 114]
        assert (overlay.dtype, overlay.shape) == (np.uint8, (2, 2, 3))


def test_three_files_are_written_and_read_back(tmp_path):
    folder = LabelMapFolder(tmp_path / "new" / "out", CLASS_NAMES)
    place = Place("/pictures/sub/a.b.jpg", "sub/a.b.jpg")
    picture = np.random.RandomState(0).randint(0, 256, (1, 19, 3)).astype("uint8")
    paths = folder.write(folder.name(place), picture, EVERY)
    assert {kind: str(path.relative_to(tmp_path)) for kind, path in paths.items()} == {
        kind: f"new/out/sub/a.b_{kind}.png" for kind in ("overlay", "color", "labelIds")
    }
    palette = Palette(CLASS_NAMES)
    assert np.array_equal(read(paths["overlay"]), palette.overlay(picture, EVERY))
    assert np.array_equal(read(paths["color"]), palette.color(EVERY))
    ids = read(paths["labelIds"])
    assert (ids.dtype, ids.ndim) == (np.uint8, 2) and np.array_equal(ids, palette.label_ids(EVERY))
    assert len(list((tmp_path / "new" / "out" / "sub").iterdir())) == 3


def test_frames_are_told_apart_by_their_number(tmp_path):
    folder = LabelMapFolder(tmp_path, CLASS_NAMES)
    assert folder.name(Place("/x/v.avi", "v.avi", 12, 0.5)) == "v_000012"
    assert folder.name(Place("-", "-", 3)) == "stdin_000003"


def test_files_of_two_pictures_that_would_be_called_alike_are_refused(tmp_path):
    folder = LabelMapFolder(tmp_path, CLASS_NAMES)
    folder.name(Place("/x/a.jpg", "a.jpg"))
    folder.name(Place("/x/a.jpg", "a.jpg"))  # the same once more
    folder.name(Place("/x/sub/a.jpg", "sub/a.jpg"))
    folder.name(Place("/v.avi", "v.avi", 1))
    for other in (
        Place("/y/a.jpg", "a.jpg"),
        Place("/x/a.png", "a.png"),
        Place("/v_000001.png", "v_000001.png"),
    ):
        with pytest.raises(InputError, match="would overwrite those of /"):
            folder.name(other)


def test_a_folder_that_can_not_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="file: File exists"):
        LabelMapFolder(tmp_path / "file", CLASS_NAMES)


def test_on_a_full_disk_the_file_before_stays(mount):
    place = mount("size=64k")
    path = place / "a.png"
    write_png(path, np.zeros((4, 4), np.uint8))
    before = path.read_bytes()
    noise = np.random.RandomState(0).randint(0, 256, (300, 300, 3)).astype("uint8")
    with pytest.raises(InputError, match="a.png: No space left"):
        write_png(path, noise)
    assert path.read_bytes() == before and os.listdir(place) == ["a.png"]


def test_png_bytes_keep_rgb():
    picture = np.uint8([[[255, 0, 10]]])
    decoded = cv2.imdecode(np.frombuffer(encode_png(picture), np.uint8), cv2.IMREAD_COLOR)
    assert decoded.tolist() == [[[10, 0, 255]]]
