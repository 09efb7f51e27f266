"""What this project claims of its speed, a row each, and what was measured of it on each machine.

Every claim is a ratio: absolute times hold for one machine and one day. A result is that of a
benchmark in `benchmarks/results/`; those of other machines are in folders there, one a machine.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from . import loader, processes, segmentation_step, unit_share, video_forward

PYTORCH_3D = ("GloRe, PyTorch NCTHW", "GloRe, PyTorch channels-last")


@dataclass(frozen=True)
class Claim:
    """A ratio, and the limit that it must keep.

    `figure` finds it in the result `file`, and raises KeyError where that has none: a competitor
    was not installed.
    """

    text: str
    file: str
    figure: Callable[[dict], float]
    limit: float
    at_most: bool = True

    def measured(self, folder):
        """The figure in a folder of results, None where it was not measured."""
        path = Path(folder) / f"{self.file}.json"
        try:
            return self.figure(json.loads(path.read_text()))
        except (FileNotFoundError, KeyError):
            return None

    def holds(self, figure):
        """Whether a figure keeps the limit."""
        return figure <= self.limit if self.at_most else figure >= self.limit


def _over_best(result):
    """Seconds of the 3-D network over those of PyTorch's best layout."""
    rows = result["competitors"]
    return max(rows[label]["ours_over_it"] for label in PYTORCH_3D)


def _over_non_local(result):
    """Seconds of the 3-D network over those of its twin with non-local blocks."""
    return result["competitors"][video_forward.THEIRS]["ours_over_it"]


def _two_over_one(result):
    """Images a second of two processes over those of one; older results have no ratio a round."""
    speed = result["images_per_second"]
    ratios = result.get("over_one_process")
    one, two = processes.ONE, processes.TWO
    return ratios[two] if ratios else speed[two] / speed[one]


def _step(label, key):
    """A figure of a training step's competitor."""
    return lambda result: result["competitors"][label][key]


def _rows():
    """The claims in the order of the page."""
    for base, name in zip(video_forward.BACKBONES, ("ResNet-50", "ResNet-101")):
        network = video_forward.GLORE.format(base)
        of = f"3-D {name} with units, batch 1"
        best = "seconds over those of PyTorch's best layout"
        forward, backward = (f"video_{kind}_{network}_batch1" for kind in ("forward", "backward"))
        yield Claim(f"{of}, forward: {best}", forward, _over_best, 0.95)
        yield Claim(f"{of}, forward and backward: {best}", backward, _over_best, 1.0)
    network = video_forward.GLORE.format(video_forward.BACKBONES[0])
    yield Claim(
        "3-D ResNet-50, forward: seconds with GloRe units over those with non-local blocks",
        f"video_forward_{network}_batch1",
        _over_non_local,
        video_forward.LIMIT,
    )
    for batch in (8, 16):
        file, of = f"training_step_resnet50_glore_2_3_batch{batch}", f"training step, batch {batch}"
        yield Claim(
            f"{of}: images a second over those of PyTorch's best layout, float32",
            file,
            _step("MXNet Gluon fp32", "over_pytorch_fp32"),
            1.1,
            at_most=False,
        )
        yield Claim(
            f"{of}: seconds in bfloat16 over those in float32",
            file,
            lambda result: 1 / result["competitors"]["MXNet Gluon bf16"]["over_own_fp32"],
            0.7,
        )
        yield Claim(
            f"{of}: images a second in bfloat16 over those of PyTorch's autocast",
            file,
            _step("MXNet Gluon bf16", "over_pytorch_bf16"),
            1.0,
            at_most=False,
        )
    for key in ("forward", "forward + backward"):
        yield Claim(
            f"{key}: the units' share of the time over that of the multiply-adds",
            "unit_share_resnet50_glore_2_3",
            lambda result, key=key: result[key]["ratio"],
            unit_share.LIMIT,
        )
    yield Claim(
        "two processes of one thread: images a second over those of one process of two, batch 32",
        "processes_batch32",
        _two_over_one,
        processes.TARGET,
        at_most=False,
    )
    yield Claim(
        "training input: images a second over those of ImageRecordIter",
        "loader",
        lambda result: result["ratio"],
        loader.TARGET,
        at_most=False,
    )
    for key, of in (("seconds_ratio", "time"), ("peak_ratio", "memory")):
        yield Claim(
            f"segmentation step at 768x768: {of} with the unit over that without",
            "segmentation_step",
            lambda result, key=key: result["competitors"][segmentation_step.WITH][key],
            segmentation_step.LIMIT,
        )


CLAIMS = tuple(_rows())
