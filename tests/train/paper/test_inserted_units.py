import json

import numpy as np
import pytest

from gluon_glore import InputError
from gluon_glore.weights import load_arrays
from tests.helpers.places import ROOT
from train.paper import inserted_units
from train.paper.studies import STUDIES

UNITS = STUDIES["inserted"].variants["res4"].units
CONFIG = {
    "model": {"name": "cifar_resnet20_v1", "units": {}, "classes": 2},
    "data": {"mean": [22], "size": [16, 16]},
}


@pytest.fixture(autouse=True)
def gluoncv():
    pytest.importorskip("gluoncv")


def test_the_size_is_that_of_the_network_and_its_unit():
    """Counted by hand: GloRe on 64 channels of 4x4 locations, 16 nodes of 32 states."""
    plain = inserted_units.run_size(CONFIG)
    with_unit = inserted_units.run_size({**CONFIG, "model": {**CONFIG["model"], "units": UNITS}})
    weights = {"state": 64 * 32, "projection": 64 * 16, "adjacency": 16 * 16, "update": 32 * 32}
    weights["extension"] = 32 * 64
    biases_and_norm = 32 + 16 + 16 + 2 * 64
    assert with_unit[0] - plain[0] == sum(weights.values()) + biases_and_norm
    locations = 16
    macs = locations * (weights["state"] + weights["projection"] + weights["extension"])
    macs += 32 * weights["adjacency"] + 16 * weights["update"]
    macs += 2 * locations * 16 * 32  # to the nodes and back
    assert with_unit[1] - plain[1] == macs


def test_a_run_trains_the_network_and_its_unit(tmp_path, settings, monkeypatch):
    monkeypatch.chdir(ROOT)
    words = ["--config", "configs/study/inserted.yaml", "--out", str(tmp_path / "run")]
    small = ("optim.epochs=1", "data.resize=16")
    for setting in (*settings, *small, f"model.units={json.dumps(UNITS)}"):
        words += ["--set", setting]
    assert inserted_units.main(words) == 0
    summary = json.loads((tmp_path / "run/summary.json").read_text())
    assert 0 <= summary["top1"] <= 1
    (weights,) = tmp_path.glob("run/checkpoints/epoch-0001/weights.params")
    arrays = load_arrays(weights)
    (gamma,) = (name for name in arrays if "glore" in name and name.endswith("gamma"))
    assert np.abs(arrays[gamma].asnumpy()).max() > 0  # it has left the identity


def test_a_network_that_gluoncv_lacks_is_named():
    with pytest.raises(InputError, match="no_such_network"):
        inserted_units.run_size({**CONFIG, "model": {**CONFIG["model"], "name": "no_such_network"}})
