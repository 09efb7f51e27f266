"""Model cards: where weights are from, under what licence, what they reach and who says so."""

import dataclasses
from dataclasses import dataclass, field
from typing import Dict, Optional, Tuple

from ..utils import kinds
from ..utils.errors import InputError

_SAMPLES = {"data": kinds.text(), "samples": kinds.whole(0, 2**53)}
_VIEWS = {"clips": kinds.whole(1, 2**53), "crops": kinds.whole(1, 2**53)}  # of a video
# What is measured of a network of pixels, and of one of pictures or videos, by its score.
_PIXELS = kinds.table({**_SAMPLES, "miou": kinds.number(), "accuracy": kinds.number()}, others=True)
_CLASSIFIED = kinds.table(
    {**_SAMPLES, "top1": kinds.number(), "top5": kinds.number(), **_VIEWS},
    optional=["top5", *_VIEWS],
    others=True,
)
_FIELDS = {
    "source": kinds.text(),
    "source_sha256": kinds.text(),
    "origin": kinds.text(),
    "licence": kinds.text(),
    "claimed": kinds.text(),
    "measured": kinds.named(kinds.ANYTHING),
    "checked": kinds.listed(kinds.text()),
    "notes": kinds.listed(kinds.text()),
}
_CARD = kinds.table(_FIELDS, optional=[name for name in _FIELDS if name != "source"])


@dataclass(frozen=True)
class Card:
    """What a zoo entry says of its weights, beside the network's own description.

    `source` is the address or file they are from and `source_sha256` its digest, `origin` who made
    them. `claimed` is the accuracy that their authors claim. `measured` is the accuracy that was
    measured here, as `model_zoo.entry.measure` returns it, empty where none was. `checked` are the
    checks that were made, `notes` what the import changed, a line each.
    """

    source: str
    source_sha256: str = ""
    origin: str = "not said"
    licence: str = "not said"
    claimed: str = "none"
    measured: Dict[str, object] = field(default_factory=dict)
    checked: Tuple[str, ...] = ()
    notes: Tuple[str, ...] = ()

    def fields(self):
        """The card for YAML."""
        fields = dataclasses.asdict(self)
        return {key: list(v) if isinstance(v, tuple) else v for key, v in fields.items()}

    @property
    def measured_text(self):
        """The accuracy measured, in words."""
        if not self.measured:
            return "not measured"
        return measured_words(self.measured, in_percent)

    @property
    def score(self) -> Optional[float]:
        """What was measured, the higher the better: mean IoU or top-1; None where nothing was."""
        return self.measured.get("miou", self.measured.get("top1"))


def in_percent(share) -> str:
    """A share as text: "92.31 %"."""
    return f"{share:.2%}".replace("%", " %")


def measured_words(measured, share) -> str:
    """What `model_zoo.entry.measure` returned, in words; `share(number)` writes one."""
    if "miou" in measured:
        told = f"mean IoU {share(measured['miou'])}, {share(measured['accuracy'])} of the pixels"
        return f"{told} right on {measured['samples']} scenes of {measured['data']}"
    told = f"top-1 {share(measured['top1'])}"
    if "top5" in measured:
        told += f", top-5 {share(measured['top5'])}"
    if "clips" not in measured:
        return f"{told} on {measured['samples']} pictures of {measured['data']}"
    clips, crops = (_counted(measured[word], word) for word in ("clips", "crops"))
    views = f"by {clips} of each in {crops}"
    return f"{told} on {measured['samples']} videos of {measured['data']}, {views}"


def _counted(number, words):
    """So many things, whose plural is `words`."""
    return f"{number} {words if number != 1 else words[:-1]}"


def read_card(fields) -> Card:
    """The card that `Card.fields` wrote. Raises InputError where its fields are not a card's."""
    try:
        _CARD.check(fields, "card")
        if fields.get("measured"):
            kind = _PIXELS if "miou" in fields["measured"] else _CLASSIFIED
            kind.check(fields["measured"], "card.measured")
    except InputError as error:
        raise InputError(f"damaged model card: {error}") from None
    return Card(**{k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()})
