import os
import struct
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import mxnet as mx
import pytest

from gluon_glore import InputError
from gluon_glore.data import record_index
from gluon_glore.data.record_index import IndexedRecords
from gluon_glore.data.records import write_records
from gluon_glore.utils.files import write_text
from tests.helpers.damaged_records import break_heads

MARK = struct.pack("<I", 0xCED7230A)
# Of several lengths; two are parted, for they hold the container's mark.
SAMPLES = [(bytes([i]) * 4 * i + MARK * (i in (7, 11)) + b"end"[: i % 4], i % 3) for i in range(20)]


@pytest.fixture
def rec(tmp_path):
    write_records(tmp_path / "a.rec", SAMPLES)
    return tmp_path / "a.rec"


def contents(rec):
    records = IndexedRecords(rec)
    return [mx.recordio.unpack(records.record(i).whole())[1] for i in range(len(records))]


def places(rec):
    """The index's (key, offset) pairs."""
    return [tuple(map(int, line.split())) for line in open(rec.with_suffix(".idx"))]


def write_index(rec, pairs):
    text = "".join(f"{key}\t{offset}\n" for key, offset in pairs)
    rec.with_suffix(".idx").write_text(text)


def test_records_come_in_the_order_of_the_index_by_its_keys(rec):
    mixed = [(100 + key, offset) for key, offset in reversed(places(rec))]
    write_index(rec, mixed)
    assert contents(rec) == [data for data, _ in reversed(SAMPLES)]
    assert IndexedRecords(rec).name(0) == f"{rec} record 119"


@pytest.mark.parametrize(
    "form",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text + "\n",
        lambda text: text.replace("\n", "\r\n") + "\r\n\r\n",
        lambda text: text.removesuffix("\n"),
        lambda text: text.replace("\t", ".0\t"),
        lambda text: text.replace("\t", ".\t"),
        lambda text: f"\ufeff{text}",
    ],
    ids=["CRLF", "blank end", "CRLF, blank end", "no end", "floats", "points", "BOM"],
)
def test_an_index_is_read_as_others_write_it(rec, form):
    index = rec.with_suffix(".idx")
    index.write_bytes(form(index.read_text()).encode())
    assert contents(rec) == [data for data, _ in SAMPLES]
    assert IndexedRecords(rec).name(12) == f"{rec} record 12"


@pytest.mark.parametrize(
    "form",
    [
        lambda text: text.replace("5\t", "5.5\t"),
        lambda text: text.replace("\n", "\n\n", 3),
        lambda text: text.replace("\t", "\t0.", 1),
        lambda text: "\n",
    ],
    ids=["half a key", "blank lines within", "half a place", "blank"],
)
def test_an_index_of_other_lines_is_damaged(rec, form):
    index = rec.with_suffix(".idx")
    index.write_text(form(index.read_text()))
    with pytest.raises(InputError, match=r"a\.idx: damaged index; delete it"):
        IndexedRecords(rec)


def test_a_folder_in_its_place_is_named_for_what_it_is(tmp_path):
    (tmp_path / "a.rec").mkdir()
    with pytest.raises(InputError, match=r"a\.rec: a folder, a file is needed$"):
        IndexedRecords(tmp_path / "a.rec")


def one_key(pairs):
    """As MXNet's im2rec leaves it for a list whose numbers are all 0."""
    return [(0, offset) for _, offset in pairs]


def one_place(pairs):
    return [(key, 0) for key, _ in pairs]


def without(*numbers):
    return lambda pairs: [pair for i, pair in enumerate(pairs) if i not in numbers]


def shifted(by, number):
    return lambda pairs: [(k, o + by * (i == number)) for i, (k, o) in enumerate(pairs)]


FAULTS = {
    "one key": (one_key, "19 of its 20 lines repeat another's key"),
    "one place": (one_place, "19 of its 20 lines repeat another's place"),
    "without the first": (without(0), "no line has the first record, at byte 0, but one has byte"),
    "without one": (without(12), "no line has the record at byte [0-9]+;"),
    "without a parted one": (without(11), "no line has the record at byte [0-9]+;"),
    "without the last": (without(19), "no line has the record at byte [0-9]+;"),
    "without the last two": (without(18, 19), "no line has the record at byte [0-9]+;"),
    "only the first": (without(*range(1, 20)), "no line has the record at byte 32;"),
    "into a record": (shifted(4, 5), "no line has the record at byte [0-9]+;"),
    "into the one before": (shifted(-8, 5), "a line has byte [0-9]+, where no record begins"),
    "into the last": (shifted(8, 19), "no line has the record at byte [0-9]+;"),
    "behind the end": (shifted(10**4, 19), "a record begins at byte [0-9]+, the file has [0-9]+"),
    "before the start": (shifted(-4, 0), "no line has the first record, at byte 0, but .* byte -4"),
}


