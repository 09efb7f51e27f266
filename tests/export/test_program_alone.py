"""Programs are written and run without MXNet."""

import numpy as np
import pytest

from gluon_glore import InputError, get_spec
from gluon_glore.data.image import Preprocess
from gluon_glore.export.files import Files
from gluon_glore.export.runtimes import PyTorch
from gluon_glore.weights.deployment import Deployment
from gluon_glore.weights.golden import LEAST_LOGIT
from gluon_glore.weights.manifest import Manifest

torch = pytest.importorskip("torch", reason="programs are PyTorch's")

# {name: (shape, layout, type of the input, sizes of its batches)}
INPUTS = {
    "one size": ((None, 1, 64, 64), "NCHW", "float32", [(1, 1, 64, 64), (3, 1, 64, 64)]),
    "any size": ((None, 1, None, None), "NCHW", "float32", [(1, 1, 33, 70), (2, 1, 80, 64)]),
    "pictures": ((None, None, None, 1), "NHWC", "uint8", [(1, 40, 64, 1), (5, 64, 37, 1)]),
    "planes": ((None, 1, None, None), "NCHW", "uint8", [(1, 1, 40, 64), (5, 1, 64, 37)]),
}


def network():
    """A network of PyTorch with weights, and statistics of a batch."""
    from gluon_glore.pytorch import Network

    torch.manual_seed(0)
    net = Network(get_spec("tiny_glore_0_1"), 2)
    norms = [m for m in net.modules() if hasattr(m, "running_mean")]
    for norm in norms:
        norm.momentum = None
    with torch.no_grad():
        net.train()(torch.randn(16, 1, 64, 64))
    return net.requires_grad_(False).eval()


@pytest.mark.parametrize("softmax", [False, True])
@pytest.mark.parametrize("case", INPUTS)
def test_a_program_is_its_network_at_each_size(case, softmax, tmp_path):
    from gluon_glore.export.program import write_program

    shape, layout, dtype, batches = INPUTS[case]
    preprocess = Preprocess((64, 64), 0, (22.0,), 0.0167)
    deployment = Deployment(shape, layout, dtype, probabilities=softmax)
    manifest = Manifest("tiny_glore_0_1", ("no", "yes"), preprocess, deployment=deployment)
    files = Files(tmp_path, manifest)
    net = network()
    write_program(files.program, net, files)
    runtime = PyTorch(files, threads=1)
    for size in batches:
        x = np.random.default_rng(0).normal(100, 50, size).clip(0, 255).astype(dtype)
        pixels = (x - 22.0) * 0.0167 if dtype == "uint8" else x
        pixels = np.moveaxis(pixels, -1, 1) if layout == "NHWC" else pixels
        expected = net(torch.tensor(pixels, dtype=torch.float32))
        if softmax:
            assert np.abs(runtime.raw(x) - expected.softmax(1).numpy()).max() < 1e-5
            expected = expected.log_softmax(1).clamp(min=float(LEAST_LOGIT))
        expected = expected.numpy()
        assert np.abs(runtime(x) - expected).max() < 1e-4 * np.abs(expected).max()
    with pytest.raises(InputError, match=r"pytorch fails on a batch .*; its input is"):
        runtime(np.zeros((1, 2, 3, 4), "float64"))
