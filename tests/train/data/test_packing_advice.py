import re

import numpy as np

from gluon_glore.data.labelled_pictures import open_pictures
from tests.helpers.class_folders import write_class_folders
from train.data import packing_advice as module
from train.data.packing_advice import packing_advice

TIMES = r"[0-9.e+-]+ ms a picture; from records of python -m train.pack {} it is [0-9.e+-]+ ms "


def test_a_line_says_what_files_and_records_take_and_the_command(tmp_path):
    photos = write_class_folders(tmp_path / "photos", size=(90, 80), cat=20, dog=12)
    files = open_pictures(photos)
    said = f"32 files are read and decoded each epoch, {TIMES}"
    line = packing_advice(files, (28, 28), 1)
    command = re.escape(f"{photos} OUT --resize 60")  # as 480 is to 224
    assert re.fullmatch(said.format(command) + r"\(20 tried\)", line)
    line = packing_advice(files, (28, 56), 1, root="there")
    assert f"train.pack {photos} OUT --root there --resize 60 " in line
    rest, _ = files.split(0.25, seed=0)
    line = packing_advice(rest, (28, 28), 1)
    assert "train.pack SRC OUT --resize 60" in line and str(photos) not in line
    assert line.endswith("(20 tried, SRC being without those that are set aside)")


def test_records_are_timed_of_the_bytes_that_they_would_keep(tmp_path, monkeypatch):
    photos = write_class_folders(tmp_path / "photos", size=(90, 80), cat=1)
    large = write_class_folders(tmp_path / "large", size=(900, 800), cat=1)
    seen = []

    def decode(data, channels):
        seen.append(data)
        return np.zeros((90, 80, 3) if len(data) < 20_000 else (900, 800, 3), np.uint8)

    monkeypatch.setattr(module, "decode_image", decode)
    packing_advice(open_pictures(photos, ["cat"]), (64, 64), 3)
    assert seen == [(photos / "cat/000.png").read_bytes()] * 5  # too small to be shrunk: as it is
    seen.clear()
    packing_advice(open_pictures(large, ["cat"]), (64, 64), 3)
    original = (large / "cat/000.png").read_bytes()
    assert seen[:3] == [original] * 3 and len(seen) == 5
    assert seen[3] == seen[4] and seen[3].startswith(b"\xff\xd8")


def test_pictures_that_can_not_be_read_are_passed_over(tmp_path):
    photos = write_class_folders(tmp_path / "photos", cat=3)
    (photos / "cat/001.png").write_bytes(b"no picture")
    assert packing_advice(open_pictures(photos, ["cat"]), (64, 64), 1).endswith("(2 tried)")
    for file in photos.glob("*/*"):
        file.write_bytes(b"no picture")
    assert packing_advice(open_pictures(photos, ["cat"]), (64, 64), 1) is None
