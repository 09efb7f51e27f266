import os
import shutil
import signal
import subprocess
import sys
import time

import cv2
import mxnet as mx
import numpy as np
import pytest

from gluon_glore.data.records import RecordDataset
from tests.helpers.command_line import refused
from tests.helpers.disks import small_disk
from tests.helpers.encoded import smooth
from tests.helpers.places import ROOT
from train.pack import main

RED, BLUE = (0, 0, 255), (255, 0, 0)  # OpenCV writes BGR


def write(path, colour=RED, height=60, width=80):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((height, width, 3), colour, np.uint8))
    return path


@pytest.fixture
def folder(tmp_path):
    """Three classes of four pictures; other files and hidden ones between them."""
    source = tmp_path / "pictures"
    for name in ("dog", "cat", "eel"):
        for i in range(3):
            write(source / name / f"{i}.jpg")
        write(source / name / "more" / "deep.PNG.png")
    (source / "cat" / "notes.txt").write_text("no picture")
    (source / "cat" / ".hidden.jpg").write_text("no picture")
    (source / ".git").mkdir()
    (source / "readme.txt").write_text("no class")
    return source


def contents(path, classes=3):
    dataset = RecordDataset(path, classes)
    return [dataset[i] for i in range(len(dataset))]


def test_a_folder_is_packed_byte_by_byte_in_the_order_of_class_and_path(folder, tmp_path, capsys):
    assert main([str(folder), str(tmp_path / "out" / "train")]) == 0
    names = ["0.jpg", "1.jpg", "2.jpg", "more/deep.PNG.png"]
    assert contents(tmp_path / "out" / "train.rec") == [
        ((folder / cls / name).read_bytes(), label)
        for label, cls in enumerate(("cat", "dog", "eel"))
        for name in names
    ]
    assert (tmp_path / "out" / "train.classes.txt").read_text() == "cat\ndog\neel\n"
    assert capsys.readouterr().out.endswith(
        "train.rec: 12 pictures of 3 classes, 0 bad ones skipped\n"
    )
    assert len(list((tmp_path / "out").iterdir())) == 3


def test_the_same_files_come_out_whatever_the_threads_and_another_order_by_seed(folder, tmp_path):
    def packed(name, *more):
        assert main([str(folder), str(tmp_path / name), *more]) == 0
        return (tmp_path / f"{name}.rec").read_bytes(), (tmp_path / f"{name}.idx").read_bytes()

    assert packed("a", "--threads", "1") == packed("b", "--threads", "4")
    assert packed("c", "--shuffle", "1") == packed("d", "--shuffle", "1") != packed("a")
    assert sorted(contents(tmp_path / "a.rec")) == sorted(contents(tmp_path / "c.rec"))


def test_a_list_file_and_given_names_say_the_labels(folder, tmp_path):
    listed = folder / "list.tsv"
    listed.write_text("dog/1.jpg\tdog\ncat/0.jpg\tcat\n")
    assert main([str(listed), str(tmp_path / "a")]) == 0
    assert [label for _, label in contents(tmp_path / "a.rec")] == [1, 0]
    (tmp_path / "names.txt").write_text("eel\ndog\ncat\n")
    assert main([str(listed), str(tmp_path / "b"), "--classes", str(tmp_path / "names.txt")]) == 0
    assert [label for _, label in contents(tmp_path / "b.rec")] == [1, 2]
    assert (tmp_path / "b.classes.txt").read_text() == "eel\ndog\ncat\n"


def test_integers_of_a_list_stay_the_labels_they_are(folder, tmp_path):
    """Not in the order of their text, in which 10 and 11 come before 2."""
    listed = folder / "list.txt"
    for blank in ("\t", " "):
        listed.write_text("".join(f"dog/1.jpg{blank}{label}\n" for label in range(12)))
        assert main([str(listed), str(tmp_path / "a")]) == 0
        assert [label for _, label in contents(tmp_path / "a.rec", 12)] == list(range(12))
        names = (tmp_path / "a.classes.txt").read_text().splitlines()
        assert names == list(map(str, range(12)))


