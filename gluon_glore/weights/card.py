"""Model cards: where weights are from, under what licence, what they reach and who says so."""

import dataclasses
from dataclasses import dataclass, field
from typing import Dict, Tuple

from ..utils import kinds
from ..utils.errors import InputError

_MEASURED = {
    "data": kinds.text(),
    "top1": kinds.number(),
    "top5": kinds.number(),
    "samples": kinds.whole(0, 2**53),
}
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
_ACCURACY = kinds.table(_MEASURED, optional=["top5"], others=True)


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
        top5 = f", top-5 {self.measured['top5']:.2%}" if "top5" in self.measured else ""
        text = f"top-1 {self.measured['top1']:.2%}{top5} on {self.measured['samples']} pictures"
        return f"{text} of {self.measured['data']}".replace("%", " %")


def read_card(fields) -> Card:
    """The card that `Card.fields` wrote. Raises InputError where its fields are not a card's."""
    try:
        _CARD.check(fields, "card")
        if fields.get("measured"):
            _ACCURACY.check(fields["measured"], "card.measured")
    except InputError as error:
        raise InputError(f"damaged model card: {error}") from None
    return Card(**{k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()})
