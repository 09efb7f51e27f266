import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import cv2
import mxnet as mx
import numpy as np
import pytest

from benchmarks.networks import settle
from gluon_glore import InputError, Network
from gluon_glore.__main__ import main
from gluon_glore.cli.answers import classify_sources, print_answers, segment_sources
from gluon_glore.data.clips import Clip
from gluon_glore.data.image import Preprocess
from gluon_glore.export import export_model
from gluon_glore.inference.classify import load_classifier, top_fields
from gluon_glore.inference.recognize import load_recognizer
from gluon_glore.inference.segment import Views
from gluon_glore.visualize.label_maps import Palette
from gluon_glore.weights.manifest import Manifest
from tests.helpers.opencv_video import write_video
from tests.helpers.pictures import MODEL, dark_or_light, segmenter, write_twenty
from tests.helpers.places import ROOT
from tests.helpers.small_video import small
from tests.helpers.videos import moving
from tests.helpers.videos import write_video as encode


@pytest.fixture(scope="module")
def classifier():
    return load_classifier(MODEL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_twenty(tmp_path_factory.mktemp("pictures"))


def command(*arguments, **options):
    """`predict` in a process of its own, with the shipped network."""
    return subprocess.Popen(
        [sys.executable, "-m", "gluon_glore", "predict", "--model", MODEL, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )


def test_lines_of_a_table_and_of_json_say_the_same(classifier, folder, tmp_path, capsys):
    video = write_video(tmp_path / "v.avi")
    for style in ("table", "json"):
        print_answers(*classify_sources(classifier, [folder, video], top=1, every=10), style)
    lines = capsys.readouterr().out.splitlines()
    table, rows = lines[:23], [json.loads(line) for line in lines[23:]]
    assert len(rows) == 23
    for line, row in zip(table, rows):
        name, best, probability = line.split()
        (top,) = row["top"]
        assert (best, float(probability)) == (
            top["class"],
            pytest.approx(top["probability"], abs=1e-4),
        )
    assert table[0].startswith("00.png  ")
    assert rows[0] == {"file": str(folder / "00.png"), "top": rows[0]["top"]}
    assert table[-1].startswith("v.avi:20  ")
    assert rows[-1] == {
        "file": str(video),
        "frame": 20,
        "time": pytest.approx(0.8),
        "top": rows[-1]["top"],
    }


def test_what_can_not_be_used_is_named_and_the_rest_goes_on(folder, tmp_path):
    (tmp_path / "bad.jpg").write_text("no picture")
    (tmp_path / "bad.mp4").write_text("no video")
    sources = [tmp_path / "bad.jpg", folder, tmp_path / "bad.mp4", tmp_path / "none.png"]
    process = command(*sources, text=True)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 2
    assert len(out.splitlines()) == 20
    assert err.splitlines() == [
        f"error: {tmp_path}/bad.jpg: not a readable picture",
        f"error: {tmp_path}/bad.mp4: not a readable video",
        f"error: {tmp_path}/none.png: No such file or directory",
        "error: 3 of 23 could not be used",
    ]


def test_pictures_on_standard_input_are_answered_as_they_come(folder):
    process = command("-", "--format", "json", stdin=subprocess.PIPE)
    for number in range(3):
        process.stdin.write((folder / f"{number:02d}.png").read_bytes())
        process.stdin.flush()
        row = json.loads(process.stdout.readline())
        assert (row["file"], row["frame"], len(row["top"])) == ("-", number, 2)
    process.stdin.write((folder / "03.png").read_bytes()[:1000])
    out, err = process.communicate(timeout=120)
    assert (out, process.returncode) == (b"", 2)
    assert b"error: -, frame 3: picture at byte" in err and b"is cut short" in err


def test_ctrl_c_ends_a_stream_that_is_silent():
    process = command(
        "-",
        stdin=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    picture = cv2.imencode(".png", np.zeros((64, 64), np.uint8))[1].tobytes()
    process.stdin.write(picture)
    process.stdin.flush()
    assert process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    process.communicate()


def test_a_terminal_sees_progress_and_a_file_the_answers(folder):
    terminal, its_end = os.openpty()
    process = command(folder, text=True)
    assert "pictures" not in process.communicate(timeout=120)[1]
    process = subprocess.Popen(
        process.args, cwd=ROOT, stdout=subprocess.PIPE, stderr=its_end, text=True
    )
    os.close(its_end)
    out = process.communicate(timeout=120)[0]
    seen = os.read(terminal, 10**5).decode()
    os.close(terminal)
    assert len(out.splitlines()) == 20
    assert "20/20" in seen and "pictures" in seen


def shade(path, light, size=(4, 8)):
    """A picture of which a share is light."""
    picture = np.zeros(size, np.uint8)
    picture[:, : round(light * size[1])] = 200
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), picture)
    return path


def test_segmented_pictures_are_painted_and_their_largest_classes_told(tmp_path, capsys):
    shade(tmp_path / "in" / "a.png", 0.25)
    shade(tmp_path / "in" / "sub" / "a.png", 1)
    video, out = write_video(tmp_path / "v.avi"), tmp_path / "out"
    sources = [tmp_path / "in", video]
    for style in ("table", "json"):
        print_answers(*segment_sources(segmenter(), sources, out, Views(), every=10), style)
    lines = capsys.readouterr().out.splitlines()
    table, rows = lines[: len(lines) // 2], [json.loads(x) for x in lines[len(lines) // 2 :]]
    assert len(table) == len(rows) == 5
    assert table[:2] == ["a.png  road 0.7500, sky 0.2500", "sub/a.png  sky 1.0000"]
    assert rows[0] == {
        "file": str(tmp_path / "in" / "a.png"),
        "top": [{"class": "road", "share": 0.75}, {"class": "sky", "share": 0.25}],
        "files": {k: f"{out}/a_{k}.png" for k in ("overlay", "color", "labelIds")},
    }
    assert rows[-1]["frame"] == 20 and rows[-1]["files"]["color"] == f"{out}/v_000020_color.png"
    files = {path for row in rows for path in row["files"].values()}
    assert files == {str(path) for path in out.rglob("*.png")} and len(files) == 15
    color = cv2.imread(f"{out}/a_color.png")[..., ::-1]
    classes = np.repeat(np.uint8([[1] * 2 + [0] * 6]), 4, axis=0)
    assert np.array_equal(color, Palette(("road", "sky")).color(classes))


def test_top_is_of_the_classes_in_a_line(tmp_path, capsys):
    picture = shade(tmp_path / "a.png", 0.75)
    print_answers(*segment_sources(segmenter(), [picture], tmp_path / "out", Views(), top=1))
    assert capsys.readouterr().out == "a.png  sky 0.7500\n"


def test_a_bad_picture_among_segmented_ones_is_named_and_the_rest_goes_on(tmp_path, capsys):
    def some_nan(x):
        return dark_or_light(x) + (np.nan if (x == 200).all() else 0)

    good, other = (shade(tmp_path / folder / "a.png", 0.5) for folder in ("x", "y"))
    (tmp_path / "bad.png").write_text("no picture")
    full, last = shade(tmp_path / "full.png", 1), shade(tmp_path / "last.png", 0.25)
    sources = [tmp_path / "bad.png", good, other, full, last, tmp_path / "none.png"]
    with pytest.raises(InputError, match="4 of 6 could not be used"):
        print_answers(*segment_sources(segmenter(some_nan), sources, tmp_path / "out", Views()))
    out, err = capsys.readouterr()
    assert [line.split()[0] for line in out.splitlines()] == ["a.png", "last.png"]
    assert err.splitlines() == [
        f"error: {tmp_path}/bad.png: not a readable picture",
        f"error: {other}: its files in {tmp_path}/out would overwrite those of {good}",
        f"error: {full}: the network's outputs are not finite: its weights are no good",
        f"error: {tmp_path}/none.png: No such file or directory",
    ]
    names = {f"{n}_{kind}.png" for n in ("a", "last") for kind in ("overlay", "color", "labelIds")}
    assert set(os.listdir(tmp_path / "out")) == names


@pytest.mark.parametrize("out", ["in", "in/out", "in/a/b"])
def test_an_output_folder_among_the_pictures_is_refused(tmp_path, out):
    shade(tmp_path / "in" / "a.png", 0.5)
    with pytest.raises(InputError, match=f"{out} lies in .*in, of which all pictures are asked"):
        print_answers(*segment_sources(segmenter(), [tmp_path / "in"], tmp_path / out, Views()))
    assert os.listdir(tmp_path / "in") == ["a.png"]


@pytest.mark.parametrize(
    ("option", "kinds"),
    [
        (["--out", "o"], "segments pictures or watches videos"),
        (["--scales", "1"], "segments pictures"),
        (["--flip"], "segments pictures"),
        (["--window", "8", "8"], "segments pictures"),
        (["--clips", "3"], "watches videos"),
        (["--crops", "3"], "watches videos"),
    ],
)
def test_what_only_other_networks_have_is_refused_of_a_classifier(folder, option, kinds, capsys):
    assert main(["predict", "--model", MODEL, str(folder), *option]) == 2
    assert capsys.readouterr().err == (
        f"error: {option[0]} is for a network that {kinds}, {MODEL} classifies pictures\n"
    )


@pytest.fixture(scope="module")
def watching(tmp_path_factory):
    """The folder of an exported network of videos, 4 frames, every 2nd."""
    net = Network(replace(small(), input_size=(4, 32, 32), in_channels=3, classes=3))
    mx.random.seed(0)
    net.initialize(mx.init.Normal(0.3))
    settle(net, mx.nd.random.normal(shape=(8, 3, 4, 32, 32)))
    folder = tmp_path_factory.mktemp("watching") / "model"
    manifest = Manifest("small", ("jump", "run", "walk"), Preprocess((32, 32), 36), clip=Clip(4, 2))
    export_model(net, folder, manifest)
    return folder


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """A folder with two videos among other things, of 40 and 4 frames, 20 a second."""
    folder = tmp_path_factory.mktemp("clips")
    encode(folder / "a.mp4", moving(40), rate=20)
    (folder / "sub").mkdir()
    encode(folder / "sub" / "b.mp4", moving(4, seed=1), rate=20)
    (folder / "notes.txt").write_text("no video")
    (folder / "._a.mp4").write_text("no video either")
    return folder


def watch(model, *arguments):
    return main(["predict", "--model", str(model), *map(str, arguments)])


def test_videos_are_watched_as_a_whole_and_over_time(watching, clips, tmp_path, capsys):
    options = ["--clips", 4, "--top", 2, "--out", tmp_path / "out"]
    assert watch(watching, clips, *options, "--format", "json") == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["file"] for row in rows] == [str(clips / "a.mp4"), str(clips / "sub/b.mp4")]
    assert [row["seconds"] for row in rows] == [2.0, 0.2]
    assert list(rows[0]) == ["file", "seconds", "top", "clips", "files"]
    starts = Clip(4, 2).even_starts(4, 40, 20)
    assert [(clip["start"], clip["end"]) for clip in rows[0]["clips"]] == [
        (pytest.approx(start / 20), pytest.approx((start + 7) / 20)) for start in starts
    ]
    assert [(clip["start"], clip["end"]) for clip in rows[1]["clips"]] == [(0.0, 0.2)]
    for row in rows:
        assert all(len(seen["top"]) == 2 for seen in (row, *row["clips"]))
        strip = cv2.imread(row["files"]["strip"])
        assert strip.shape[1] == 1200
    seen = load_recognizer(watching).watch(clips / "a.mp4", 4, top=2)
    assert rows[0]["top"] == top_fields(seen.top)
    assert [clip["top"] for clip in rows[0]["clips"]] == [top_fields(m.top) for m in seen.moments]
    assert sorted(path.name for path in (tmp_path / "out").rglob("*.*")) == [
        "a_strip.png",
        "b_strip.png",
    ]


def test_the_table_of_videos_says_what_json_says(watching, clips, capsys):
    assert watch(watching, clips, "--clips", 3, "--top", 1) == 0
    table = capsys.readouterr().out.splitlines()
    assert watch(watching, clips, "--clips", 3, "--top", 1, "--format", "json") == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    told = []
    for row in rows:
        name = row["file"].split(f"{clips}/")[1]
        parts = row["clips"] if len(row["clips"]) > 1 else []  # one clip is the video
        spans = [f"{clip['start']:.1f}-{clip['end']:.1f} s" for clip in parts]
        for head, seen in zip((name, *spans), (row, *parts)):
            (best,) = seen["top"]
            told.append(f"{head} {best['class']} {best['probability']:.4f}")
    assert [" ".join(line.split()) for line in table] == told and len(table) == 5


def test_videos_that_can_not_be_used_are_named_and_the_rest_goes_on(
    watching, clips, tmp_path, capsys
):
    whole = (clips / "a.mp4").read_bytes()
    encode(tmp_path / "cut.mkv", moving(40), rate=20)
    (tmp_path / "cut.mkv").write_bytes((tmp_path / "cut.mkv").read_bytes()[: len(whole) // 3])
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("no video" * 100)
    encode(tmp_path / "tiny.mp4", moving(10, (16, 640)), rate=20)
    (tmp_path / "z.mp4").write_bytes(whole)
    out = tmp_path / "out"
    code = watch(watching, tmp_path, clips, tmp_path / "none.mp4", "--top", 1, "--out", out)
    shown, err = capsys.readouterr()
    assert code == 2
    names = [line.split()[0] for line in shown.splitlines() if ".mp4" in line]
    assert names == ["tiny.mp4", "z.mp4", "a.mp4", "sub/b.mp4"]
    *errors, last = err.splitlines()
    bad = ("cut.mkv", "cut.mp4", "empty.mp4", "text.mp4", "none.mp4")
    assert last == "error: 5 of 9 could not be used" and len(errors) == 5
    for line, name in zip(errors, bad):
        assert line.startswith(f"error: {tmp_path}/{name}: ") and len(line) < 200
    assert errors[-1].endswith("No such file or directory")
    assert len(list(out.rglob("*.png"))) == 4


def test_a_video_that_is_alone_and_no_good_is_one_line(watching, tmp_path, capsys):
    (tmp_path / "a.mp4").write_text("no video")
    assert watch(watching, tmp_path / "a.mp4") == 2
    assert capsys.readouterr() == ("", f"error: {tmp_path}/a.mp4: not a readable video\n")


def test_what_a_network_of_videos_does_not_take_is_refused_in_one_line(
    watching, clips, folder, capsys
):
    for arguments, message in (
        ([folder / "00.png"], "00.png: a picture, small watches videos: give files or folders of"),
        ([clips, folder / "00.png"], "00.png: a picture, small watches videos"),
        (["-"], "-: standard input, small watches videos: give files or folders of .3gp"),
        ([folder], f"{folder}: no video in it, of .3gp"),
        ([clips, "--flip"], "--flip is for a network that segments pictures, small watches videos"),
        ([clips, "--scales", 1], "--scales is for a network that segments pictures"),
        ([clips, "--window", 8, 8], "--window is for a network that segments pictures"),
        ([clips, "--every", 2], "--every is for a network that classifies pictures or segments"),
    ):
        assert watch(watching, *arguments) == 2, arguments
        out, err = capsys.readouterr()
        assert (out, len(err.splitlines())) == ("", 1) and message in err
