import os
from pathlib import Path

import mxnet as mx
import pytest

from gluon_glore import InputError
from gluon_glore.data.record_chunks import ChunkedRecords, names_files, record_files, spread_over
from gluon_glore.data.records import write_records


def chunks(folder, *names):
    """Files of three records each, whose contents say file and number."""
    for name in names:
        write_records(folder / f"{name}.rec", ((f"{name} {i}".encode(), i) for i in range(3)))


def contents(records):
    return [mx.recordio.unpack(records.record(i).whole())[1].decode() for i in range(len(records))]


def test_files_of_a_pattern_are_numbered_through_as_numbers_sort(tmp_path):
    chunks(tmp_path, *(f"train_{i}" for i in range(12)))
    records = ChunkedRecords(f"{tmp_path}/train_*.rec")
    assert contents(records) == [f"train_{i} {j}" for i in range(12) for j in range(3)]
    assert records.name(32) == f"{tmp_path}/train_10.rec record 2"
    assert records.path == tmp_path / "train_*.rec"
    assert spread_over(records.files) == " in 12 files, train_0.rec to train_11.rec"
    assert records.name(-1) == f"{tmp_path}/train_11.rec record 2"
    with pytest.raises(IndexError):
        records.record(36)


def test_a_sequence_comes_in_its_own_order_and_one_path_is_as_it_was(tmp_path):
    chunks(tmp_path, "b", "a")
    records = ChunkedRecords([tmp_path / "b.rec", f"{tmp_path}/a.rec"])
    assert contents(records) == ["b 0", "b 1", "b 2", "a 0", "a 1", "a 2"]
    assert records.path == tmp_path / "b.rec"
    one = ChunkedRecords(tmp_path / "a.rec")
    assert (one.path, len(one), spread_over(one.files)) == (tmp_path / "a.rec", 3, "")
    for given in ([], [tmp_path / "a.rec", tmp_path / "b.rec", tmp_path / "." / "a.rec"]):
        with pytest.raises(InputError, match="no .rec file given|a.rec: given twice among 3"):
            ChunkedRecords(given)


def test_the_home_of_the_user_is_written_out(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    chunks(tmp_path, "a_0", "a_1")
    assert len(ChunkedRecords("~/a_*.rec")) == 6
    assert record_files("~/a_0.rec") == (tmp_path / "a_0.rec",)
    assert record_files([Path("~/a_0.rec")]) == (tmp_path / "a_0.rec",)


@pytest.mark.parametrize(
    ("names", "pattern", "absent"),
    [
        (("t_0", "t_1", "t_3"), "t_*.rec", "3 files, up to number 3, and none of number 2: bring"),
        (("t_1", "t_4"), "t*.rec", "2 files, up to number 4, and none of number 2, 3: bring"),
        (("d_0_train", "d_2_train"), "d_*_train.rec", "none of number 1: bring"),
        (("t_00", "t_09"), "t_*.rec", "none of number 1, 2, 3, 4, 5, ...: bring"),
        (("t_3",), "t_*.rec", "none of number 1, 2: bring"),
    ],
)
def test_a_number_that_is_left_out_is_refused(tmp_path, names, pattern, absent):
    chunks(tmp_path, *names)
    with pytest.raises(InputError, match=rf"{absent} all, or give a pattern of those"):
        record_files(f"{tmp_path}/{pattern}")


def test_rows_without_a_gap_and_those_that_are_chosen_are_taken(tmp_path):
    chunks(tmp_path, "t_1", "t_2", "t_4", "u", "w_a", "w_b")
    for pattern, count in (("t_[124].rec", 3), ("t_[12].rec", 2), ("w_*.rec", 2), ("u*.rec", 1)):
        assert len(record_files(f"{tmp_path}/{pattern}")) == count
    os.unlink(tmp_path / "t_4.rec")
    assert len(record_files(f"{tmp_path}/t_*.rec")) == 2  # they count from 1
    with pytest.raises(InputError, match=r"x_\*\.rec: no \.rec file has such a name"):
        record_files(f"{tmp_path}/x_*.rec")
    chunks(tmp_path, "set[1]")
    assert record_files(f"{tmp_path}/set[1].rec") == (tmp_path / "set[1].rec",)


def test_names_are_beside_each_file_or_all_of_them(tmp_path):
    chunks(tmp_path, "t_0", "t_1", "d_0_train", "d_1_train")
    pattern = f"{tmp_path}/t_*.rec"
    assert names_files(pattern) == []
    (tmp_path / "t.classes.txt").write_text("a\n")
    (tmp_path / "t_1.classes.txt").write_text("a\n")
    (tmp_path / "d_train.classes.txt").write_text("a\n")
    found = [path.name for path in names_files(pattern)]
    assert found == ["t_1.classes.txt", "t.classes.txt"]
    assert names_files(f"{tmp_path}/d_*_train.rec") == [tmp_path / "d_train.classes.txt"]
    assert names_files(tmp_path / "t_0.rec") == []  # of one file only its own


def test_the_fault_of_a_file_is_told_with_its_name(tmp_path):
    chunks(tmp_path, "t_0", "t_1")
    (tmp_path / "t_1.idx").write_text("x")
    with pytest.raises(InputError, match=r"t_1\.idx: damaged index"):
        ChunkedRecords(f"{tmp_path}/t_*.rec")
    with pytest.raises(InputError, match=r"t_2\.rec: no such file"):
        ChunkedRecords([tmp_path / "t_0.rec", tmp_path / "t_2.rec"])
