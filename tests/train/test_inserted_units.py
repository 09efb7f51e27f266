import json

import numpy as np
import pytest

from gluon_glore import InputError, load_network
from gluon_glore.weights import load_arrays
from tests.helpers.places import ROOT
from train import inserted_units
from train.paper.studies import STUDIES


@pytest.fixture
def train(tmp_path, settings, monkeypatch):
    """Train with further settings; returns the exit code. The run is in `tmp_path / "run"`."""
    pytest.importorskip("gluoncv")
    monkeypatch.chdir(ROOT)
    units = json.dumps(STUDIES["inserted"].variants["res4"].units)
    small = (*settings, "optim.epochs=1", "data.resize=16", f"model.units={units}")

    def run(*more):
        words = ["--config", "configs/study/inserted.yaml", "--out", str(tmp_path / "run")]
        for setting in (*small, *more):
            words += ["--set", setting]
        return inserted_units.main(words)

    return run


def test_a_run_trains_the_network_and_its_unit(train, tmp_path):
    assert train() == 0
    summary = json.loads((tmp_path / "run/summary.json").read_text())
    assert 0 <= summary["top1"] <= 1
    arrays = load_arrays(tmp_path / "run/checkpoints/epoch-0001/weights.params")
    (gamma,) = (name for name in arrays if "glore" in name and name.endswith("gamma"))
    assert np.abs(arrays[gamma].asnumpy()).max() > 0  # it has left the identity
    with pytest.raises(InputError, match="weights of cifar_resnet20_v1, a network that only"):
        load_network(tmp_path / "run")


@pytest.mark.parametrize("setting", ["model.pretrained=zoo", "optim.recompute=2"])
def test_what_is_for_our_own_networks_is_refused(train, tmp_path, capsys, setting):
    assert train(setting) == 2
    assert "are for networks of this project, given cifar_resnet20_v1" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
