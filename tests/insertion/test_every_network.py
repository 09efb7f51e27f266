import json
import os
import subprocess
import sys

import numpy as np
import pytest

from gluon_glore import insert_units
from tests.helpers.gluoncv_networks import NETWORKS, first_output, insert_and_train
from tests.helpers.networks import open_gates
from tests.helpers.places import ROOT

LAST = ("bn_gamma", "bn_beta")  # of a unit whose gamma is zero, all that a first step moves


def check_steps(first, second):
    moved = [name for name, gradient in first.items() if gradient]
    assert moved == [name for name in first if name.endswith(LAST)]
    assert len(moved) < len(second) and all(second.values())


def check_another_instance(row, net, units, path):
    """Check that another network with such units loads the parameters of this one."""
    for unit in units:
        open_gates(unit.block)
    net.save_parameters(str(path))
    other = row.construct()
    others = insert_units(other, row.after, mid_channels=8)
    other.load_parameters(str(path))
    outputs = [first_output(each(row.batch())).asnumpy() for each in (net, other)]
    assert np.array_equal(*outputs)
    for ours, theirs in zip(units, others):
        start, end = len(net.prefix), len(other.prefix)
        assert [p[start:] for p in ours.block.collect_params()] == [
            p[end:] for p in theirs.block.collect_params()
        ]


@pytest.mark.parametrize("name", NETWORKS)
def test_units_start_as_the_identity_train_and_are_saved(name, tmp_path):
    row = NETWORKS[name]
    net, units, change, steps = insert_and_train(row)
    assert [unit.path for unit in units] == [f"{path}.glore" for path in row.places]
    assert change < 1e-6
    if row.trains:
        check_steps(*steps)
    check_another_instance(row, net, units, tmp_path / "net.params")


def test_units_in_networks_of_videos_train_without_onednn():
    names = [name for name, row in NETWORKS.items() if not row.trains]
    assert len(names) == 3
    script = (
        "import json, sys; from tests.helpers.gluoncv_networks import NETWORKS, insert_and_train; "
        "json.dump([insert_and_train(NETWORKS[name])[2:] for name in sys.argv[1:]], sys.stdout)"
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
