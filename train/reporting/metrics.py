"""What a task metrics beside the loss, by the keys of metrics.jsonl and summary.json."""

from dataclasses import dataclass
from typing import Tuple

TITLES = {"top1": "top-1", "top5": "top-5", "miou": "mean IoU", "accuracy": "pixel accuracy"}


@dataclass(frozen=True)
class Metrics:
    """The keys of a task's figures, which are shares of 1, the higher the better.

    `trained` is the share of the training samples that was right in the steps that trained on them.
    `tested` are those of an evaluation. The first is the score, by which the best checkpoint is
    chosen.
    """

    trained: str
    tested: Tuple[str, ...]

    @property
    def score(self) -> str:
        """The first figure of an evaluation, the one that runs are compared by."""
        return self.tested[0]

    def key(self, kind):
        """The figure that every row of a kind, "train" or "eval", has."""
        return self.trained if kind == "train" else self.score


CLASSIFICATION = Metrics(trained="top1", tested=("top1", "top5"))
SEGMENTATION = Metrics(trained="accuracy", tested=("miou", "accuracy"))


def metrics_of(row) -> Metrics:
    """The metrics that a row of metrics.jsonl belongs to. Raises KeyError where it has none."""
    for metrics in (CLASSIFICATION, SEGMENTATION):
        if metrics.key(row["kind"]) in row:
            return metrics
    raise KeyError("metrics")
