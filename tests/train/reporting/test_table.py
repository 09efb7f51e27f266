import pytest
import yaml

from tests.helpers.metrics import rows, scene_rows, write_run
from train.reporting.runs import read_run
from train.reporting.table import table


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current one, so that runs are named as they are given."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def values(*names):
    """The cells of the table's lines by the first one."""
    lines = table([read_run(name) for name in names]).splitlines()
    return {key: cells for key, *cells in map(cells, lines)}


def test_runs_lie_side_by_side_with_what_differs(folder):
    write_run(folder / "a", rows(), lr=0.1, steps=[30, 60])
    write_run(folder / "b", rows()[:3], model="tiny_glore_0_1", lr=0.2, steps=[30, 60])
    head, rule, *lines = table([read_run("a"), read_run("b")]).splitlines()
    assert {len(line) for line in lines} == {len(head)} == {len(rule)}
    found = {key: values for key, *values in map(cells, lines)}
    assert cells(head) == ["run", "a", "b"]
    assert found.pop("network") == ["`tiny`", "`tiny_glore_0_1`"]
    assert found.pop("parameters") == ["0.39 M", "0.44 M"]
    assert found.pop("multiply-adds") == ["0.029 G", "0.033 G"]
    assert found.pop("epochs") == ["2 of 3", "1 of 3"]
    assert found.pop("top-1, last") == ["50.00 %", "75.00 %"]
    assert found.pop("top-1, best") == ["75.00 % (epoch 1)", "75.00 % (epoch 1)"]
    assert found.pop("top-5, last") == ["95.00 %", "90.00 %"]
    assert found.pop("top-5, best") == ["90.00 % (epoch 1)", "90.00 % (epoch 1)"]
    assert found.pop("images/s") == ["80.0", "87.5"]
    assert found.pop("waiting for input") == ["26.00 %", "20.00 %"]
    assert found.pop("seconds") == ["9.0", "6.0"]
    assert found == {"`optim.lr`": ["0.1", "0.2"]}  # nothing else differs


def test_a_run_before_its_first_evaluation_has_dashes(folder):
    write_run(folder / "a", [row for row in rows() if row["kind"] == "train"][:1])
    found = values("a")
    assert (found["top-1, last"], found["top-1, best"]) == (["–"], ["–"])
    assert found["epochs"] == ["0 of 3"]


def test_runs_of_two_tasks_have_dashes_where_they_measure_other_things(folder):
    write_run(folder / "a", rows())
    write_run(folder / "c", scene_rows())
    found = values("a", "c")
    assert found["top-1, last"] == ["50.00 %", "–"]
    assert found["mean IoU, best"] == ["–", "37.50 % (epoch 2)"]
    assert found["pixel accuracy, last"] == ["–", "75.00 %"]


def test_units_of_a_configuration_are_counted_and_differ(folder):
    write_run(folder / "plain", rows())
    placed = write_run(folder / "placed", rows())
    config = yaml.safe_load((placed / "config.yaml").read_text())
    config["model"]["units"] = {"kind": "glore", "res4": [1], "mid_channels": 64}
    (placed / "config.yaml").write_text(yaml.safe_dump(config))
    write_run(folder / "named", rows(), model="tiny_glore_0_1")
    found = values("plain", "placed", "named")
    assert found["network"] == ["`tiny`", "`tiny`", "`tiny_glore_0_1`"]
    assert found["parameters"] == ["0.39 M", "0.44 M", "0.44 M"]
    assert found["multiply-adds"] == ["0.029 G", "0.033 G", "0.033 G"]
    assert found["`model.units.kind`"] == ["–", "glore", "–"]
    assert found["`model.units.res4`"] == ["–", "[1]", "–"]


def test_a_network_that_is_not_known_here_has_dashes_for_its_size(folder):
    write_run(folder / "a", rows())
    write_run(folder / "odd", rows(), model="of_somebody")
    found = values("a", "odd")
    assert found["network"] == ["`tiny`", "`of_somebody`"]
    assert found["parameters"] == ["0.39 M", "–"]
    assert found["multiply-adds"] == ["0.029 G", "–"]
    assert found["top-1, best"] == ["75.00 % (epoch 1)", "75.00 % (epoch 1)"]
