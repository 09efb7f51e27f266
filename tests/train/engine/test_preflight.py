import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest

from gluon_glore import InputError, get_model, get_spec
from gluon_glore.data.image import Preprocess
from gluon_glore.data.records import write_records
from gluon_glore.weights.manifest import Manifest, write_manifest
from tests.helpers.horovod import horovodrun, needs_horovod
from tests.helpers.places import ROOT
from tests.helpers.runs import CONFIG, options
from train.config.load import to_dict
from train.config.sections import Config
from train.digit_pairs import encode_png
from train.engine.comm import Elsewhere, Here, LocalComm, together
from train.engine.preflight import check_changes, check_out
from train.reporting.runs import write_config

PICTURE = encode_png(np.zeros((64, 64), np.uint8))


def test_a_directory_that_can_be_made_is_fine_and_not_made(tmp_path):
    check_out(tmp_path / "a" / "b", get_model("tiny"))
    check_out(tmp_path, get_model("tiny"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("out", ["file", "file/run", "link", "link/run"])
def test_a_file_or_a_broken_link_in_its_place_is_refused(tmp_path, out):
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    with pytest.raises(InputError, match=f"{out}: .*(file|link) is not a directory"):
        check_out(tmp_path / out, get_model("tiny"))


def test_a_read_only_file_system_is_refused(mount):
    place = mount("ro")
    with pytest.raises(InputError, match=r"mount.*: Read-only file system"):
        check_out(place / "run", get_model("tiny"))


def test_a_disk_too_small_for_the_checkpoints_is_refused(mount):
    place = mount("size=8m")
    with pytest.raises(InputError, match=r"run: 8 MB free, checkpoints of tiny take 1\d MB"):
        check_out(place / "run", get_model("tiny"))
    check_out(place / "run", get_model("tiny"), keep=0)
    with pytest.raises(InputError, match=r"run: 8 MB free, checkpoints of tiny take 1\d MB"):
        check_out(place / "run", get_model("tiny"), keep=0, copies=4)
    # A resumed run holds most of them already.
    (place / "run/checkpoints/epoch-0001").mkdir(parents=True)
    (place / "run/checkpoints/epoch-0001/weights.params").write_bytes(bytes(7 << 20))
    with pytest.raises(InputError, match=r"run: 1 MB free, checkpoints of tiny take 5 MB"):
        check_out(place / "run", get_model("tiny"))


def test_a_disk_that_is_full_is_refused(mount):
    place = mount("size=1m")
    (place / "all").write_bytes(bytes(1 << 20))
    with pytest.raises(InputError, match=r"mount.*: No space left on device"):
        check_out(place / "run", get_model("tiny"))


@pytest.fixture
def manifest():
    """`manifest(names, pictures)`: that of a run's checkpoints."""

    def manifest(names=("a", "b"), pictures=64):
        return Manifest(
            "tiny", names, Preprocess((64, 64), 0, (0.0,)), order={"pictures": pictures}
        )

    return manifest


@pytest.fixture
def run(tmp_path, manifest):
    """The folder of a run of `Config()` with a checkpoint."""
    folder = tmp_path / "checkpoints" / "epoch-0001"
    folder.mkdir(parents=True)
    write_config(tmp_path, to_dict(Config()))
    write_manifest(folder, manifest(), [])
    return tmp_path


def test_what_is_as_it_was_needs_no_word_and_is_not_said(run, tmp_path, manifest, capsys):
    check_changes(run, Config(), manifest())
    check_changes(tmp_path / "new", Config(seed=1), manifest())  # no checkpoint: said elsewhere
    assert capsys.readouterr().err == ""
    check_changes(run, Config(log_every=7), manifest())
    assert capsys.readouterr().err == (
        f"{run}: changes of its config.yaml:\n"
        "  log_every: 20 -> 7 (of no effect on what is computed)\n"
    )


def test_other_data_under_the_same_name_needs_a_word(run, manifest, capsys):
    for names, pictures, changes in (
        (("a", "c"), 64, ["class names: b -> c"]),
        (("a", "b", "c"), 64, ["class names: none -> c"]),
        (("a", "b"), 96, ["samples of data.train: 64 -> 96"]),
        (("b", "a"), 1, ["samples of data.train: 64 -> 1", "class names: a; b -> b; a"]),
    ):
        keys = ", ".join(change.partition(":")[0] for change in changes)
        with pytest.raises(InputError, match=rf"its run had other values of {keys}: resume with"):
            check_changes(run, Config(), manifest(names, pictures))
        said = capsys.readouterr().err.splitlines()
        assert said[1:] == [f"  {change}" for change in changes]
        check_changes(run, Config(), manifest(names, pictures), accept=True)
        assert capsys.readouterr().err.splitlines() == said
    # Older checkpoints do not say how many there were.
    older = dataclasses.replace(manifest(), order={})
    write_manifest(run / "checkpoints" / "epoch-0001", older, [])
    check_changes(run, Config(), manifest(pictures=1))


def test_a_network_whose_row_is_another_by_now_needs_a_word(run, manifest, capsys):
    then = dataclasses.replace(get_spec("tiny"), momentum=0.5)
    write_manifest(
        run / "checkpoints" / "epoch-0001", dataclasses.replace(manifest(), spec=then), []
    )
    with pytest.raises(InputError, match="its run had other values of tiny's momentum: resume"):
        check_changes(run, Config(), manifest())
    assert capsys.readouterr().err.splitlines()[1:] == ["  tiny's momentum: 0.5 -> 0.9"]
    check_changes(run, Config(), manifest(), accept=True)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [(b"- 1", "damaged"), (b"a: [", "damaged"), (b"\xe9", "damaged"), (None, "No such file")],
)
def test_a_run_whose_configuration_is_lost_needs_a_word(run, manifest, damage, reason, capsys):
    config = run / "config.yaml"
    config.write_bytes(damage) if damage else config.unlink()
    with pytest.raises(InputError, match=rf"yaml: {reason}.*: nothing says what changes; --acc"):
        check_changes(run, Config(), manifest())
    check_changes(run, Config(), manifest(), accept=True)
    assert "config.yaml: " in capsys.readouterr().err


BLOCKED = """
import sys
sys.modules["matplotlib"] = None
from train.imagenet import main
sys.exit(main(sys.argv[1:]))
"""


def test_a_run_that_could_draw_no_curves_ends_before_its_first_step(tmp_path, settings):
    arguments = ["--config", CONFIG, "--out", str(tmp_path / "run"), *options(settings)]
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED, *arguments], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr == (
        "error: curves.png needs the package matplotlib: "
        "pip install '.[train]' from a checkout of gluon-glore\n"
    )
    assert not (tmp_path / "run").exists()


