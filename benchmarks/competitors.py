"""The competitors that run the same network, a row each: numpy pixels in, numpy logits out.

A row's `make` takes a `Job` and returns the step. It runs in a process of its own, and imports only
what it needs.
"""

import importlib.util
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Callable

from gluon_glore.plan.spec import NetSpec
from gluon_glore.weights.manifest import MANIFEST, params_of, parse_manifest
from gluon_glore.weights.params_file import read_params

from .networks import exported_pixels, network, pixels

PEAK_SIZE = 2048  # of the square matrices whose product is the machine's peak


@dataclass(frozen=True)
class Job:
    """The work: a network, a folder with its zoo entry and exports, a batch, threads.

    Of a network that is given as an exported folder there are its exports alone.
    """

    name: str
    folder: Path
    batch: int
    threads: int

    @property
    def entry(self):
        """The folder of the zoo entry."""
        return self.folder / "entry"

    @property
    def spec(self) -> NetSpec:
        """The network: the entry's own spec, or the registered one."""
        return parse_manifest(self.entry / MANIFEST).spec or network(self.name)

    @property
    def pixels(self):
        """The batch that every competitor is given."""
        if self.entry.is_dir():
            return pixels(self.spec, self.batch)
        some = min(place for place in self.folder.iterdir() if place.is_dir())
        return exported_pixels(some, self.batch)


@dataclass(frozen=True)
class Competitor:
    """A row: how its step is made, the package that it needs, the precision it computes in.

    `exported`: it runs the folder that was exported in that precision. `baseline`: others are
    compared with the fastest of the rows that name the same one. `peak`: it is no network, but a
    matrix product whose speed networks are compared with.
    """

    label: str
    make: Callable
    package: str
    precision: str = "fp32"
    exported: bool = False
    baseline: str = ""
    peak: bool = False

    @property
    def lack(self):
        """Why it can't run here, None where it can."""
        found = importlib.util.find_spec(self.package)
        return None if found else f"{self.package} is not installed"


def gluon(job):
    """The Gluon network, hybridised."""
    import mxnet as mx

    from gluon_glore.model_zoo.load import load_network

    net, _ = load_network(job.entry)
    net.hybridize(static_alloc=True, static_shape=True)
    x = job.pixels
    return lambda: net(mx.nd.array(x)).asnumpy()


def exported(job, runtime, precision):
    """An exported folder in a runtime, as its loader sets it up."""
    from gluon_glore.export.runtimes import load_runtime

    network = load_runtime(job.folder / precision, runtime, job.threads)
    x = job.pixels
    return lambda: network(x)


def make_torch_network(job):
    """The job's network in PyTorch, with its weights."""
    from gluon_glore.pytorch import Network, from_mxnet

    manifest = parse_manifest(job.entry / MANIFEST)
    net = Network(job.spec, len(manifest.class_names))
    arrays = read_params(params_of(job.entry, manifest))
    net.load_state_dict(from_mxnet(arrays, job.spec.ndim))
    return net


def pytorch(job, layout="contiguous_format", dtype="float32", compiled=False):
    """The PyTorch network in evaluation, its weights in `dtype`."""
    import torch

    torch.set_num_threads(job.threads)
    as_given = {"dtype": getattr(torch, dtype), "memory_format": getattr(torch, layout)}
    net = make_torch_network(job).eval().to(**as_given)
    x = torch.from_numpy(job.pixels)
    if compiled:
        import torch._inductor.config

        torch._inductor.config.freezing = True  # weights are constants: folded, packed
        net = torch.compile(net)
    # Compiled code is not made under inference_mode: what freezes there is no_grad.
    without_gradients = torch.no_grad if compiled else torch.inference_mode

    def step():
        with without_gradients():
            return net(x.to(**as_given)).float().numpy()

    return step


def peak_torch(job):
    """A float32 matrix product by PyTorch."""
    import torch

    torch.set_num_threads(job.threads)
    a = torch.randn(PEAK_SIZE, PEAK_SIZE)
    return lambda: torch.mm(a, a)


def peak_numpy(job):
    """A float32 matrix product by numpy."""
    import numpy as np

    a = np.random.RandomState(0).normal(size=(PEAK_SIZE, PEAK_SIZE)).astype("float32")
    return lambda: a @ a


def peak_mxnet(job):
    """A float32 matrix product by MXNet."""
    import mxnet as mx

    a = mx.nd.random.normal(shape=(PEAK_SIZE, PEAK_SIZE))
    return lambda: mx.nd.dot(a, a).wait_to_read()


def _exported(label, runtime, package, precision):
    """The row of exported folders in a runtime."""
    make = partial(exported, runtime=runtime, precision=precision)
    name = f"{label} {precision}"
    baseline = "openvino_fp32" if name == "OpenVINO fp32" else ""
    return Competitor(name, make, package, precision, exported=True, baseline=baseline)


def _pytorch(label, precision="fp32", **options):
    """A row of PyTorch; `options` are those of `pytorch`."""
    dtype = {"fp32": "float32", "bf16": "bfloat16"}[precision]
    make = partial(pytorch, dtype=dtype, **options)
    # Its best layout is the baseline; what its compiler adds is a row of its own.
    baseline = "" if options.get("compiled") else f"pytorch_{precision}"
    return Competitor(f"PyTorch {label} {precision}", make, "torch", precision, baseline=baseline)


_LAST = {"layout": "channels_last"}
ROWS = (
    Competitor("matrix product, PyTorch", peak_torch, "torch", peak=True),
    Competitor("matrix product, numpy", peak_numpy, "numpy", peak=True),
    Competitor("matrix product, MXNet", peak_mxnet, "mxnet", peak=True),
    Competitor("MXNet Gluon fp32", gluon, "mxnet"),
    *(_exported("MXNet exported", "mxnet", "mxnet", p) for p in ("fp32", "int8")),
    *(_exported("OpenVINO", "openvino", "openvino", p) for p in ("fp32", "bf16", "int8")),
    *(_exported("ONNX Runtime", "onnxruntime", "onnxruntime", p) for p in ("fp32", "int8")),
    _pytorch("NCHW"),
    _pytorch("channels-last", **_LAST),
    _pytorch("compiled", compiled=True, **_LAST),
    _pytorch("NCHW", "bf16"),
    _pytorch("channels-last", "bf16", **_LAST),
    _pytorch("compiled", "bf16", compiled=True, **_LAST),
)
COMPETITORS = {row.label: row for row in ROWS}