def test_a_folder_that_lacks_a_class_is_labelled_by_the_training_names(folder, tmp_path, capsys):
    assert main([str(folder), str(tmp_path / "train")]) == 0
    shutil.rmtree(folder / "dog")
    assert main([str(folder), str(tmp_path / "alone")]) == 0
    assert (tmp_path / "alone.classes.txt").read_text() == "cat\neel\n"
    capsys.readouterr()
    names = ["--classes", str(tmp_path / "train.classes.txt")]
    assert main([str(folder), str(tmp_path / "val"), *names]) == 0
    assert [label for _, label in contents(tmp_path / "val.rec")] == [0] * 4 + [2] * 4
    assert (tmp_path / "val.classes.txt").read_text() == "cat\ndog\neel\n"
    assert "1 of the 3 classes have no picture, as dog" in capsys.readouterr().err


def test_a_list_is_read_by_its_form_below_a_root_and_this_is_said(folder, tmp_path, capsys):
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / "val.txt").write_text("dog/1.jpg 1\ncat/0.jpg 0\n")
    (lists / "names.txt").write_text("\ufeffcat\r\ndog\r\n\r\n")
    for option in ("--classes", "--class-names"):
        options = ["--root", str(folder), option, str(lists / "names.txt")]
        assert main([str(lists / "val.txt"), str(tmp_path / "a"), *options]) == 0
        assert [label for _, label in contents(tmp_path / "a.rec", 2)] == [1, 0]
        first, last = capsys.readouterr().out.splitlines()
        assert first == f"{lists}/val.txt: 2 pictures of 2 classes, from a Caffe list"
        assert last.endswith("a.rec: 2 pictures of 2 classes, 0 bad ones skipped")


def test_names_that_are_numbered_count_the_labels(folder, tmp_path):
    (folder / "list.txt").write_text("dog/1.jpg 2\nlost/0.jpg 1\ncat/0.jpg 1\n")
    (tmp_path / "names.txt").write_text("1 cat\n2 dog\n")
    options = ["--classes", str(tmp_path / "names.txt"), "--max-bad", "0.5"]
    assert main([str(folder / "list.txt"), str(tmp_path / "a"), *options]) == 0
    assert [label for _, label in contents(tmp_path / "a.rec", 2)] == [1, 0]
    assert (tmp_path / "a.classes.txt").read_text() == "cat\ndog\n"


def test_names_are_taken_as_a_person_means_them(folder, tmp_path):
    synsets = {"n01440764": "cat", "n01443537": "dog", "n01484850": "eel"}
    for synset, name in synsets.items():
        (folder / name).rename(folder / synset)
    (tmp_path / "synset_words.txt").write_text(
        "n01484850 great white shark\r\nn01440764 tench, Tinca tinca\r\nn01443537 goldfish\r\n\r\n"
    )
    names = ["--classes", str(tmp_path / "synset_words.txt")]
    assert main([str(folder), str(tmp_path / "a"), *names]) == 0
    assert [label for _, label in contents(tmp_path / "a.rec")] == [1] * 4 + [2] * 4 + [0] * 4
    written = (tmp_path / "a.classes.txt").read_text().splitlines()
    assert written == [
        "n01484850 great white shark",
        "n01440764 tench, Tinca tinca",
        "n01443537 goldfish",
    ]


def test_resize_shrinks_the_short_side_and_leaves_smaller_pictures_alone(tmp_path):
    large = write(tmp_path / "in" / "a" / "large.png", BLUE, 200, 300)
    small = write(tmp_path / "in" / "b" / "small.png", RED, 50, 70)
    assert main([str(large.parents[1]), str(tmp_path / "out"), "--resize", "64"]) == 0
    (shrunk, _), (kept, _) = contents(tmp_path / "out.rec")
    picture = cv2.imdecode(np.frombuffer(shrunk, np.uint8), cv2.IMREAD_COLOR)
    assert shrunk.startswith(b"\xff\xd8") and picture.shape == (64, 96, 3)
    assert np.abs(picture.astype(int) - BLUE).max() < 4
    assert kept == small.read_bytes()


