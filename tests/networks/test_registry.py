import dataclasses
import os
import subprocess
import sys

import pytest

from gluon_glore import InputError, get_spec, list_models
from gluon_glore.__main__ import main as command_line
from gluon_glore.model_zoo.load import load_network
from gluon_glore.networks.registry import register_model, unregistered
from tests.helpers.places import ROOT
from train.evaluate import main as evaluate
from train.report import main as report

MINE = '''
import sys

from gluon_glore import get_spec, register_model
from train.imagenet import main


@register_model
def somebodys_glore_1_0():
    """A user's own, registered in a module that nobody else has."""
    return get_spec("tiny").with_units("glore", res3=(1,), mid_channels=16)


sys.exit(main())
'''


@pytest.mark.parametrize("name", list_models())
def test_files_carry_no_spec_of_the_packages_own_rows(name):
    assert unregistered(get_spec(name), name) is None


def test_files_carry_what_differs_from_a_row_or_is_called_otherwise():
    other = dataclasses.replace(get_spec("tiny"), eps=0.5)
    assert unregistered(other, "tiny") is other
    assert unregistered(other, "gone") is other


def test_files_carry_the_spec_of_a_row_that_is_not_the_packages(monkeypatch):
    spec = get_spec("tiny")
    monkeypatch.setattr("gluon_glore.networks.registry._ROWS", {})

    @register_model
    def users():
        """A user's."""
        return spec

    for module in ("__main__", "my_networks", "gluon_glore_mine.zoo"):
        users.__module__ = module
        assert unregistered(spec, "users") is spec


@pytest.fixture(scope="module")
def run(tmp_path_factory, digit_pairs):
    """A run of a network that another process has registered, and this one has not."""
    folder = tmp_path_factory.mktemp("somebody")
    (folder / "mine.py").write_text(MINE)
    settings = {
        "data.train": digit_pairs / "train.rec",
        "data.val": digit_pairs / "val.rec",
        "data.class_names": digit_pairs / "classes.txt",
        "optim.epochs": 1,
        "optim.batch_size": 32,
        "model.name": "somebodys_glore_1_0",
    }
    config = ["--config", str(ROOT / "configs" / "digit_pairs.yaml"), "--out", "run"]
    options = [word for item in settings.items() for word in ("--set", "{}={}".format(*item))]
    environment = dict(os.environ, PYTHONPATH=str(ROOT))
    command = [sys.executable, "mine.py", *config, *options]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with pytest.raises(InputError, match="unknown network 'somebodys_glore_1_0'"):
        get_spec("somebodys_glore_1_0")
    return folder / "run"


def test_a_run_of_somebodys_network_is_read_without_his_module(run, digit_pairs, capsys):
    net, manifest = load_network(str(run))
    assert manifest.model == net.spec.name == "somebodys_glore_1_0"
    assert net.spec.placement == "glore: Res3 1"
    picture = str(next(digit_pairs.glob("pictures/*.png")))
    assert command_line(["predict", "--model", str(run), picture]) == 0
    assert evaluate([str(run)]) == 0
    capsys.readouterr()
    assert report([str(run)]) == 0
    lines = dict(
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in capsys.readouterr().out.splitlines()
    )
    assert (lines["network"], lines["parameters"]) == ("`somebodys_glore_1_0`", "–")
    assert lines["epochs"] == "1 of 1"


def test_so_are_what_is_exported_and_published_of_it(run, digit_pairs, tmp_path, capsys):
    picture = str(next(digit_pairs.glob("pictures/*.png")))
    model, zoo = tmp_path / "model", tmp_path / "zoo"
    assert command_line(["export", str(run), "--out", str(model)]) == 0
    assert command_line(["check", str(model)]) == 0
    assert command_line(["predict", "--model", str(model), picture]) == 0
    card = ["--licence", "MIT", "--origin", "somebody"]
    assert command_line(["publish", str(run), "--out", str(zoo), *card]) == 0
    (entry,) = zoo.glob("somebodys_glore_1_0-*")
    assert command_line(["predict", "--model", str(entry), picture]) == 0
    assert capsys.readouterr().err == ""
