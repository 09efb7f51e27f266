import pytest

from gluon_glore import InputError
from gluon_glore.data.class_names import (
    OtherNames,
    check_names_beside,
    names_beside,
    read_classes,
    read_names,
)


def test_a_name_is_a_line_in_the_order_of_the_labels(tmp_path):
    file = tmp_path / "names.txt"
    file.write_bytes("tench, Tinca tinca\r\nKäfer\n ounce".encode())
    assert read_names(file) == ["tench, Tinca tinca", "Käfer", " ounce"]


@pytest.mark.parametrize("empty", ["\n", "\r\n", " \t\n"])
def test_an_empty_name_is_an_error_with_its_line(tmp_path, empty):
    file = tmp_path / "names.txt"
    file.write_bytes(f"\ufeffcat\ndog\n{empty}eel\n".encode())
    with pytest.raises(InputError, match=f"^{file} line 3: no class name in it"):
        read_names(file)


@pytest.mark.parametrize(
    ("text", "names", "first"),
    [
        ("1 ApplyEyeMakeup\n2 YoYo\n", ("ApplyEyeMakeup", "YoYo"), 1),  # UCF-101's classInd.txt
        ("\ufeff1\tApply Makeup\r\n2\tYoYo\r\n\r\n", ("Apply Makeup", "YoYo"), 1),
        ("0 cat\n1 dog\n", ("cat", "dog"), 0),
        ("000 cat\n001 dog\n", ("cat", "dog"), 0),
        ("1 cat\n3 dog\n", ("1 cat", "3 dog"), 0),  # not in order
        ("2 cat\n3 dog\n", ("2 cat", "3 dog"), 0),
        ("1 cat\ndog\n", ("1 cat", "dog"), 0),
        ("1 euro\n2 euro\n", ("1 euro", "2 euro"), 0),  # numbers that tell the names apart
        ("1 cat\n", ("1 cat",), 0),  # one number is no order
        ("1\n2\n", ("1", "2"), 0),
    ],
)
def test_lines_that_are_numbered_in_order_are_numbers_and_names(tmp_path, text, names, first):
    file = tmp_path / "names.txt"
    file.write_bytes(text.encode())
    classes = read_classes(file)
    assert (classes, classes.first) == (names, first)
    assert read_names(file) == list(names)


def test_the_mark_of_an_editor_and_empty_lines_at_the_end_are_no_names(tmp_path):
    file = tmp_path / "names.txt"
    file.write_bytes(b"\xef\xbb\xbfn01440764\r\nn01443537\r\n \r\n\r\n")
    assert read_names(file) == ["n01440764", "n01443537"]


def beside(tmp_path, *names):
    """A .rec with such names beside it."""
    (tmp_path / "val.classes.txt").write_text("".join(f"{name}\n" for name in names))
    return tmp_path / "val.rec"


def test_the_names_of_records_lie_beside_them(tmp_path):
    assert names_beside(tmp_path / "val.rec") is None
    assert names_beside(beside(tmp_path, "a")) == tmp_path / "val.classes.txt"


@pytest.mark.parametrize(
    ("given", "difference"),
    [
        (("cat", "eel"), "2 class names, not the 3 of .*'dog' is missing"),
        (("cat", "dog", "eel", "fox"), "4 class names, not the 3 of .*'fox' is none of them"),
        (("cat", "wolf", "eel"), "3 class names, not the 3 of .*'wolf' is none of them"),
        (("dog", "cat", "eel"), "3 class names, .* in their order .*label 0 is 'dog', not 'cat'"),
        (
            ("cat", "dog", "eel", "dog"),
            "4 class names, .* in their order .*label 3 is 'dog', not nothing",
        ),
        (("cat", "dog", "dog", "eel"), "4 class names, not the 3 of .*label 2 is 'dog', not 'eel'"),
        (("c" * 5000,), f"1 class names, not the 3 of .*'{'c' * 75} ... is none of them"),
        (("val",), "1 class names, not the 3 of .*'val' is none of them"),
        ((), "0 class names, not the 3 of .*'cat' is missing"),
    ],
)
def test_records_whose_labels_stand_for_other_classes_are_refused(tmp_path, given, difference):
    rec = beside(tmp_path, *given)
    remedy = rf"python -m train.pack SRC {tmp_path}/val --classes train.classes.txt$"
    with pytest.raises(InputError, match=f"^{tmp_path}/val.classes.txt: {difference}.*{remedy}"):
        check_names_beside(rec, ["cat", "dog", "eel"], "runs/a")
    training = tmp_path / "train.classes.txt"
    with pytest.raises(InputError, match=rf"not the 3 of {training} .* --classes {training}$"):
        check_names_beside(rec, ["cat", "dog", "eel"], training, packed=True)


@pytest.mark.parametrize(
    ("given", "subset"),
    [
        (("eel", "cat"), True),
        (("dog", "cat", "eel"), True),
        (("cat", "wolf"), False),
        (("cat", "cat"), False),
        ((), False),
    ],
)
def test_a_refusal_knows_whether_all_names_are_among_those_compared(tmp_path, given, subset):
    with pytest.raises(OtherNames) as refused:
        check_names_beside(beside(tmp_path, *given), ["cat", "dog", "eel"], "runs/a")
    assert refused.value.subset is subset


def test_the_same_names_pass_and_so_do_records_without_any(tmp_path, capsys):
    check_names_beside(tmp_path / "none.rec", ["cat", "dog"], "a run")
    check_names_beside(beside(tmp_path, "cat", "dog"), ("cat", "dog"), "a run")
    check_names_beside(beside(tmp_path, "n01440764 tench"), ["n01440764"], "a run", packed=True)
    assert capsys.readouterr().err == ""


def test_names_that_are_all_others_may_be_translated_and_this_is_said(tmp_path, capsys):
    rec = beside(tmp_path, "n01440764", "n01443537")
    check_names_beside(rec, ["tench", "goldfish"], "runs/a")
    note = "val.classes.txt: none of its names is among those of runs/a: taken as the same classes"
    assert note in capsys.readouterr().err
    with pytest.raises(InputError, match="2 class names, not the 2 of .*'n01440764' is none of"):
        check_names_beside(rec, ["tench", "goldfish"], "runs/a", packed=True)


def test_a_file_that_is_no_text_or_not_there_is_named(tmp_path):
    file = tmp_path / "names.txt"
    with pytest.raises(InputError, match=f"^{file}: No such file or directory$"):
        read_names(file)
    with pytest.raises(InputError, match=f"^{tmp_path}: Is a directory$"):
        read_names(tmp_path)
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=f"^{file}: not a text file in UTF-8$"):
        read_names(file)


def test_the_names_beside_several_files_must_agree(tmp_path):
    for name in ("v_0", "v_1"):
        (tmp_path / f"{name}.rec").write_bytes(b"")
    (tmp_path / "v_0.classes.txt").write_text("n01440764 tench\n")
    (tmp_path / "v_1.classes.txt").write_text("n01440764\n")
    pattern = f"{tmp_path}/v_*.rec"
    assert names_beside(pattern) == tmp_path / "v_0.classes.txt"
    (tmp_path / "v.classes.txt").write_text("n01443537\n")
    with pytest.raises(InputError, match=r"v.classes.txt: other class names than .*v_0.classes"):
        names_beside(pattern)
