import struct
from pathlib import Path

import mxnet as mx
import pytest

from gluon_glore import InputError
from gluon_glore.data.labelled_pictures import pictures_for
from gluon_glore.data.records import (
    BadRecord,
    RecordDataset,
    WrongLabel,
    unpack,
    write_records,
)
from tests.helpers.disks import small_disk

SAMPLES = [(b"first", 0), (b"second!", 2), (b"third", 1)]


def test_records_come_back_in_order_with_their_labels(tmp_path):
    write_records(tmp_path / "a.rec", SAMPLES)
    dataset = RecordDataset(tmp_path / "a.rec", classes=3)
    assert [dataset[i] for i in range(len(dataset))] == SAMPLES
    assert dataset.name(1).endswith("a.rec record 1")


def test_an_interrupted_writer_leaves_nothing(tmp_path):
    def broken():
        yield b"x", 0
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_records(tmp_path / "a.rec", broken())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("missing", ["a.rec", "a.idx"])
def test_missing_and_empty_files_are_named(tmp_path, missing, capsys):
    write_records(tmp_path / "a.rec", SAMPLES)
    (tmp_path / missing).write_bytes(b"")
    with pytest.raises(InputError, match=f"{missing}: empty"):
        RecordDataset(tmp_path / "a.rec", classes=3)
    (tmp_path / missing).unlink()
    if missing == "a.idx":  # it is built
        assert len(RecordDataset(tmp_path / "a.rec", classes=3)) == 3
        assert "a.idx: no such file, it is built from" in capsys.readouterr().err
        return
    with pytest.raises(InputError, match=f"{missing}: no such file"):
        RecordDataset(tmp_path / "a.rec", classes=3)


def test_a_damaged_index_and_a_damaged_record_are_named(tmp_path):
    write_records(tmp_path / "a.rec", SAMPLES)
    whole = (tmp_path / "a.rec").read_bytes()
    (tmp_path / "a.rec").write_bytes(whole[:8] + bytes(len(whole) - 8))
    dataset = RecordDataset(tmp_path / "a.rec", classes=3)
    with pytest.raises(InputError, match=r"a\.rec record 1: damaged"):
        dataset[1]
    (tmp_path / "a.idx").write_text("no index")
    with pytest.raises(InputError, match="damaged index"):
        RecordDataset(tmp_path / "a.rec", classes=3)


def test_labels_out_of_range_are_refused(tmp_path):
    write_records(tmp_path / "a.rec", SAMPLES)
    with pytest.raises(InputError, match="record 1: label 2 is out of range, 0 to 1 allowed"):
        RecordDataset(tmp_path / "a.rec", classes=2)[1]
    write_records(tmp_path / "b.rec", [(b"x", -1), (b"x", 0.5)])
    dataset = RecordDataset(tmp_path / "b.rec", classes=2)
    for i, label in ((0, "-1"), (1, "0.5")):
        with pytest.raises(WrongLabel, match=f"^.*b.rec record {i}: label {label} is out of range"):
            dataset[i]


def test_a_set_says_what_it_holds_and_is_opened_for_the_classes_of_its_names(tmp_path):
    write_records(tmp_path / "a.rec", SAMPLES)
    names = ["x", "y", "z"]
    assert pictures_for("a run", names, tmp_path / "a.rec").contents() == (
        "3 pictures of 3 unnamed classes"
    )
    (tmp_path / "a.classes.txt").write_text("x\ny\n")
    assert RecordDataset(tmp_path / "a.rec", 3).contents() == "3 pictures of 2 classes"
    with pytest.raises(InputError, match="a.classes.txt: 2 class names, not the 3 of a run"):
        pictures_for("a run", names, tmp_path / "a.rec")


def test_several_files_are_one_set_with_the_names_of_all(tmp_path):
    for name in ("a_0", "a_1", "a_10", "a_2"):
        write_records(tmp_path / f"{name}.rec", [(name.encode(), 0), SAMPLES[1]])
    with pytest.raises(InputError, match=r"a_\*\.rec: 4 files, up to number 10, and none of"):
        RecordDataset(f"{tmp_path}/a_*.rec", 3)
    dataset = RecordDataset(f"{tmp_path}/a_[012].rec", 3)
    (tmp_path / "a.classes.txt").write_text("x\ny\nz\n")
    assert [dataset[i][0] for i in (0, 2, 4)] == [b"a_0", b"a_1", b"a_2"]
    assert dataset.contents() == "6 pictures of 3 classes in 3 files, a_0.rec to a_2.rec"
    with pytest.raises(WrongLabel, match=r"/a_2\.rec record 1: label 2 is out of range"):
        RecordDataset(f"{tmp_path}/a_[012].rec", 2)[5]
    with pytest.raises(InputError, match=r"a.classes.txt: 3 class names, not the 2 of a run"):
        pictures_for("a run", ["x", "y"], f"{tmp_path}/a_[012].rec")
    files = [tmp_path / "a_2.rec", tmp_path / "a_0.rec"]
    with pytest.raises(InputError, match="SRC .*/a --classes train.classes.txt$"):
        pictures_for("a run", ["x", "y"], files)


