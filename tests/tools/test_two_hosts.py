"""tools/two_hosts.sh: Horovod over a network, on two hosts that are namespaces of this machine."""

import os
import shutil
import subprocess
import sys

import pytest

from tests.helpers.horovod import needs_horovod
from tests.helpers.places import ROOT

SCRIPT = ROOT / "tools/two_hosts.sh"
STEP = """
import socket
import train
import mxnet as mx
from train.config.optim import Optim
from train.config.sections import Horovod
from train.engine.comm import make_comm
from train.engine.optimizer import make_optimizer
comm = make_comm(Horovod(stall_seconds=60))
weight = mx.gluon.Parameter("p_weight", shape=(1000, 300))
weight.initialize(mx.init.Zero())
plain = Optim(lr=1.0, momentum=0.0, weight_decay=0.0)
trainer = comm.trainer({"p_weight": weight}, make_optimizer(plain))
with mx.autograd.record():
    loss = (weight.data() * (1 + comm.rank)).sum()
loss.backward()
trainer.step(1)
moved = weight.data().asnumpy()
assert moved.min() == moved.max() == -1.5  # the mean of 1 and 2
print("host", comm.rank, comm.local_rank, comm.sum([10.0 ** comm.rank])[0], socket.gethostname())
comm.shutdown()
"""


def can_make_namespaces():
    """Whether this user may make network namespaces, and has what the script calls."""
    if not all(map(shutil.which, ("ip", "unshare", "taskset", "hostname"))) or os.cpu_count() < 2:
        return False
    name = f"glore-try-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True).returncode == 0
    if made:
        subprocess.run(["ip", "netns", "del", name], check=True)
    return made


@needs_horovod
@pytest.mark.skipif(not can_make_namespaces(), reason="namespaces of a network need root")
def test_two_hosts_average_their_gradients_over_a_network():
    beside = f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"
    done = subprocess.run(
        [SCRIPT, sys.executable, "-c", STEP],
        env={**os.environ, "PATH": beside, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    lines = sorted(line.split("host ")[1].split() for line in done.stdout.splitlines())
    assert [line[:3] for line in lines] == [["0", "0", "11.0"], ["1", "0", "11.0"]]
    names = {line[3] for line in lines}
    assert len(names) == 2
    listed = subprocess.run(["ip", "netns"], capture_output=True, text=True).stdout
    assert not any(name in listed for name in names)  # it cleans up
