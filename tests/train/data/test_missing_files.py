import os

import pytest

from gluon_glore import InputError
from train.data import missing_files as module
from train.data.missing_files import check_missing, missing_files


@pytest.fixture
def paths(tmp_path):
    """40 files of a folder of many and of four of few."""
    names = [f"many/{i}.jpg" for i in range(20)] + [f"few{i % 4}/{i}.jpg" for i in range(20)]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    return [f"{tmp_path}/{name}" for name in names]


def test_all_that_are_not_there_are_found_in_their_order(paths):
    assert missing_files(paths) == []
    gone = [0, 7, 19, 21, 39]
    for index in gone:
        os.unlink(paths[index])
    assert missing_files(paths) == gone
    mixed = paths[::-1]
    assert missing_files(mixed) == sorted(39 - index for index in gone)


def test_a_folder_of_many_files_is_listed_and_not_asked_for_each(paths, monkeypatch):
    asked = []
    stat = module._is_missing
    monkeypatch.setattr(module, "_is_missing", lambda path: asked.append(path) or stat(path))
    os.unlink(paths[3])
    assert missing_files(paths) == [3]
    files = [path for path in asked if path.endswith(".jpg")]
    assert files == [paths[3], *paths[20::4], *paths[21::4], *paths[22::4], *paths[23::4]]
    asked.clear()
    assert len(missing_files([path.replace("/many/", "/none/") for path in paths[:20]])) == 20
    assert len(asked) == 1  # for the folder


def test_links_count_by_what_they_lead_to_and_folders_that_are_gone_by_all(paths, tmp_path):
    for index, target in ((2, "nowhere"), (3, paths[4])):
        os.unlink(paths[index])
        os.symlink(target, paths[index])
    absent = [f"{tmp_path}/gone/{i}.jpg" for i in range(12)]
    absent += [f"{paths[0]}/{i}.jpg" for i in range(12)]  # a file where a folder should be
    assert missing_files([*paths, *absent]) == [2, *range(40, 64)]


def test_what_is_there_and_no_file_is_left_to_who_reads_it(tmp_path):
    (tmp_path / "folder").mkdir()
    os.symlink("loop", tmp_path / "loop")
    assert missing_files([f"{tmp_path}/{name}" for name in ("folder", "loop", "n" * 300)]) == []


def test_relative_paths_are_looked_for_where_the_process_is(paths, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path / "many")
    assert missing_files([*(f"{i}.jpg" for i in range(20)), "20.jpg"]) == [20]
    assert missing_files(["../few0/0.jpg", "20.jpg"]) == [1]


def test_more_than_are_allowed_are_refused_with_their_number_and_the_key(paths):
    for index in (5, 30, 31):
        os.unlink(paths[index])
    with pytest.raises(InputError) as error:
        check_missing("list.txt", paths, 0.05, "video")
    assert str(error.value) == (
        f"list.txt: 3 of 40 videos are missing, as {paths[5]}: No such file or directory (2 more: "
        f"{paths[30]}, {paths[31]}); data.max_bad 0.05 allows 2: bring them, leave them out of the "
        "list, or set data.max_bad to 0.075"
    )
    for path in paths[:20]:
        if os.path.exists(path):
            os.unlink(path)
    with pytest.raises(InputError, match=r"22 of 40 .* \(21 more: .*/1.jpg, .*/4.jpg, \.\.\.\);"):
        check_missing("list.txt", paths, 0.05, "video")
    with pytest.raises(InputError, match="1 of 1 picture.* is missing, .*not one is there, do the"):
        check_missing("list.txt", paths[:1], 0.9, "picture", "--max-bad")


@pytest.mark.parametrize(("count", "gone"), [(30, 3), (97, 1), (70, 69), (200, 7), (333, 332)])
def test_the_share_that_is_named_is_enough(tmp_path, count, gone):
    paths = [f"{tmp_path}/{i}" for i in range(count)]
    for path in paths[gone:]:
        open(path, "w").close()
    with pytest.raises(InputError, match=r"set data.max_bad to [0-9.e-]+$") as error:
        check_missing("list.txt", paths, 0.0, "picture")
    share = float(str(error.value).rpartition(" ")[2])
    assert gone / count <= share < min(1, gone / count * 1.1)
    assert len(check_missing("list.txt", paths, share, "picture")) == gone


def test_fewer_are_said_without_their_names_and_known_to_the_caller(paths, capsys):
    os.unlink(paths[9])
    assert check_missing("list.txt", paths, 0.05, "video") == {9}
    said = "list.txt: 1 of 40 videos is missing, data.max_bad 0.05 allows 2\n"
    assert capsys.readouterr().err == said
    assert check_missing("list.txt", paths, 0.05, "video", quiet=True) == {9}
    assert check_missing("a.rec", (), 0.0, "picture") == set()
    assert capsys.readouterr().err == ""
