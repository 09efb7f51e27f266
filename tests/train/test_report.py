import cv2
import pytest

from tests.helpers.metrics import rows, scene_rows, write_run
from train.report import main
from train.reporting.runs import read_run
from train.reporting.table import table


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "a", rows(), lr=0.1, steps=[30, 60])
    write_run(tmp_path / "b", rows()[:3], model="tiny_glore_0_1", lr=0.2, steps=[30, 60])
    return ["a", "b"]


def test_runs_lie_side_by_side(runs, capsys):
    assert main(runs) == 0
    assert capsys.readouterr().out == table(list(map(read_run, runs))) + "\n"


def test_the_curves_of_all_runs_are_drawn(runs, capsys):
    assert main(["a", "--out", "one.png"]) == 0
    assert main(["a", "b", "--out", "two.png"]) == 0
    one, two = cv2.imread("one.png"), cv2.imread("two.png")
    assert one.shape == two.shape
    assert (one != two).any()


def test_runs_of_two_tasks_are_drawn_together(runs, tmp_path):
    write_run(tmp_path / "c", scene_rows())
    assert main(["a", "c", "--out", "both.png"]) == 0
    assert main(["c", "--out", "one.png"]) == 0
    assert cv2.imread("both.png").shape[1] > cv2.imread("one.png").shape[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a", "none"], "none: no such directory"),
        (["a", "."], ".: no run in it, config.yaml: No such file or directory"),
        (["a", "--out", "a/metrics.jsonl/x.png"], "a/metrics.jsonl: File exists"),
    ],
)
def test_what_can_not_be_used_is_one_error_and_exit_2(runs, tmp_path, arguments, message, capsys):
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and message in line
