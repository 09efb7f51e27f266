import cv2
import pytest
import yaml

from tests.helpers.metrics import rows, scene_rows, write_run
from train.report import main


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "a", rows(), lr=0.1, steps=[30, 60])
    write_run(tmp_path / "b", rows()[:3], model="tiny_glore_0_1", lr=0.2, steps=[30, 60])
    return ["a", "b"]


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_runs_lie_side_by_side_with_what_differs(runs, capsys):
    assert main(runs) == 0
    head, _, *lines = capsys.readouterr().out.splitlines()
    table = {key: values for key, *values in map(cells, lines)}
    assert cells(head) == ["run", "a", "b"]
    assert table.pop("network") == ["`tiny`", "`tiny_glore_0_1`"]
    assert table.pop("parameters") == ["0.39 M", "0.44 M"]
    assert table.pop("multiply-adds") == ["0.029 G", "0.033 G"]
    assert table.pop("epochs") == ["2 of 3", "1 of 3"]
    assert table.pop("top-1, last") == ["50.00 %", "75.00 %"]
    assert table.pop("top-1, best") == ["75.00 % (epoch 1)", "75.00 % (epoch 1)"]
    assert table.pop("top-5, last") == ["95.00 %", "90.00 %"]
    assert table.pop("top-5, best") == ["90.00 % (epoch 1)", "90.00 % (epoch 1)"]
    assert table.pop("images/s") == ["80.0", "87.5"]
    assert table.pop("waiting for input") == ["26.00 %", "20.00 %"]
    assert table.pop("seconds") == ["9.0", "6.0"]
    assert table == {"`optim.lr`": ["0.1", "0.2"]}  # nothing else differs


def test_a_run_before_its_first_evaluation_has_dashes(runs, tmp_path, capsys):
    write_run(tmp_path / "a", [row for row in rows() if row["kind"] == "train"][:1])
    assert main(["a"]) == 0
    lines = map(cells, capsys.readouterr().out.splitlines())
    table = dict(line for line in lines)
    assert (table["top-1, last"], table["top-1, best"]) == ("–", "–")
    assert table["epochs"] == "0 of 3"


def test_runs_of_two_tasks_have_dashes_where_they_measure_other_things(runs, tmp_path, capsys):
    write_run(tmp_path / "c", scene_rows())
    assert main(["a", "c", "--out", "both.png"]) == 0
    table = {key: values for key, *values in map(cells, capsys.readouterr().out.splitlines())}
    assert table["top-1, last"] == ["50.00 %", "–"]
    assert table["mean IoU, best"] == ["–", "37.50 % (epoch 2)"]
    assert table["pixel accuracy, last"] == ["–", "75.00 %"]
    assert main(["c", "--out", "one.png"]) == 0
    assert cv2.imread("both.png").shape[1] > cv2.imread("one.png").shape[1]


def test_units_of_a_configuration_are_counted_and_differ(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "plain", rows())
    placed = write_run(tmp_path / "placed", rows())
    config = yaml.safe_load((placed / "config.yaml").read_text())
    config["model"]["units"] = {"kind": "glore", "res4": [1], "mid_channels": 64}
    (placed / "config.yaml").write_text(yaml.safe_dump(config))
    write_run(tmp_path / "named", rows(), model="tiny_glore_0_1")
    assert main(["plain", "placed", "named"]) == 0
    table = {key: values for key, *values in map(cells, capsys.readouterr().out.splitlines())}
    assert table["network"] == ["`tiny`", "`tiny`", "`tiny_glore_0_1`"]
    assert table["parameters"] == ["0.39 M", "0.44 M", "0.44 M"]
    assert table["multiply-adds"] == ["0.029 G", "0.033 G", "0.033 G"]
    assert table["`model.units.kind`"] == ["–", "glore", "–"]
    assert table["`model.units.res4`"] == ["–", "[1]", "–"]


def test_a_network_that_is_not_known_here_has_dashes_for_its_size(runs, tmp_path, capsys):
    write_run(tmp_path / "odd", rows(), model="of_somebody")
    assert main(["a", "odd"]) == 0
    table = {key: values for key, *values in map(cells, capsys.readouterr().out.splitlines())}
    assert table["network"] == ["`tiny`", "`of_somebody`"]
    assert table["parameters"] == ["0.39 M", "–"]
    assert table["multiply-adds"] == ["0.029 G", "–"]
    assert table["top-1, best"] == ["75.00 % (epoch 1)", "75.00 % (epoch 1)"]


def test_the_curves_of_all_runs_are_drawn(runs, capsys):
    assert main(["a", "--out", "one.png"]) == 0
    assert main(["a", "b", "--out", "two.png"]) == 0
    one, two = cv2.imread("one.png"), cv2.imread("two.png")
    assert one.shape == two.shape
    assert (one != two).any()


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