def test_bad_pictures_are_named_and_skipped_up_to_a_share(folder, tmp_path, capsys):
    whole = (folder / "dog" / "1.jpg").read_bytes()
    (folder / "dog" / "1.jpg").write_bytes(whole[: len(whole) // 2])
    assert main([str(folder), str(tmp_path / "a")]) == 2
    error = capsys.readouterr().err
    assert "more than 0.01 of 12 pictures are bad" in error and "dog/1.jpg: not a readable" in error
    assert not list(tmp_path.glob("*a.*"))
    assert main([str(folder), str(tmp_path / "a"), "--max-bad", "0.1"]) == 0
    captured = capsys.readouterr()
    assert f"skipped {folder}/dog/1.jpg: not a readable picture" in captured.err
    assert "11 pictures of 3 classes, 1 bad ones skipped" in captured.out
    assert [label for _, label in contents(tmp_path / "a.rec")].count(1) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["none"], "No such file"),
        (["empty"], "no pictures in it, expected class folders or path<TAB>class"),
        (["list.tsv"], "list.tsv line 2: expected path<TAB>class or path label, a whole number"),
        (["nested"], "nested: one class folder in it, val: give the folder whose folders are"),
        (["nested", "--classes", "names.txt"], "class 'val' is not among the 1 names given"),
        (["from_one.txt"], "from_one.txt: labels 1 to 2 and no 0, but they count from 0"),
        (["absent.tsv", "--max-bad", "1"], "no good picture in it"),
        (["absent.tsv"], "a.jpg: No such file"),
        (["absent.tsv"], "absent.tsv: 1 of 1 pictures is missing, as a.jpg"),
        (["gone.tsv"], "allows 0: bring them, leave them out of the list, or set --max-bad to 0.5"),
        (["absent.tsv", "--classes", "names.txt"], "class 'dog' is not among the 1 names given"),
        (["absent.tsv", "--quality", "0"], "--quality 0"),
        (["absent.tsv", "--resize", "-1"], "--resize -1"),
    ],
)
def test_what_can_not_be_packed_is_one_error_and_leaves_no_file(
    tmp_path, monkeypatch, options, message, capsys
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "list.tsv").write_text("a.jpg\tdog\nb.jpg\n")
    (tmp_path / "absent.tsv").write_text("a.jpg\tdog\n")
    (tmp_path / "gone.tsv").write_text("a.jpg\tdog\nnames.txt\tcat\n")
    (tmp_path / "names.txt").write_text("cat\n")
    (tmp_path / "from_one.txt").write_text("a.jpg 1\nb.jpg 2\n")
    write(tmp_path / "nested" / "val" / "1.jpg")
    assert message in refused(main, options, capsys)


def test_a_killed_run_leaves_nothing_that_looks_whole(tmp_path):
    for name in "ab":
        write(tmp_path / "in" / name / "1.jpg")
    out, into = os.pipe()
    (tmp_path / "in" / "b" / "2.jpg").symlink_to(f"/dev/fd/{out}")  # the run waits here
    command = [
        sys.executable,
        "-m",
        "train.pack",
        str(tmp_path / "in"),
        str(tmp_path / "out" / "x"),
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.Popen(
        command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL, pass_fds=[out]
    )
    try:
        deadline = time.monotonic() + 60
        while not list((tmp_path / "out").glob(".x.rec.*")):
            assert run.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        run.send_signal(signal.SIGKILL)
        run.wait()
        os.close(out)
        os.close(into)
    assert not list((tmp_path / "out").glob("x*"))


def test_a_full_disk_is_an_error_and_leaves_no_file(tmp_path, capsys):
    for i in range(8):
        write(tmp_path / "in" / "ab"[i % 2] / f"{i}.bmp")  # 14 kB each
    (tmp_path / "disk").mkdir()
    with small_disk(tmp_path / "disk", 64 << 10):
        assert main([str(tmp_path / "in"), str(tmp_path / "disk" / "x")]) == 2
        assert "x.rec: can't be written" in capsys.readouterr().err
        assert not list((tmp_path / "disk").iterdir())


def test_a_gif_among_the_pictures_is_packed(tmp_path):
    for name in ("a/1.gif", "b/1.png"):
        (tmp_path / "in" / name).parent.mkdir(parents=True)
        picture = smooth(16, 24)
        picture.save(tmp_path / "in" / name)
    assert main([str(tmp_path / "in"), str(tmp_path / "x")]) == 0
    assert (tmp_path / "x.idx").read_text().count("\n") == 2


def test_mxnets_own_iterator_reads_what_is_packed(folder, tmp_path):
    assert main([str(folder), str(tmp_path / "a")]) == 0
    iterator = mx.io.ImageRecordIter(
        path_imgrec=str(tmp_path / "a.rec"), data_shape=(3, 60, 80), batch_size=12
    )
    assert iterator.next().label[0].asnumpy().tolist() == [0] * 4 + [1] * 4 + [2] * 4
