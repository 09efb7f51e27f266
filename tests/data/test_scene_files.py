import pytest

from gluon_glore import InputError
from gluon_glore.data.scene_files import Pattern, listed_names


def touch(root, *files):
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(b"")


def found(pattern, root, split="train"):
    names = pattern.find(root, split)
    return {name: str(path.relative_to(root)) for name, path in names.items()}


def test_a_folders_pictures_go_by_their_names_whatever_the_suffix(tmp_path):
    touch(tmp_path, "P/a.jpg", "P/b.c.PNG", "P/notes.txt", "P/.a.jpg", "P/deep/d.jpg", "L/a.png")
    assert found(Pattern("P"), tmp_path) == {"a": "P/a.jpg", "b.c": "P/b.c.PNG"}
    assert found(Pattern("P/"), tmp_path) == found(Pattern("P/*"), tmp_path)
    assert found(Pattern("L", (".png",)), tmp_path) == {"a": "L/a.png"}
    assert found(Pattern("P", (".png",)), tmp_path) == {"b.c": "P/b.c.PNG"}


def test_a_star_is_a_part_of_the_name_and_the_ending_is_none(tmp_path):
    touch(tmp_path, "P/a_L.png", "P/b.png", "P/c_L.jpg", "P/x/d_L.png", "P/y/d_L.png")
    assert found(Pattern("P/*_L.png"), tmp_path) == {"a": "P/a_L.png"}
    assert found(Pattern("P/*_L"), tmp_path) == {"a": "P/a_L.png", "c": "P/c_L.jpg"}
    deep = {"x/d": "P/x/d_L.png", "y/d": "P/y/d_L.png"}
    assert found(Pattern("P/*/*_L.png"), tmp_path) == deep
    assert Pattern("P/*/*_L", (".png",)).file(tmp_path, "", "x/d") == tmp_path / "P/x/d_L.png"
    assert Pattern("P/*.png").file(tmp_path, "", "d") == tmp_path / "P/d.png"


def test_the_split_stands_wherever_the_path_says(tmp_path):
    touch(tmp_path, "images/train/a.jpg", "images/val/b.jpg", "val/L/c.png")
    assert found(Pattern("images/{split}"), tmp_path, "val") == {"b": "images/val/b.jpg"}
    assert found(Pattern("{split}/L/*.png"), tmp_path, "val") == {"c": "val/L/c.png"}


def test_two_files_of_one_name_are_refused_with_the_remedy(tmp_path):
    touch(tmp_path, "P/a.jpg", "P/a.png")
    with pytest.raises(InputError, match=r"of the same name as a\.(jpg|png), .*: P/\*\.(png|jpg)$"):
        Pattern("P").find(tmp_path, "train")
    assert found(Pattern("P/*.jpg"), tmp_path) == {"a": "P/a.jpg"}


def test_a_folder_that_is_missing_is_named_with_what_is_there(tmp_path):
    touch(tmp_path, "images/training/a.jpg")
    where = r"images/train: no such folder, expected .*/images/train/\*\.jpg or another picture; "
    with pytest.raises(InputError, match=f"{where}.*/images has training$"):
        Pattern("images/{split}").find(tmp_path, "train")


@pytest.mark.parametrize("path", ["P/x*", "P/*/x", "P/*/x*.png", "P/**", "*/P/*", "P/a*b/*"])
def test_patterns_of_no_form_are_refused(path):
    with pytest.raises(InputError, match=r"expected a folder, FOLDER/\*ENDING or .*, given '"):
        Pattern(path).check()


def test_patterns_of_both_forms_are_taken():
    for path in ("P", "P/", "a/{split}/b", "P/*", "P/*_L.png", "P/*/*/*.jpg", "*.jpg", "*/*_L.png"):
        Pattern(path).check()


PICTURES = ("P/a.jpg", "P/b.jpg", "P/with blank.jpg", "P/2.5.jpg")


def names_in(tmp_path, text, pattern="P"):
    touch(tmp_path, *PICTURES)
    (tmp_path / "list.txt").write_bytes(text.encode())
    return listed_names(tmp_path / "list.txt", Pattern(pattern).find(tmp_path, ""))


def test_a_list_names_pictures_with_or_without_suffix_in_its_order(tmp_path):
    text = "\ufeffwith blank\r\n\r\nb.jpg\r\n2.5 \r\n"
    assert names_in(tmp_path, text) == ["with blank", "b", "2.5"]
    touch(tmp_path, "P/x/c_i.jpg")
    assert names_in(tmp_path, "x/c_i.jpg\n", "P/*/*_i.jpg") == ["x/c"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\nc\nd\n", r"line 2: 'c': no picture of this name, as of 2 of 3 lines"),
        ("a 1\n", r"line 1: 'a 1': no picture of this name, as of 1 of 1 lines"),
        ("a\nb\na.jpg\n", r"line 3: 'a\.jpg' is in line 1 too"),
        ("\n\n", "no scene in it"),
    ],
)
def test_lists_that_are_of_no_use_name_the_line(tmp_path, text, message):
    with pytest.raises(InputError, match=rf"list\.txt:? {message}"):
        names_in(tmp_path, text)


def test_a_list_that_is_missing_is_named(tmp_path):
    with pytest.raises(InputError, match="gone: no such file, expected a list of scenes"):
        listed_names(tmp_path / "gone", {})
