import os

import pytest

from gluon_glore import InputError
from gluon_glore.data.lists import text_lines
from gluon_glore.data.lists.text_lines import csv_fields, read_lines


def test_the_marks_of_editors_are_no_part_of_the_lines_and_empty_ones_count(tmp_path):
    file = tmp_path / "list.txt"
    file.write_bytes("\ufeffa ü.jpg 0\r\n\r\n \t b.jpg 1 \n\n".encode())
    assert read_lines(file) == ["a ü.jpg 0", "", "b.jpg 1", ""]


def test_a_long_list_is_read_and_one_without_end_is_refused(tmp_path, monkeypatch):
    file = tmp_path / "list.txt"
    file.write_text("a.jpg 0\n" * 300_000)  # more than a configuration may have
    assert len(read_lines(file)) == 300_000
    with open(tmp_path / "huge.txt", "wb") as huge:
        huge.truncate(30 << 30)
    with pytest.raises(
        InputError, match=r"huge.txt: 32212254720 bytes, at most 268435456 are read"
    ):
        read_lines(tmp_path / "huge.txt")
    with pytest.raises(InputError, match="/dev/zero: a device, a file is needed"):
        read_lines("/dev/zero")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="pipe: a named pipe, a file is needed"):
        read_lines(tmp_path / "pipe")
    monkeypatch.setattr(text_lines, "LARGEST", 10)
    with pytest.raises(InputError, match="list.txt: 2400000 bytes, at most 10 are read"):
        read_lines(file)


def test_fields_are_csvs():
    assert csv_fields(' a ,"b, c","d ""e"""') == ["a", "b, c", 'd "e"']
    assert csv_fields("a,") == ["a", ""]
    assert csv_fields('a,"b') is None and csv_fields('"a"b,c') is None
