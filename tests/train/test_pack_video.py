import subprocess
import sys

import numpy as np
import pytest

from gluon_glore.data.image import resize_short
from gluon_glore.data.video import Video
from gluon_glore.data.videos import Videos
from tests.helpers.command_line import refused
from tests.helpers.disks import small_disk
from tests.helpers.places import ROOT
from tests.helpers.videos import moving, write_video
from train.pack_video import main


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """Videos by their names' sizes."""
    folder = tmp_path_factory.mktemp("films")
    write_video(folder / "tall.mp4", moving(9, size=(96, 64)), rate=12)
    write_video(folder / "wide.mkv", moving(7, size=(48, 80)), rate=24)
    return folder


@pytest.fixture
def folder(films, tmp_path):
    source = tmp_path / "in"
    for name, film in (
        ("b/1.mp4", "tall.mp4"),
        ("a/2.mkv", "wide.mkv"),
        ("a/1.mp4", "tall.mp4"),
        ("b/3.mkv", "wide.mkv"),
    ):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((films / film).read_bytes())
    return source


def test_every_frame_is_kept_in_order_with_its_label_rate_and_size(folder, tmp_path, capsys):
    assert main([str(folder), str(tmp_path / "out" / "x")]) == 0
    assert capsys.readouterr().out.endswith("x.rec: 4 videos of 2 classes, 0 bad ones skipped\n")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "x.classes.txt",
        "x.idx",
        "x.rec",
    ]
    packed, files = Videos(tmp_path / "out" / "x.rec"), Videos(folder)
    assert packed.class_names == ("a", "b") and len(packed) == 4
    for i in range(4):
        assert packed.label(i) == files.label(i)
        with packed.open(i) as video, files.open(i) as file:
            assert (len(video), video.rate, video.size) == (len(file), file.rate, file.size)
            pictures, frames = (one.read(range(len(one))).astype(int) for one in (video, file))
            apart = np.abs(pictures[:, None] - frames[None]).mean((2, 3, 4))
            assert (apart.argmin(1) == range(len(file))).all() and np.diag(apart).max() < 12


def test_short_shrinks_every_keeps_some_and_quality_says_how_well(folder, tmp_path):
    def packed(name, *more):
        assert main([str(folder), str(tmp_path / name), *more]) == 0
        return Videos(tmp_path / f"{name}.rec")

    small = packed("a", "--short", "48", "--every", "3", "--quality", "100")
    with small.open(0) as video, Video(folder / "a" / "1.mp4") as file:
        assert (len(video), video.rate, video.size) == (3, 4, (72, 48))
        expected = np.stack([resize_short(frame, 48) for frame in file.read([0, 3, 6])])
        assert np.abs(video.read(range(3)).astype(int) - expected).mean() < 6
    assert small.open(1).size == (48, 80) and len(small.open(1)) == 3
    coarse = packed("b", "--short", "48", "--every", "3", "--quality", "20")
    assert coarse.path.stat().st_size < small.path.stat().st_size / 3


def test_the_same_files_come_out_whatever_the_threads(folder, tmp_path):
    for threads in ("1", "4"):
        assert main([str(folder), str(tmp_path / threads), "--threads", threads]) == 0
    assert (tmp_path / "1.rec").read_bytes() == (tmp_path / "4.rec").read_bytes()
    assert (tmp_path / "1.idx").read_bytes() == (tmp_path / "4.idx").read_bytes()


def test_a_list_a_root_and_names_say_the_labels(folder, tmp_path):
    (tmp_path / "list.txt").write_text("b/1.mp4 2\na/1.mp4\tc\n")
    (tmp_path / "names.txt").write_text("c\nd\ne\n")
    options = ["--root", str(folder), "--class-names", str(tmp_path / "names.txt")]
    assert main([str(tmp_path / "list.txt"), str(tmp_path / "x"), *options]) == 0
    videos = Videos(tmp_path / "x.rec")
    assert [videos.label(i) for i in range(2)] == [2, 0] and videos.class_names == ("c", "d", "e")


