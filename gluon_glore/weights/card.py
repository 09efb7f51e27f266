"""Model cards: where weights are from, under what licence, what they reach and who says so."""

import dataclasses
from dataclasses import dataclass, field
from typing import Dict, Tuple

from ..utils.errors import InputError


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
        card = Card(**{k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()})
        card.measured_text  # noqa: B018 - its fields are numbers
        lines = [*card.checked, *card.notes]
    except (TypeError, AttributeError, ValueError, KeyError):
        raise InputError("damaged model card") from None
    texts = [card.source, card.source_sha256, card.origin, card.licence, card.claimed, *lines]
    if isinstance(card.checked, str) or isinstance(card.notes, str):
        raise InputError("damaged model card: `checked` and `notes` are lists")
    if not all(isinstance(text, str) for text in texts):
        raise InputError("damaged model card: its fields are texts")
    return card