class RankOneOfTwo(LocalComm):
    """Rank 1 of two; rank 0 has found an error or not."""

    rank, size = 1, 2

    def __init__(self, error_on_rank_0):
        self._other = [error_on_rank_0, 0]

    def sum(self, values):
        return np.asarray(values) + self._other


def refuse():
    raise InputError("mine")


def test_an_error_ends_all_ranks_and_the_first_that_has_it_says_it():
    assert together(LocalComm(), lambda: 7) == 7
    assert together(RankOneOfTwo(0), lambda: 7) == 7
    with pytest.raises(Here, match="mine"):
        together(LocalComm(), refuse)
    with pytest.raises(Here, match="mine"):
        together(RankOneOfTwo(0), refuse)
    for check in (refuse, lambda: 7):
        with pytest.raises(Elsewhere):
            together(RankOneOfTwo(1), check)


RANKS = """
import json, os, sys
from train.imagenet import main
rank = int(os.environ["HOROVOD_RANK"])
for number, cases in enumerate(json.loads(sys.argv[1])):
    print(f"case {number}", file=sys.stderr, flush=True)
    assert main(cases[rank % len(cases)]) == 2
print("all refused by", rank, flush=True)
"""


@needs_horovod
def test_two_processes_say_each_error_once_and_end_together(tmp_path, settings):
    """Each case is one command line for both ranks, or one for each."""
    write_records(tmp_path / "one.rec", [(PICTURE, 0)])
    write_records(tmp_path / "odd.rec", [(PICTURE, 5)] * 64)
    (tmp_path / "broken.yaml").write_text("model: [tiny")
    (tmp_path / "latin.yaml").write_bytes(b"model: {name: \xe9}")
    (tmp_path / "three.txt").write_text("a\nb\nc\n")
    (tmp_path / "file").write_text("in the way")

    def command(*more, config=CONFIG, out=tmp_path / "run"):
        return ["--config", str(config), "--out", str(out), *options(settings, *more)]

    fine = command()
    cases = {
        "broken.yaml: not YAML": [command(config=tmp_path / "broken.yaml")],
        "latin.yaml: not a text file": [command(config=tmp_path / "latin.yaml")],
        "file is not a directory": [command(out=tmp_path / "file")],
        "1 training pictures do not fill": [command(f"data.train={tmp_path}/one.rec")],
        "2 classes, given 3 names": [command(f"data.class_names={tmp_path}/three.txt")],
        "label 5 is out of range, 0 to 1": [command(f"data.val={tmp_path}/odd.rec")],
        "gone.rec: no such file": [fine, command("data.train=gone.rec")],  # on rank 1 alone
        "here.rec: no such file": [command("data.train=here.rec"), fine],
        "not divisible by 2": [command("optim.batch_size=33")],
    }
    done = horovodrun("-c", RANKS, json.dumps(list(cases.values())))
    assert done.returncode == 0, done.stderr
    assert "all refused by 0" in done.stdout and "all refused by 1" in done.stdout
    errors = [line for line in done.stderr.splitlines() if "error: " in line]
    assert len(errors) == len(cases), errors
    for message in cases:
        assert sum(message in error for error in errors) == 1, (message, errors)
    assert not (tmp_path / "run").exists()


@needs_horovod
def test_horovodrun_ends_where_one_process_has_an_error(tmp_path, settings):
    script = "import os, sys; from train.imagenet import main; "
    script += "extra = ['--set', 'optim.lr=fast'] * (os.environ['HOROVOD_RANK'] == '0'); "
    script += "sys.exit(main(sys.argv[1:] + extra))"
    arguments = ["--config", CONFIG, "--out", str(tmp_path / "run"), *options(settings)]
    done = horovodrun("-c", script, *arguments)  # rank 1 waits for rank 0 by then
    assert done.returncode != 0
    assert done.stderr.count("error: ") == 1
    assert "optim.lr expects float, given 'fast'" in done.stderr
