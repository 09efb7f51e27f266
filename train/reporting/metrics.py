"""What a task measures beside the loss, by the keys of metrics.jsonl and summary.json."""

from dataclasses import dataclass
from typing import Tuple

TITLES = {"top1": "top-1", "top5": "top-5", "miou": "mean IoU", "accuracy": "pixel accuracy"}


@dataclass(frozen=True)
class Measures:
    """Shares of 1, the higher the better. Which ones a run has, its rows say themselves.

    `trained` is what of the training pictures was right as they were trained on. `tested` are those
    of an evaluation, the score first: by it the best checkpoint is chosen.
    """

    trained: str
    tested: Tuple[str, ...]

    @property
    def score(self) -> str:
        """The first figure of an evaluation, the one that runs are compared by."""
        return self.tested[0]

    def key(self, kind):
        """What every row of a kind, "train" or "eval", has."""
        return self.trained if kind == "train" else self.score


CLASSIFICATION = Measures(trained="top1", tested=("top1", "top5"))
SEGMENTATION = Measures(trained="accuracy", tested=("miou", "accuracy"))


def measures_of(row) -> Measures:
    """The measures that a row of metrics.jsonl belongs to. Raises KeyError where it has none."""
    for measures in (CLASSIFICATION, SEGMENTATION):
        if measures.key(row["kind"]) in row:
            return measures
    raise KeyError("measures")
