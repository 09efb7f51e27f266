import numpy as np
import pytest

from gluon_glore.data.image import decode_image
from gluon_glore.data.records import RecordDataset
from gluon_glore.utils.errors import InputError
from train.data.pack_records import encode_jpeg, pack_files, run


def encode(item):
    if item < 0:
        raise InputError(f"{item}: bad")
    return bytes([item])


def test_good_items_are_kept_in_order_with_labels_and_bad_ones_named(tmp_path, capsys):
    samples = [(7, 1), (-1, 0), (5, 0), (9, 1)]
    counts = pack_files(
        "src", tmp_path / "x", samples, ["a", "b"], encode, max_bad=0.25, threads=3, kind="item"
    )
    assert counts == (3, 2, 1)
    assert "skipped -1: bad" in capsys.readouterr().err
    dataset = RecordDataset(tmp_path / "x.rec", 2)
    assert [dataset[i] for i in range(len(dataset))] == [(b"\7", 1), (b"\5", 0), (b"\t", 1)]
    assert (tmp_path / "x.classes.txt").read_text() == "a\nb\n"


@pytest.mark.parametrize(
    ("items", "message"),
    [((3, -1, -2), "more than 0.5 of 3 items are bad, as -2: bad"), ((), "no good item in it")],
)
def test_too_many_bad_items_leave_no_file(tmp_path, items, message):
    samples = [(item, 0) for item in items]
    with pytest.raises(InputError, match=message):
        pack_files("src", tmp_path / "x", samples, ["a"], encode, 0.5, threads=1, kind="item")
    assert not list(tmp_path.iterdir())


def test_a_command_says_what_it_packed_and_ends_with_130_after_ctrl_c(capsys):
    assert run(lambda: (3, 2, 1), "x", "item") == 0
    assert capsys.readouterr().out == "x.rec: 3 items of 2 classes, 1 bad ones skipped\n"

    def stop():
        raise KeyboardInterrupt

    assert run(stop, "x", "item") == 130


def test_a_jpeg_is_the_picture_in_rgb():
    red = np.full((16, 24, 3), (200, 10, 20), np.uint8)
    assert np.abs(decode_image(encode_jpeg(red, 95), 3).astype(int) - red).max() <= 3
