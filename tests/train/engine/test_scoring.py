import json

import numpy as np
import pytest

from gluon_glore.data.labelled_pictures import PictureSource
from gluon_glore.utils.command import exit_code
from gluon_glore.utils.errors import InputError
from gluon_glore.weights.run_folder import data_section, validation_set
from train.config.sections import Config
from train.engine.loop import Meter
from train.engine.scoring import options, result_of, score, write_result


class Numbers(list):
    path = "numbers.rec"


METER = Meter(np.float32(0.5), 3, 2.0, {"top1": np.float64(0.25), "top5": None})


def prepared(dataset):
    def evaluate(comm, bad):
        return result_of("tiny", dataset, bad, METER, {"size": [8, 8]})

    return lambda: (dataset, Config(), evaluate)


def test_what_was_scored_is_printed_and_written(tmp_path, capsys):
    out = tmp_path / "result.json"
    assert score(prepared(Numbers([1, 2, 3, 4])), out, unit="numbers") == 0
    line = capsys.readouterr().out
    assert line == "tiny: top-1 0.2500, loss 0.5000 on 3 of 4 numbers of numbers.rec\n"
    assert json.loads(out.read_text()) == {
        "model": "tiny",
        "data": "numbers.rec",
        "size": [8, 8],
        "loss": 0.5,
        "top1": 0.25,
        "images_per_second": 1.5,
        "samples": 3,
        "bad_records": 0,
    }


@pytest.mark.parametrize(
    ("error", "code"), [(InputError("no such run"), 2), (KeyboardInterrupt, 130)]
)
def test_what_can_not_be_scored_has_an_exit_code_and_no_file(tmp_path, error, code, capsys):
    def prepare():
        raise error

    assert score(prepare, tmp_path / "result.json") == code
    assert capsys.readouterr().err == ("error: no such run\n" if code == 2 else "")
    assert not list(tmp_path.iterdir())


def test_a_result_that_can_not_be_written_is_one_error(tmp_path, capsys):
    (tmp_path / "taken").write_text("a file, not a folder")
    place = tmp_path / "taken" / "result.json"
    assert exit_code(lambda: write_result(place, {})) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and str(tmp_path / "taken") in line


def test_a_run_says_what_it_was_validated_on(tmp_path):
    with pytest.raises(InputError, match="does not say its validation set: give --data VIDEOS"):
        data_section(tmp_path, "VIDEOS")
    summary = {"config": {"data": {"train": "t", "val": "v", "root": "r"}}}
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    assert data_section(tmp_path, "VIDEOS") == {"val": "v", "root": "r"}
    assert validation_set(tmp_path) == PictureSource("v", "r")
    deep = '{"config": {"data": {"val": ' + "[" * 100_000
    for text in ("[]", '{"config": {"data": {"val": 7}}}', '{"config": {"data": 7}}', deep):
        (tmp_path / "summary.json").write_text(text)
        with pytest.raises(InputError, match="give --data FILE.rec"):
            validation_set(tmp_path)


def test_options_that_are_not_given_are_the_runs_own():
    parser = options("train.x", "Score.\n\nMore.", ("FILE.rec", "pictures"))
    assert parser.prog == "python -m train.x" and parser.description == "Score."
    own = {"model": "RUN", "data": None, "threads": 2, "max_bad": 0.01, "out": None}
    assert vars(parser.parse_args(["RUN"])) == own
    with pytest.raises(SystemExit):
        parser.parse_args(["RUN", "--threads", "0"])