@pytest.mark.parametrize(("fault", "message"), FAULTS.values(), ids=FAULTS)
def test_an_index_that_is_not_the_files_is_refused(rec, fault, message):
    write_index(rec, fault(places(rec)))
    remedy = "delete it, and it is built anew$"
    with pytest.raises(
        InputError, match=f"^{rec.with_suffix('.idx')}: not the .*{message}.*{remedy}"
    ):
        IndexedRecords(rec)
    rec.with_suffix(".idx").unlink()
    assert contents(rec) == [data for data, _ in SAMPLES]


def test_a_line_that_points_to_a_later_part_of_a_record_is_refused(rec):
    inside = rec.read_bytes().index(MARK, places(rec)[7][1] + 4)
    write_index(rec, [*places(rec), (99, inside)])
    with pytest.raises(InputError, match=f"a line has byte {inside}, where no record begins"):
        IndexedRecords(rec)


@pytest.mark.parametrize("number", range(20))
def test_a_damaged_head_is_the_records_fault_and_not_the_indexs(rec, number):
    offset = places(rec)[number][1]
    break_heads(rec, number)
    assert len(IndexedRecords(rec)) == 20
    with open(rec, "r+b") as file:
        file.seek(offset)
        file.write(MARK + b"\xff\xff\xff\x1f")  # its length
    records = IndexedRecords(rec)
    with pytest.raises(InputError, match="damaged record"):
        records.record(number).whole()


def test_a_large_file_is_compared_at_some_places_only(rec, monkeypatch):
    read = []
    pread = os.pread

    def counted(descriptor, length, offset):
        read.append(offset)
        return pread(descriptor, length, offset)

    monkeypatch.setattr(record_index, "_SMALL", 100)
    monkeypatch.setattr(record_index, "_COMPARED", 3)
    monkeypatch.setattr(os, "pread", counted)
    records = IndexedRecords(rec)
    assert read == [places(rec)[i][1] for i in (0, 9, 19)]
    assert len(records) == 20
    whole = places(rec)
    for fault in (without(19), without(10), shifted(-8, 9)):  # the end is always among them
        write_index(rec, fault(whole))
        with pytest.raises(InputError, match="a.idx: not the index of .*a.rec: (no|a) line has"):
            IndexedRecords(rec)
    write_index(rec, without(5)(whole))  # between them: said in docs/imagenet.md
    assert len(IndexedRecords(rec)) == 19


def test_a_missing_index_is_built_as_the_packer_writes_it(rec, capsys):
    index = rec.with_suffix(".idx")
    written = index.read_text()
    index.unlink()
    assert contents(rec) == [data for data, _ in SAMPLES]
    assert capsys.readouterr().err == f"{index}: no such file, it is built from {rec}\n"
    assert index.read_text() == written
    assert [path.name for path in sorted(rec.parent.iterdir())] == ["a.idx", "a.rec"]
    assert contents(rec) == [data for data, _ in SAMPLES] and capsys.readouterr().err == ""


def test_where_the_folder_can_not_be_written_the_index_stays_in_memory(mount, capsys):
    place = mount("size=1m")
    write_records(place / "a.rec", SAMPLES)
    (place / "a.idx").unlink()
    subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
    assert contents(place / "a.rec") == [data for data, _ in SAMPLES]
    note = "a.idx: Read-only file system, so the index is kept in memory and built every time"
    assert note in capsys.readouterr().err
    assert not (place / "a.idx").exists()


def test_processes_that_start_at_once_build_it_once(rec, capsys, monkeypatch):
    rec.with_suffix(".idx").unlink()

    def slowly(*arguments):
        time.sleep(0.2)
        write_text(*arguments)

    monkeypatch.setattr(record_index, "write_text", slowly)
    with ThreadPoolExecutor(8) as pool:  # each with a file of its own, as processes have
        found = list(pool.map(lambda _: contents(rec), range(8)))
    assert found == [[data for data, _ in SAMPLES]] * 8
    assert capsys.readouterr().err.count("it is built from") == 1


def test_of_a_file_that_is_no_recordio_none_is_built(tmp_path, capsys):
    (tmp_path / "a.rec").write_text("some text\n")
    with pytest.raises(InputError, match="a.idx: no such file, and .*a.rec begins with no record"):
        IndexedRecords(tmp_path / "a.rec")
    assert capsys.readouterr().err == "" and not (tmp_path / "a.idx").exists()


@pytest.mark.parametrize("kept", [0.5, 0.99])
def test_of_a_file_cut_short_no_index_is_built(rec, kept):
    size = rec.stat().st_size
    os.truncate(rec, int(kept * size) & ~3)
    rec.with_suffix(".idx").unlink()
    with pytest.raises(InputError, match="no index beside it .* no whole record is at byte [0-9]+"):
        IndexedRecords(rec)
    assert not rec.with_suffix(".idx").exists()