def test_the_lines_of_a_list_for_another_use_are_left_out_and_this_is_said(
    folder, tmp_path, capsys
):
    (folder / "a" / "2.mkv").rename(folder / "a" / "-x_000010_000020.mkv")
    (folder / "b" / "3.mkv").rename(folder / "b" / "y_000000_000010.mkv")
    (folder / "k.csv").write_text(
        "label,youtube_id,time_start,time_end,split\na,-x,10,20,train\nb,y,0,10,val\n"
    )
    (tmp_path / "names.txt").write_text("a\nb\n")
    for use, label in (("train", 0), ("val", 1)):
        options = ["--use", use, "--classes", str(tmp_path / "names.txt")]
        assert main([str(folder / "k.csv"), str(tmp_path / "x"), *options]) == 0
        videos = Videos(tmp_path / "x.rec")
        assert [videos.label(i) for i in range(len(videos))] == [label]
        assert capsys.readouterr().out.startswith(
            f"{folder}/k.csv: 1 videos of 1 of the 2 classes, from Kinetics' csv, split {use}, "
            "1 lines of other splits left out\n"
        )


def test_packed_videos_can_be_packed_smaller_and_bad_labels_are_named(folder, tmp_path, capsys):
    assert main([str(folder), str(tmp_path / "x")]) == 0
    assert main([str(tmp_path / "x.rec"), str(tmp_path / "y"), "--short", "32"]) == 0
    smaller = Videos(tmp_path / "y.rec")
    assert smaller.open(0).size == (48, 32) and smaller.class_names == ("a", "b")
    (tmp_path / "x.classes.txt").write_text("a\n")
    assert main([str(tmp_path / "x.rec"), str(tmp_path / "z")]) == 2
    assert "x.rec record 2: label 1 is out of range, 0 to 0 allowed" in capsys.readouterr().err


def test_bad_videos_are_named_and_skipped_up_to_a_share(folder, tmp_path, capsys):
    bad = folder / "a" / "1.mp4"
    for data in (bad.read_bytes()[: bad.stat().st_size // 2], b"", b"text\n" * 200):
        bad.write_bytes(data)
        assert main([str(folder), str(tmp_path / "x")]) == 2
        error = capsys.readouterr().err
        assert "more than 0.01 of 4 videos are bad" in error and f"{bad}: " in error
        assert not list(tmp_path.glob("*x*"))
    assert main([str(folder), str(tmp_path / "x"), "--max-bad", "0.25"]) == 0
    captured = capsys.readouterr()
    assert f"skipped {bad}: " in captured.err
    assert "3 videos of 2 classes, 1 bad ones skipped" in captured.out
    assert len(Videos(tmp_path / "x.rec")) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["none"], "No such file"),
        (["empty"], "no videos in it, expected class folders or path<TAB>class or path label"),
        (["list.txt"], "list.txt line 2: expected path"),
        (["absent.txt", "--max-bad", "1"], "no good video in it"),
        (["absent.txt"], "a.mp4: No such file"),
        (["absent.txt"], "absent.txt: 1 of 1 videos is missing, as a.mp4"),
        (["absent.txt", "--max-bad", "0.9"], "--max-bad 0.9 allows 0: not one is there"),
        (["absent.txt", "--class-names", "names.txt"], "label 3 is out of range, 0 to 0 allowed"),
        (["absent.txt", "--quality", "0"], "--quality 0"),
        (["absent.txt", "--short", "0"], "--short 0"),
        (["absent.txt", "--every", "0"], "--every 0"),
    ],
)
def test_what_can_not_be_packed_is_one_error_and_leaves_no_file(
    tmp_path, monkeypatch, options, message, capsys
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "list.txt").write_text("a.mp4 0\nb.mp4\n")
    (tmp_path / "absent.txt").write_text("a.mp4 3\n")
    (tmp_path / "names.txt").write_text("cat\n")
    assert message in refused(main, options, capsys)


def test_a_full_disk_is_an_error_and_leaves_no_file(folder, tmp_path, capsys):
    (tmp_path / "disk").mkdir()
    with small_disk(tmp_path / "disk", 64 << 10):
        assert main([str(folder), str(tmp_path / "disk" / "x")]) == 2
        assert "x.rec: can't be written" in capsys.readouterr().err
        assert not list((tmp_path / "disk").iterdir())


def test_it_is_a_command(folder, tmp_path):
    command = [sys.executable, "-m", "train.pack_video", str(folder), str(tmp_path / "x")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and "4 videos of 2 classes" in done.stdout
