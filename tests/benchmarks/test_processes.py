"""Two processes beside one: who is launched how, and what is compared with what."""

import json

import pytest

from benchmarks import processes
from benchmarks.processes import COMPETITORS, ONE, TWO, launch
from tests.helpers.without_mxnet import needs_mxnet

SECONDS = {ONE: [4.0, 8.0, 2.0], TWO: [2.0, 8.0, 4.0]}


def test_launches_take_turns_and_are_compared_within_a_round(tmp_path, monkeypatch, capsys):
    turns = {name: iter(seconds) for name, seconds in SECONDS.items()}
    names = {id(competitor): name for name, competitor in COMPETITORS.items()}
    order = []

    def launched(competitor, options, threads):
        assert options == {"model": "tiny", "batch": 8, "steps": 1} and threads == 2
        order.append(names[id(competitor)])
        return next(turns[order[-1]])

    monkeypatch.setattr(processes, "launch", launched)
    options = ["--model", "tiny", "--batch", "8", "--steps", "1", "--rounds", "3", "--only", TWO]
    processes.main([*options, "--out", str(tmp_path)])
    assert order == [ONE, TWO] * 3
    result = json.loads((tmp_path / "processes_batch8.json").read_text())
    assert result["images_per_second"] == {ONE: 2.0, TWO: 2.0}
    assert result["over_one_process"] == {ONE: 1.0, TWO: 1.0}
    assert TWO in capsys.readouterr().out


@needs_mxnet
@pytest.mark.parametrize("name", [ONE, "two, each alone"])
def test_processes_that_are_alone_take_the_trainers_step(name):
    assert launch(COMPETITORS[name], {"model": "tiny", "batch": 8, "steps": 1}, 2) > 0


@needs_mxnet
def test_a_launch_that_fails_says_so():
    with pytest.raises(RuntimeError, match="unknown network 'none'"):
        launch(COMPETITORS[ONE], {"model": "none", "batch": 8, "steps": 1}, 2)
