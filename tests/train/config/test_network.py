import json

import mxnet as mx
import numpy as np
import pytest
import yaml

from gluon_glore import InputError, get_model, get_spec
from gluon_glore.model_zoo.load import load_network
from gluon_glore.weights.run_folder import newest_checkpoint
from tests.helpers.places import ROOT
from train.config.load import load_config
from train.config.network import model_spec
from train.config.sections import Model
from train.imagenet import main
from train.reporting.size import network_size, run_size, run_spec

UNITS = {"kind": "glore", "res3": [1], "res4": [1, 3], "mid_channels": 8, "arrangement": "post"}


def test_a_network_without_units_is_the_registered_one():
    assert model_spec(Model("mini")) == get_spec("mini")


def test_units_stand_where_and_as_with_units_puts_them():
    spec = model_spec(Model("mini", UNITS))
    options = {"mid_channels": 8, "arrangement": "post"}
    assert spec == get_spec("mini").with_units("glore", res3=(1,), res4=(1, 3), **options)
    assert spec.placement == "glore: Res3 1; Res4 1,3"
    plain, subsampled = (
        model_spec(Model("mini", {"kind": "nonlocal", "res4": [2], **more}))
        for more in ({}, {"subsample": 2, "zero_gamma": False})
    )
    assert plain != subsampled and plain.placement == subsampled.placement == "nonlocal: Res4 2"
    both = {"kind": "glore", "res3": [1], "both_paths": True}  # of dual paths alone
    assert model_spec(Model("dpn92", both)).placement == "glore: Res3 1"
    assert UNITS["kind"] == "glore"  # what was given is as it was


def test_units_come_beside_those_that_a_network_has():
    spec = model_spec(Model("tiny_glore_0_1", {"kind": "glore", "res3": [1]}))
    assert spec.placement == "glore: Res3 1; Res4 1"


@pytest.mark.parametrize(
    ("name", "units", "message"),
    [
        ("minni", {}, "unknown network 'minni', closest: mini"),
        ("mini", {"res4": [1]}, "model.units needs a kind, as {kind: glore, res4: [1, 3]}, given"),
        ("mini", {"kind": ["glore"], "res4": [1]}, "model.units needs a kind"),
        ("mini", ["glore"], "model.units needs a kind"),
        ("mini", {"kind": "glore"}, "model.units needs places, as {kind: glore, res4: [1, 3]}"),
        ("mini", {"kind": "glore", "res4": []}, "model.units needs places"),
        ("mini", {"kind": "glore", "res4": 1}, "model.units.res4 is a list of numbers, given 1"),
        ("mini", {"kind": "glore", "res4": ["1"]}, "model.units.res4 is a list of numbers, given"),
        ("mini", {"kind": "glore", "res4": [True]}, "model.units.res4 is a list of numbers, given"),
        ("mini", {"kind": "glore", "res4": [4]}, "Res4 has residual units 1 to 3"),
        ("mini", {"kind": "glore", "res5": [1]}, "stage must be one of [2, 3, 4], given 5"),
        ("mini", {"kind": "glore", "res4": [1], "res6": [1]}, "given 'res6'"),
        ("mini", {"kind": "glare", "res4": [1]}, "['glore', 'nonlocal'], given 'glare'"),
        ("mini", {"kind": "glore", "res4": [1], "nodes": 8}, "'mid_channels', "),
        ("mini", {"kind": "nonlocal", "res4": [1], "arrangement": "pre"}, "given 'arrangement'"),
        ("mini", {"kind": "glore", "res4": [1], "both_paths": True}, "given 'both_paths'"),
        ("mini", {**UNITS, "mid_channels": 0}, "mid_channels must be at least 1, given 0"),
        ("mini", {**UNITS, "mid_channels": "8"}, "mid_channels expects int, given '8'"),
        ("mini", {**UNITS, "mid_channels": 8.5}, "mid_channels expects int, given 8.5"),
        ("mini", {**UNITS, "mid_channels": True}, "mid_channels expects int, given True"),
        ("mini", {**UNITS, "zero_gamma": "no"}, "zero_gamma expects bool, given 'no'"),
        ("mini", {**UNITS, "arrangement": ["pre"]}, "arrangement expects str, given ['pre']"),
        ("mini", {**UNITS, "arrangement": "pre", "zero_gamma": False}, "zero_gamma is of arrang"),
    ],
)
def test_units_that_can_not_be_are_refused(name, units, message):
    with pytest.raises(InputError) as error:
        model_spec(Model(name, units))
    assert message in str(error.value) and "\n" not in str(error.value)


