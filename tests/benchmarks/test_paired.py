"""Workers take turns; one that can't run says why, one that dies is named."""

import json

import pytest

from benchmarks.paired import NOT_RUN, serve_passes_of, take_turns
from tests.helpers.places import ROOT

WORKER = """
import json, os, sys
from benchmarks.paired import NotRun, serve_passes_of

options = json.loads(sys.argv[2])

def make():
    if options["does"] == "refuse":
        raise NotRun("it has no wheels")
    if options["does"] == "import":
        import no_such_package
    if options["does"] == "die":
        os._exit(3)
    return lambda: bytearray(options.get("mib", 1) << 20)

serve_passes_of(make)
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "turns_worker.py").write_text(WORKER)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{ROOT}")
    return "turns_worker"


def test_answers_have_the_passes_asked_for_and_reasons_where_there_are_none(module):
    answers, left_out = take_turns(
        module,
        {
            "small": {"does": "run"},
            "large": {"does": "run", "mib": 200},
            "refusing": {"does": "refuse"},
            "lacking": {"does": "import"},
        },
        rounds=3,
        threads=1,
        warmup=1,
        passes=4,
    )
    assert left_out == {
        "refusing": "it has no wheels",
        "lacking": "No module named 'no_such_package'",
    }
    assert set(answers) == {"small", "large"}
    for turns in answers.values():
        assert [len(turn["seconds"]) for turn in turns] == [4, 4, 4]
    small, large = (answers[name][-1]["peak_mib"] for name in ("small", "large"))
    assert large > small + 150


def test_a_worker_that_dies_is_named(module):
    with pytest.raises(RuntimeError, match="worker 'weak' died"):
        take_turns(module, {"well": {"does": "run"}, "weak": {"does": "die"}}, 7, 1)


def test_a_refusal_is_an_answer_to_every_line(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", iter(["1\n", "2\n"]))

    def make():
        raise ImportError("no wheels")

    serve_passes_of(make)
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line) for line in lines] == [{NOT_RUN: "no wheels"}] * 2
