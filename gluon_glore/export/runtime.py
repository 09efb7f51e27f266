"""What the runtimes of an exported folder have in common: how they fail, and what they may answer.

A folder's files are of others, and may fit their checksums and yet not be what the manifest says.
A runtime's own errors are of a dozen classes and of up to a hundred lines, so all of them end here.
"""

import contextlib
import re

import numpy as np

from ..utils.errors import InputError, OutputError
from ..weights.golden import logits_of

# Lines of native errors that say where in the runtime, not what is wrong with the file.
_PLACES = re.compile(
    r"\s*(Traceback|File \"|Exception from|FrontEnd API|Check '?false'? ?failed|Stack trace|\[bt\]"
    r"|Errors during ONNX translation|-+$|$)"
)
_LONGEST = 240  # characters of a reason
AGAIN = "; export the network again"


class Runtime:
    """A network of an exported folder's `Files`, called with a batch: numpy in, float32 logits out.

    A subclass has a `name`, the `package` that it needs and the `extra` that brings it, and the
    `file` that it reads, a property of `Files`, which folders have that were exported with
    `option`; the package's version is `least` or newer. `_start` loads the file, and `_run` is a
    batch's forward, which threads may call. Raises InputError where the file can't be loaded.
    """

    name = package = file = option = ""
    extra = "deploy"
    least = ()

    def __init__(self, files, threads=None):
        self._files = files
        self._path = getattr(files, self.file)
        with self._refusing("can't load it"):
            self._start(files, threads)

    def __call__(self, x):
        """A batch `(B, *input)` -> float32 logits `(B, classes)`, of pixels `(B, classes, H, W)`.

        Numpy both; logarithms where the graph gives probabilities. Raises InputError as `raw`.
        """
        outputs = self.raw(x)
        return logits_of(outputs) if self._files.manifest.deployment.probabilities else outputs

    def raw(self, x):
        """The graph's own outputs for a batch: logits, or probabilities, in the shape of those.

        Raises InputError where the runtime fails, or gives what is no batch's logits.
        """
        deployment = self._files.manifest.deployment
        given = f"fails on a batch {x.shape} of {x.dtype}"
        remedy = AGAIN if deployment.accepts(x) else f"; its input is {deployment.described}"
        with self._refusing(given, remedy):
            outputs = self._run(x)
        expected = self._files.output_shape(x.shape)
        if not isinstance(outputs, np.ndarray) or outputs.dtype != np.float32:
            found = getattr(outputs, "dtype", type(outputs).__name__)
            raise self._refusal(f"gives {found}, no float32 {deployment.output}")
        if outputs.shape != expected:
            raise self._refusal(
                f"gives outputs {outputs.shape} for a batch {x.shape}, by the manifest {expected}"
            )
        return outputs

    def _start(self, files, threads):
        raise NotImplementedError

    def _run(self, x):
        raise NotImplementedError

    def _refusing(self, what, remedy=AGAIN):
        return refusing(self._path, f"{self.name} {what}", remedy)

    def _refusal(self, problem):
        return InputError(f"{self._path}: {self.name} {problem}{AGAIN}")


@contextlib.contextmanager
def refusing(path, what, remedy=AGAIN):
    """Raise whatever error a runtime raises in the body as an InputError about the file `path`."""
    try:
        yield
    except Exception as error:  # the runtimes' own kinds have no other base
        raise InputError(f"{path}: {what}: {reason(error)}{remedy}") from error


def refuse_ends(inputs, outputs):
    """Raise InputError where a network, of these names of inputs, has not one and one output."""
    if list(inputs) != ["data"]:
        raise InputError(f"inputs {', '.join(inputs)[:80] or 'none'}, an exported network has data")
    if outputs != 1:
        raise InputError(f"{outputs} outputs, an exported network has one")


def refuse_infinite(outputs):
    """Raise OutputError where a network's outputs are not finite."""
    if not np.isfinite(outputs).all():
        raise OutputError("the network's outputs are not finite: its weights are no good")


def reason(error):
    """The line of a native error's message that says most, shortened."""
    lines = str(error).splitlines()
    told = next((line for line in lines if not _PLACES.match(line)), type(error).__name__)
    told = " ".join("".join(c if c.isprintable() else " " for c in told).split())
    return told if len(told) <= _LONGEST else f"{told[:_LONGEST]}..."
