import pytest

from gluon_glore import InputError
from gluon_glore.data.lists.kinds import VIDEO
from gluon_glore.data.lists.places import below, by_stem, files_in, folders_in


@pytest.fixture
def put(tmp_path):
    def put(*names):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        return str(tmp_path)

    return put


def test_paths_are_below_the_base_or_the_one_folder_in_it_that_has_one(put):
    base = put("val/b.jpg", "other/c.jpg", ".hidden/b.jpg")
    assert below("l", base, ["a.jpg", "b.jpg"]) == (
        [f"{base}/val/a.jpg", f"{base}/val/b.jpg"],
        f", files in {base}/val/",
    )
    put("b.jpg")
    assert below("l", base, ["a.jpg", "b.jpg"]) == ([f"{base}/a.jpg", f"{base}/b.jpg"], "")
    assert below("l", base, ["/x/a.jpg"]) == (["/x/a.jpg"], "")


def test_a_list_beside_its_files_needs_no_folder(put, tmp_path, monkeypatch):
    put("a.jpg", "in/b.jpg")
    monkeypatch.chdir(tmp_path)
    assert below("l", "", ["a.jpg"]) == (["a.jpg"], "")
    assert below("l", "", ["b.jpg"]) == (["in/b.jpg"], ", files in in/")


def test_a_home_folder_is_expanded(put, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert below("l", "", ["~/a.jpg"])[0] == [f"{tmp_path}/a.jpg"]


def test_two_folders_that_have_the_files_are_no_choice(put):
    base = put("train/b.jpg", "val/b.jpg")
    with pytest.raises(
        InputError, match=f"^l: its files are in {base}/train/ and in {base}/val/: "
    ):
        below("l", base, ["b.jpg"])


def test_where_none_of_the_files_is_there_the_list_stays_and_root_is_named(put):
    base = put("val/c.jpg")
    assert below("l", base, ["a.jpg", "b.jpg"]) == (
        [f"{base}/a.jpg", f"{base}/b.jpg"],
        f", but of 2 files looked for none is below {base} (root)",
    )


def test_few_files_of_a_long_list_are_looked_for(put, monkeypatch):
    base = put("f/699.jpg", "g/a.jpg")
    looked = []
    monkeypatch.setattr("os.path.exists", lambda path: looked.append(path))
    below("l", base, [f"{i}.jpg" for i in range(10_000)])
    assert looked[0] == f"{base}/0.jpg" and len(looked) <= 3 * 8


def by_stems(base, *stems):
    return by_stem(
        "l", base, stems, ["x y"] * len(stems), lambda name: ("", f"{name}/"), VIDEO, ".mp4"
    )


def test_names_without_suffix_are_found_and_a_missing_one_is_given_one(put):
    base = put("b.mkv", "x y/-a.MP4", "x y/b.mp4", "c.txt")
    assert by_stems(base, "-a", "b", "c") == (
        [f"{base}/x y/-a.MP4", f"{base}/b.mkv", f"{base}/c.mp4"],
        "",
    )
    assert by_stems(base) == ([], "")


def test_names_without_suffix_may_be_one_folder_deeper(put):
    base = put("in/x y/a.mp4", "out/c.mp4")
    assert by_stems(base, "b", "a") == (
        [f"{base}/in/b.mp4", f"{base}/in/x y/a.mp4"],
        f", files in {base}/in/",
    )
    put("out/a.avi")
    with pytest.raises(InputError, match=f"^l: its files are in {base}/in/ and in {base}/out/"):
        by_stems(base, "a")
    with pytest.raises(
        InputError, match=rf"^l: no video z or another of the list in {base}, x y/ or"
    ):
        by_stems(base, "z")


def test_folders_and_files_are_sorted_and_hidden_ones_left_out(put):
    base = put("b/1.mp4", "a/1.mp4", ".c/1.mp4", "2.mp4", "1.MP4", ".3.mp4", "x.txt")
    assert folders_in(base) == ["a", "b"] and files_in(base, VIDEO) == ["1.MP4", "2.mp4"]
    assert folders_in(f"{base}/none") == [] == files_in(f"{base}/none", VIDEO)