def test_a_record_of_several_parts_is_read_as_one(tmp_path):
    """The container parts a record where its own mark would stand in it."""
    mark = struct.pack("<I", 0xCED7230A)
    samples = [(mark * 3, 1), (b"abcd" + mark + b"efg", 2), (b"", 0)]
    write_records(tmp_path / "a.rec", samples)
    dataset = RecordDataset(tmp_path / "a.rec", classes=3)
    assert [dataset[i] for i in range(3)] == samples


def test_a_record_of_several_labels_or_of_too_few_bytes_is_bad(tmp_path):
    writer = mx.recordio.MXIndexedRecordIO(str(tmp_path / "a.idx"), str(tmp_path / "a.rec"), "w")
    header = mx.recordio.IRHeader(2, [1.0, 2.0], 0, 0)
    writer.write_idx(0, mx.recordio.pack(header, b"x"))
    writer.write_idx(1, b"short")
    writer.close()
    dataset = RecordDataset(tmp_path / "a.rec", classes=3)
    with pytest.raises(BadRecord, match="a.rec record 0: one label expected, given 2"):
        dataset[0]
    with pytest.raises(BadRecord, match="a.rec record 1: damaged"):
        dataset[1]


def test_mxnets_own_reader_reads_what_is_written(tmp_path):
    write_records(tmp_path / "a.rec", SAMPLES)
    reader = mx.recordio.MXIndexedRecordIO(str(tmp_path / "a.idx"), str(tmp_path / "a.rec"), "r")
    header, picture = mx.recordio.unpack(reader.read_idx(2))
    assert (header.label, picture) == (1.0, b"third")


def test_on_a_full_disk_the_file_is_whole_or_there_is_an_error(tmp_path):
    # The container buffers, so that a little too small a disk is noticed by the last flush only.
    samples = [(bytes([i]) * 1000, 0) for i in range(40)]
    outcomes = set()
    for size in range(36 << 10, 57 << 10, 4 << 10):
        place = tmp_path / str(size)
        place.mkdir()
        with small_disk(place, size):
            try:
                write_records(place / "a.rec", samples)
            except OSError:
                assert not list(place.iterdir())
                outcomes.add("error")
            else:
                dataset = RecordDataset(place / "a.rec", classes=1)
                assert [dataset[i] for i in range(len(dataset))] == samples
                outcomes.add("whole")
    assert outcomes == {"error", "whole"}


def test_a_record_is_unpacked_as_mxnet_does():
    header = mx.recordio.IRHeader(0, 2.5, 7, 1)
    assert unpack(mx.recordio.pack(header, b"x")) == ((2.5,), b"x")
    labels, picture = unpack(mx.recordio.pack(header._replace(label=[1.0, 2.0]), b"yz"))
    assert (labels.tolist(), picture) == ([1.0, 2.0], b"yz")
    for short in (b"x" * 23, mx.recordio.pack(header._replace(label=[1.0, 2.0]), b"")[:-1]):
        with pytest.raises(InputError, match="damaged record"):
            unpack(short)


def test_records_are_written_as_mxnet_writes_them(tmp_path):
    begin = b"\x0a\x23\xd7\xce"  # where it stands in a picture, a record is split
    pictures = [
        b"",
        b"abc",
        b"abcd",
        begin,
        begin * 3 + b"x",
        b"a" + begin + b"bcd" + begin,
        bytes(99),
    ]
    samples = [(picture, label) for label, picture in enumerate(pictures)]
    write_records(tmp_path / "ours.rec", samples)
    files = [str(tmp_path / f"theirs.{kind}") for kind in ("idx", "rec")]
    writer = mx.recordio.MXIndexedRecordIO(*files, "w")
    for key, (picture, label) in enumerate(samples):
        header = mx.recordio.IRHeader(0, float(label), key, 0)
        writer.write_idx(key, mx.recordio.pack(header, picture))
    writer.close()
    for file in files:
        ours = tmp_path / f"ours{file[-4:]}"
        assert ours.read_bytes() == Path(file).read_bytes(), file
    assert [RecordDataset(tmp_path / "ours.rec", 9)[i] for i in range(7)] == samples
