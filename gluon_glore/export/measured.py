"""How well an exported folder's runtimes do: on its golden pair, and on samples held out."""

import numpy as np

from ..data.confusion import Confusion
from ..weights.golden import relative_error, top1_agreement, typical_error
from ..weights.manifest import labels_pixels
from .runtimes import start_runtime, usable
from .samples import BATCH, in_batches


def run_golden(files, x, expected):
    """`{runtime: {"error", "top1_agreement"}}` of a golden pair, for all that is installed.

    Raises RuntimeError where a runtime's error is beyond the tolerance.
    """
    figures = {}
    for name in usable(files):
        logits = start_runtime(files, name)(x)
        error = relative_error(logits, expected)
        if error > files.manifest.deployment.tolerance:
            raise RuntimeError(
                f"{name} does not give the network's outputs for {x.shape}: they differ by "
                f"{error:.1e} of the largest, allowed {files.manifest.deployment.tolerance:.1e}"
            )
        figures[name] = {"error": error, "top1_agreement": top1_agreement(logits, expected)}
    return figures


def measure_held_out(files, calibration, network):
    """`{runtime: figures}` of the samples held out: error, agreement with float32, and the score.

    `network` gives float32 logits. The score is the accuracy, of pixels their mean IoU. In bf16
    only OpenVINO computes otherwise than in float32.
    """
    names = ["openvino"] if files.manifest.deployment.precision == "bf16" else usable(files)
    runtimes = {name: start_runtime(files, name) for name in names}
    classes, pixels = len(files.manifest.class_names), labels_pixels(files.manifest)
    score = _PixelScore if pixels else _Score
    reference, scores = score(classes), {name: score(classes) for name in names}
    kind = calibration.kind
    sums = {name: np.zeros(2) for name in names}
    count = len(calibration.held_out)
    for start in range(0, count, BATCH):  # of pixels all logits at once would be gigabytes
        x, labels = (a[start : start + BATCH] for a in (calibration.held_out, calibration.labels))
        expected = in_batches(network, x)
        reference.add(expected, labels)
        for name, runtime in runtimes.items():
            logits = in_batches(runtime, x)
            found = typical_error(logits, expected), top1_agreement(logits, expected)
            sums[name] += np.multiply(found, len(x))
            scores[name].add(logits, labels)
    figure = reference.figure
    return {
        name: {
            kind: count,
            f"{kind}_error": float(sums[name][0] / count),
            f"{kind}_top1_agreement": float(sums[name][1] / count),
            figure: scores[name].value,
            f"float32_{figure}": reference.value,
        }
        for name in names
    }


class _Score:
    """The share of samples whose likeliest class is their label."""

    figure = "accuracy"

    def __init__(self, classes):
        self._right = self._count = 0

    def add(self, logits, labels):
        """Count a batch."""
        self._right += int((logits.argmax(axis=1) == labels).sum())
        self._count += len(labels)

    @property
    def value(self):
        return self._right / self._count


class _PixelScore:
    """The mean IoU of the samples' pixels."""

    figure = "miou"

    def __init__(self, classes):
        self._confusion = Confusion(classes)

    def add(self, logits, labels):
        """Count a batch."""
        self._confusion.add(logits.argmax(axis=1), labels)

    @property
    def value(self):
        return self._confusion.miou()
