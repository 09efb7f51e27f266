"""From what a user names (exported folder, training run, network) to a network of numpy arrays."""

from pathlib import Path
from typing import Callable, NamedTuple

import numpy as np

from ..export.files import is_export, read_files
from ..export.runtimes import start_runtime
from ..utils.errors import InputError
from ..weights.manifest import Manifest, clip_of, labels_pixels

DOES = ("classifies pictures", "segments pictures", "watches videos")


class Ready(NamedTuple):
    """A network ready to be called, numpy in and out; `runtime` says what runs it."""

    network: Callable[[np.ndarray], np.ndarray]
    manifest: Manifest
    runtime: str

    @property
    def segments(self) -> bool:
        """Whether it labels the pixels of a picture, and not the picture."""
        return labels_pixels(self.manifest)

    @property
    def watches(self) -> bool:
        """Whether it sees clips of videos, and not pictures."""
        return clip_of(self.manifest) is not None

    @property
    def does(self) -> str:
        """What it does, in words: one of `DOES`."""
        return DOES[2 if self.watches else self.segments]


def load_ready(model, weights=None, class_names=None, runtime=None) -> Ready:
    """Load an exported folder, or what `load_network` takes. Raises InputError where it can't.

    `runtime` runs an exported folder (default: the one that is best here); what is not exported
    runs on MXNet, which is imported for nothing else, and in its current context.
    """
    if Path(model).is_dir() and is_export(model):
        if weights or class_names:
            raise InputError(f"{model} holds its own weights and class names, give no others")
        files = read_files(model)
        network = start_runtime(files, runtime)
        return Ready(network, files.manifest, network.name)
    if runtime not in (None, "mxnet"):
        raise InputError(f"{model} runs on mxnet, not on {runtime}: export it first")
    import mxnet as mx

    from ..model_zoo.load import load_network

    net, manifest = load_network(model, weights, class_names)
    device = mx.context.current_context()
    if device.device_type != "cpu":
        net.collect_params().reset_ctx(device)
    net.hybridize(static_alloc=True, static_shape=True)
    return Ready(lambda x: net(mx.nd.array(x, ctx=device)).asnumpy(), manifest, "mxnet")
