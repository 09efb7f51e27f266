"""A step of training in PyTorch is the step in Gluon, there and back through a file."""

import pytest

from gluon_glore import get_spec

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
mx = pytest.importorskip("mxnet", reason="compares with MXNet, which is not installed")

import numpy as np  # noqa: E402
from mxnet import autograd, gluon  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402

from gluon_glore import Network  # noqa: E402
from gluon_glore.pytorch import Network as Twin  # noqa: E402
from gluon_glore.pytorch import from_mxnet, to_mxnet  # noqa: E402
from gluon_glore.weights import set_weights  # noqa: E402
from tests.helpers.networks import relative_error, values  # noqa: E402
from tests.helpers.spellings import pair  # noqa: E402
from train.config.optim import Optim  # noqa: E402
from train.engine.optimizer import make_optimizer  # noqa: E402

STEPS = 2  # the second has a momentum
OPTIM = Optim(lr=0.01, momentum=0.9, weight_decay=1e-3)
# PyTorch's running variance is the unbiased one, n / (n - 1) of MXNet's for n locations of a batch.
NETWORKS = {
    "glore": (get_spec("tiny_glore_0_1"), 64),
    "non-local": (get_spec("tiny_nl_0_1"), 64),
    "clips": (get_spec("tiny_3d").with_units("glore", res4=(1,), arrangement="post"), 16),
}


def pixels(spec, batch):
    rng = np.random.RandomState(3)
    x = rng.normal(size=(batch, spec.in_channels, *spec.input_size)).astype("float32")
    return x, rng.randint(spec.classes, size=batch)


def gluon_steps(net, x, labels):
    """Train as the trainers do."""
    trainer = gluon.Trainer(net.collect_params(), make_optimizer(OPTIM), kvstore=None)
    loss = gluon.loss.SoftmaxCrossEntropyLoss()
    for _ in range(STEPS):
        with autograd.record():
            losses = loss(net(mx.nd.array(x)), mx.nd.array(labels))
        losses.backward()
        trainer.step(len(x))
    mx.nd.waitall()


def pytorch_steps(net, x, labels):
    net.train()
    optimizer = torch.optim.SGD(
        net.parameters(), OPTIM.lr, OPTIM.momentum, weight_decay=OPTIM.weight_decay
    )
    for _ in range(STEPS):
        loss = torch.nn.functional.cross_entropy(net(torch.from_numpy(x)), torch.from_numpy(labels))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@pytest.mark.parametrize(("spec", "batch"), NETWORKS.values(), ids=NETWORKS)
def test_steps_in_pytorch_between_two_files_are_those_in_gluon(tmp_path, spec, batch):
    x, labels = pixels(spec, batch)
    net, _, _ = pair(spec, x=x, smaller={})
    before = values(net)
    save_file(from_mxnet(before), tmp_path / "from.safetensors")

    twin = Twin(spec)
    twin.load_state_dict(load_file(tmp_path / "from.safetensors"))
    pytorch_steps(twin, x, labels)
    save_file(twin.state_dict(), tmp_path / "back.safetensors")
    arrays = to_mxnet(load_file(tmp_path / "back.safetensors"))
    again = Network(spec)
    again.initialize()
    set_weights(again.collect_params(), {n: mx.nd.array(a) for n, a in arrays.items()}, "back")

    gluon_steps(net, x, labels)
    theirs = values(again)
    errors = {name: relative_error(theirs[name], after) for name, after in values(net).items()}
    assert {name: error for name, error in errors.items() if not error < 1e-4} == {}
    moved = {name: relative_error(theirs[name], value) for name, value in before.items()}
    assert all(moved.values()), "a parameter was not trained"
