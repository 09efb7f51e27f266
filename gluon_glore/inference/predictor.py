"""A network ready to be called with numpy arrays: an exported folder, a training run or a name."""

from dataclasses import dataclass
from enum import Enum
from typing import Callable, ClassVar, Optional

import numpy as np

from ..export.files import is_export, read_files
from ..export.inputs import takes_pictures
from ..export.runtime import refusing
from ..export.runtimes import start_runtime
from ..utils.cpu import bound_caches
from ..utils.errors import InputError
from ..utils.extras import installed, require
from ..weights.deployment import OUTPUTS
from ..weights.manifest import Manifest, clip_of, labels_pixels


class Task(Enum):
    """What a network does; the value is the verb and object of a sentence about it."""

    CLASSIFY = "classifies pictures"
    SEGMENT = "segments pictures"
    RECOGNIZE = "watches videos"


@dataclass(frozen=True)
class Predictor:
    """A network ready to be called: `network` maps a batch to logits, numpy arrays both.

    The batch is float32 `(B, C, ...)`, or uint8 for a network that was exported to normalize pixels
    itself, in the order that its deployment's layout says. Several threads may call it. `runtime`
    names what runs it. A subclass adds what networks of its `required_task` can do.
    """

    network: Callable[[np.ndarray], np.ndarray]
    manifest: Manifest
    runtime: str = "mxnet"

    required_task: ClassVar[Optional[Task]] = None

    @classmethod
    def of(cls, predictor):
        """A `Predictor` as one of this subclass.

        Raises InputError where its network does something else.
        """
        if predictor.task is not cls.required_task:
            raise InputError(
                f"{predictor.manifest.model} {predictor.task.value}: give a network that "
                f"{cls.required_task.value}"
            )
        return cls(predictor.network, predictor.manifest, predictor.runtime)

    @property
    def task(self) -> Task:
        """What the network does; a network that is not known here classifies pictures."""
        if clip_of(self.manifest) is not None:
            return Task.RECOGNIZE
        return Task.SEGMENT if labels_pixels(self.manifest) else Task.CLASSIFY

    @property
    def channels(self) -> int:
        """Channels of the pictures: 3 for RGB, 1 for grey."""
        return self.manifest.preprocess.channels

    @property
    def takes_pictures(self) -> bool:
        """Whether the network takes uint8 pixels and normalizes them itself."""
        return takes_pictures(self.manifest)

    @property
    def output(self) -> str:
        """What `raw` gives: "logits", or of a folder that was exported so "probabilities"."""
        return self.manifest.deployment.output if self.manifest.deployment else OUTPUTS[0]

    def raw(self, x):
        """What the graph itself gives for a batch: its `output`, in the shape of the logits.

        Raises InputError where the network fails on the batch.
        """
        return self.network(x) if self.output == OUTPUTS[0] else self.network.raw(x)


def load_predictor(
    model, weights=None, class_names=None, runtime=None, preprocess=None, signature=None
) -> Predictor:
    """Load an exported folder, or whatever `load_network` takes. Raises InputError where it can't.

    `signature` says of a symbol file what `preprocess` does not. `runtime` is what an exported
    folder runs on (default: the fastest that is installed). What is not exported runs on "mxnet",
    in its current context, or where that is not installed on "pytorch", on a GPU if there is one.
    """
    if is_export(model):
        if weights or class_names or preprocess or signature:
            raise InputError(
                f"{model} holds its own weights and class names and pixels, give no others"
            )
        files = read_files(model)
        network = start_runtime(files, runtime)
        return Predictor(network, files.manifest, network.name)
    runtime = runtime or ("mxnet" if installed("mxnet") else "pytorch")
    if runtime not in _STARTS:
        raise InputError(f"{model} runs on mxnet or pytorch, not on {runtime}: export it first")
    package, extra, start = _STARTS[runtime]
    require(package, extra, f"running {model}")
    network, manifest = start(model, weights, class_names, preprocess, signature)
    return Predictor(network, manifest, runtime)


def _on_mxnet(*given):
    """(network, manifest) of what `load_network` is given, on MXNet."""
    bound_caches()
    import mxnet as mx

    from ..model_zoo.load import load_network
    from ..networks.shared_block import SharedBlock

    net, manifest = load_network(*given)
    device = mx.context.current_context()
    if device.device_type != "cpu":
        net.collect_params().reset_ctx(device)
    net.hybridize(static_alloc=True, static_shape=True)
    return _refusing(SharedBlock(net), manifest), manifest


def _on_pytorch(model, weights, class_names, preprocess, signature):
    """(network, manifest) of what `load_network` is given, on PyTorch."""
    import torch

    from ..model_zoo.load_pytorch import load_network, numpy_function

    if signature:
        raise InputError(f"{model}: symbol files, which take a signature, run on mxnet alone")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    net, manifest = load_network(model, weights, class_names, preprocess, device)
    return numpy_function(net), manifest


# What runs networks that are not exported: its package, the extra that brings that, its start.
_STARTS = {"mxnet": ("mxnet", "cpu", _on_mxnet), "pytorch": ("torch", "pytorch", _on_pytorch)}


def _refusing(network, manifest):
    """A network that refuses a batch it fails on in one line; those of this project look first."""
    if not manifest.task:
        return network

    def run(x):
        with refusing(manifest.model, f"fails on a batch {x.shape}", ""):
            return network(x)

    return run
