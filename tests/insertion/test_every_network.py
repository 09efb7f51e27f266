import json
import os
import subprocess
import sys

import numpy as np
import pytest

from gluon_glore import insert_units
from tests.helpers.gluoncv_networks import NETWORKS, first_output, insert_and_train
from tests.helpers.networks import open_gates, relative_error
from tests.helpers.places import ROOT

LAST = ("bn_gamma", "bn_beta")  # of a unit whose gamma is zero, all that a first step moves


def check_steps(first, second):
    moved = [name for name, gradient in first.items() if gradient]
    assert moved == [name for name in first if name.endswith(LAST)]
    assert len(moved) < len(second) and all(second.values())


@pytest.mark.parametrize("name", NETWORKS)
def test_units_start_as_the_identity_and_train(name):
    units, change, steps = insert_and_train(NETWORKS[name])
    assert [unit.path for unit in units] == [f"{path}.glore" for path in NETWORKS[name].places]
    assert change < 1e-6
    if NETWORKS[name].trains:
        check_steps(*steps)


def test_units_in_networks_of_videos_train_without_onednn():
    names = [name for name, row in NETWORKS.items() if not row.trains]
    assert len(names) == 3
    script = (
        "import json, sys; from tests.helpers.gluoncv_networks import NETWORKS, insert_and_train; "
        "json.dump([insert_and_train(NETWORKS[name])[1:] for name in sys.argv[1:]], sys.stdout)"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, *names],
        cwd=ROOT,
        env={**os.environ, "MXNET_MKLDNN_ENABLED": "0", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    for change, steps in json.loads(run.stdout):
        assert change < 1e-6
        check_steps(*steps)


@pytest.mark.parametrize("name", NETWORKS)
def test_another_instance_loads_its_parameters(name, tmp_path):
    row = NETWORKS[name]
    net, x = row.make(), row.batch()
    units = insert_units(net, row.after, mid_channels=8)
    plain = first_output(net(x)).asnumpy()
    for unit in units:
        open_gates(unit.block)
    expected = first_output(net(x)).asnumpy()
    assert relative_error(expected, plain) > 1e-4
    net.save_parameters(str(tmp_path / "net.params"))
    other = row.construct()
    others = insert_units(other, row.after, mid_channels=8)
    other.load_parameters(str(tmp_path / "net.params"))
    assert np.array_equal(first_output(other(x)).asnumpy(), expected)
    for ours, theirs in zip(units, others):
        start, end = len(net.prefix), len(other.prefix)
        assert [p[start:] for p in ours.block.collect_params()] == [
            p[end:] for p in theirs.block.collect_params()
        ]
