import os
import re
import socket
import subprocess
import sys

import pytest

from gluon_glore import InputError
from gluon_glore.convert.archive import extract_release, find_release
from gluon_glore.data.record_index import IndexedRecords
from gluon_glore.model_zoo.download import download
from gluon_glore.model_zoo.load import load_network
from gluon_glore.networks.graph import read_graph
from gluon_glore.utils.files import absent, new_folder, open_file, read_text, sha256
from gluon_glore.weights.params_file import read_params
from tests.helpers.places import ROOT
from train.reporting.runs import read_run


def named_pipe(path):
    os.mkfifo(path)


def sparse(path):
    path.touch()
    os.truncate(path, 30 * 2**30)


def bound_socket(path):
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(os.path.relpath(path))


REFUSED = [
    (named_pipe, "a named pipe, a file is needed"),
    (lambda path: path.symlink_to("/dev/zero"), "a device, a file is needed"),
    (lambda path: path.mkdir(), "Is a directory"),
    (bound_socket, "No such device or address"),
    (lambda path: None, "No such file or directory"),
    (lambda path: path.symlink_to(path), "Too many levels of symbolic links"),
]


@pytest.mark.parametrize(("make", "reason"), REFUSED)
def test_what_is_no_file_is_refused_without_waiting_for_it(tmp_path, monkeypatch, make, reason):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a"
    make(path)
    for read in (read_text, sha256):
        with pytest.raises(InputError, match=f"^{path}: {reason}$"):
            read(path)


def test_a_large_file_is_refused_by_its_size_and_not_read(tmp_path):
    path = tmp_path / "a"
    sparse(path)
    with pytest.raises(InputError, match=f"^{path}: 32212254720 bytes, at most 2097152 are read"):
        read_text(path)
    with pytest.raises(InputError, match="at most 100 are read"):
        sha256(path, 100)
    path.write_text("12345")
    assert read_text(path, most=5) == "12345"


def test_a_link_is_the_file_it_leads_to(tmp_path):
    (tmp_path / "a").write_text("x")
    (tmp_path / "b").symlink_to("a")
    assert read_text(tmp_path / "b") == "x" and sha256(tmp_path / "b") == sha256(tmp_path / "a")


def test_what_is_no_text_is_refused(tmp_path):
    (tmp_path / "a").write_bytes(b"\xe9")
    with pytest.raises(InputError, match="a: not a text file in UTF-8$"):
        read_text(tmp_path / "a")


def piped(text, **options):
    """What `read_text` makes of a pipe that this process has open."""
    out, into = os.pipe()
    with os.fdopen(into, "w") as file:
        file.write(text)
    try:
        return read_text(f"/dev/fd/{out}", **options)
    finally:
        os.close(out)


def test_a_pipe_that_was_given_is_read_where_that_is_fair_and_no_further_than_the_limit():
    assert piped("a: 1", pipe=True) == "a: 1"
    with pytest.raises(InputError, match="more than 3 bytes, at most 3 are read"):
        piped("a: 1", pipe=True, most=3)
    with pytest.raises(InputError, match="a named pipe, a file is needed"):
        piped("a: 1")


def test_a_pipe_is_waited_for_but_not_one_that_lies_in_a_folder(tmp_path):
    script = (
        "from gluon_glore.utils.files import read_text\nprint(read_text('/dev/stdin', pipe=True))"
    )
    command = f"(sleep 0.2; echo late) | '{sys.executable}' -c \"{script}\""
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "late\n\n"
    named_pipe(tmp_path / "a")
    with pytest.raises(InputError, match="a named pipe"), open_file(tmp_path / "a", pipe=True):
        pass


def test_what_is_in_the_place_of_something_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "broken").symlink_to("nowhere")
    for name, words in (
        ("none", "no such archive"),
        ("file/none", "no such archive"),
        ("broken", "no such archive"),
        (".", "a folder, an archive is needed"),
        ("pipe", "a named pipe, an archive is needed"),
        ("loop", "Too many levels of symbolic links"),
    ):
        assert absent(tmp_path / name, "archive") == words
    assert absent(tmp_path / "file", "folder") == "a file, a folder is needed"


FILES = {
    "a symbol": lambda path, _: read_graph(path),
    "parameters": lambda path, _: read_params(path),
    "an archive": lambda path, place: extract_release(path, place),
    "records": lambda path, _: IndexedRecords(path),
    "an address": lambda path, place: download(f"file://{path}", place / "a"),
    "a text": lambda path, _: read_text(path),
}
FOLDERS = {
    "a release": lambda path, _: find_release(path),
    "a run": lambda path, _: read_run(path),
    "a model": lambda path, _: load_network(path),
}


@pytest.mark.parametrize("reader", [*FILES, *FOLDERS])
def test_a_folder_is_never_no_such_file_nor_a_file_no_such_folder(tmp_path, reader):
    read = {**FILES, **FOLDERS}[reader]
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("x" * 600)
    for name, there in (("none", False), ("file", reader in FOLDERS), ("folder", reader in FILES)):
        if name == "none" or there:
            with pytest.raises(InputError, match=f"/{name}: ") as error:
                read(tmp_path / name, tmp_path / "out")
            assert ("no such" in str(error.value).lower()) == (not there), error.value
            assert name == "none" or re.search("directory|folder", str(error.value))


def test_a_folder_that_fails_leaves_none_of_those_above_it_that_are_new(tmp_path):
    (tmp_path / "mine").mkdir()
    for place in ("mine/a/b/out", "mine/out"):
        with pytest.raises(ZeroDivisionError), new_folder(tmp_path / place) as folder:
            (folder / "half").touch()
            raise ZeroDivisionError
        assert list(tmp_path.rglob("*")) == [tmp_path / "mine"]
    with pytest.raises(ZeroDivisionError), new_folder(tmp_path / "a/out"):
        (tmp_path / "a/others.txt").touch()  # meanwhile, by somebody else
        raise ZeroDivisionError
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["others.txt"]
