import pytest

from gluon_glore import InputError
from gluon_glore.data.class_names import read_names


def test_a_name_is_a_line_in_the_order_of_the_labels(tmp_path):
    file = tmp_path / "names.txt"
    file.write_bytes("tench, Tinca tinca\r\nKäfer\n\n ounce".encode())
    assert read_names(file) == ["tench, Tinca tinca", "Käfer", "", " ounce"]


def test_a_file_that_is_no_text_or_not_there_is_named(tmp_path):
    file = tmp_path / "names.txt"
    with pytest.raises(InputError, match=f"^{file}: No such file or directory$"):
        read_names(file)
    with pytest.raises(InputError, match=f"^{tmp_path}: Is a directory$"):
        read_names(tmp_path)
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=f"^{file}: not a text file$"):
        read_names(file)