def test_a_config_takes_units_also_with_weights_to_start_from(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump({"model": {"name": "mini", "units": UNITS}}))
    assert load_config(path).model.units == UNITS
    placed = load_config(path, ["model.units={kind: nonlocal, res4: [2]}"]).model
    assert model_spec(placed).placement == "nonlocal: Res4 2"
    model = load_config(path, ["model.pretrained=zoo"]).model
    assert (model.units, model.pretrained) == (UNITS, "zoo")
    with pytest.raises(InputError, match="config key model.units expects names and values"):
        load_config(path, ["model.units=glore"])


def train(out, settings, units):
    sets = [*settings, "optim.epochs=1", "model.name=tiny", f"model.units={json.dumps(units)}"]
    options = [word for setting in sets for word in ("--set", setting)]
    return main(["--config", str(ROOT / "configs/digit_pairs.yaml"), "--out", str(out), *options])


def test_a_run_with_units_trains_and_its_checkpoint_has_them(tmp_path, settings):
    units = {"kind": "glore", "res3": [1], "res4": [2], "arrangement": "post", "mid_channels": 8}
    out = tmp_path / "run"
    assert train(out, settings, units) == 0
    _, manifest = newest_checkpoint(out, print)
    assert manifest.model == "tiny"
    assert manifest.spec.placement == "glore: Res3 1; Res4 2"
    net, _ = load_network(str(out))
    assert net.spec.extras == model_spec(Model("tiny", units)).extras
    assert net(mx.nd.zeros((1, 1, 64, 64))).shape == (1, 2)
    gammas = {
        name: parameter.data().asnumpy()
        for name, parameter in net.collect_params(".*_extra_fc-2__bn_gamma").items()
    }
    assert len(gammas) == 2 and all(np.abs(gamma).max() > 0 for gamma in gammas.values())
    config = yaml.safe_load((out / "config.yaml").read_text())
    assert config["model"]["units"] == units
    assert run_spec(config).extras == net.spec.extras
    assert run_size(config)[0] == network_size(net.spec)[0] > network_size("tiny")[0]


def test_impossible_units_end_a_run_before_its_first_step(tmp_path, settings, capsys):
    assert train(tmp_path / "run", settings, {"kind": "glore", "res4": [9]}) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: Res4 has residual units 1 to 2")


def test_the_size_of_a_run_is_that_at_its_own_classes_pixels_and_frames():
    model = {"name": "tiny_3d", "classes": 5}
    config = {"model": model, "data": {"size": [32, 48]}, "clip": {"frames": 8}}
    assert run_size(config) == network_size("tiny_3d", 5, (8, 32, 48))
    assert run_size(config)[0] > network_size("tiny_3d")[0]
    assert run_size(config)[1] < network_size("tiny_3d")[1]
    scenes = {"model": {"name": "tiny"}, "data": {"size": [64, 64]}}  # no units, no classes
    assert run_size(scenes) == network_size(get_spec("tiny")) == network_size("tiny")
    shapes = get_model("tiny").collect_params().values()
    weights = sum(int(np.prod(p.shape)) for p in shapes if "running" not in p.name)
    assert network_size("tiny")[0] == weights
