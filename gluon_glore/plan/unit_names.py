"""Which unit of a network an operator or parameter belongs to, found by its name."""

from .extra_units import EXTRA_UNITS
from .spec import INPUT_NORM

STEM, HEAD = "stem", "head"
HEADS = ("head", "auxiliary")  # how names begin in the heads of segmentation networks


class UnitNames:
    """The names of a network's units in order: "stem", those of its plan, "head".

    Extra units in a head for segmentation have names of their own, before "head".
    """

    def __init__(self, spec):
        stem, stem_norm, tail, classifier = spec.names
        self._owners = {INPUT_NORM: STEM} if spec.stem.norm_input else {}
        units = [unit.name for unit in spec.plan()]
        units += [unit.name for unit in spec.head_plan() if unit.kind in EXTRA_UNITS]
        self._all = (STEM, *units, HEAD)
        self._owners.update({stem: STEM, stem_norm: STEM, tail: HEAD, classifier: HEAD})
        self._owners.update(dict.fromkeys(HEADS, HEAD))
        self._owners.update(zip(units, units))

    def __iter__(self):
        return iter(self._all)

    def of(self, name):
        """The unit of an operator or parameter by its `name`, None where that tells nothing."""
        prefixes = [prefix for prefix in self._owners if name.startswith(f"{prefix}_")]
        # An extra unit's name begins with that of the unit it follows: the longest one fits.
        return self._owners[max(prefixes, key=len)] if prefixes else None

    def of_graph(self, operators):
        """{operator: its unit}, of all operators of a graph.

        `operators` are `(name, names of the operators that read it)`, each before its readers. One
        whose name tells nothing belongs to the first unit that reads it, or to the head where none
        does.
        """
        found = {}
        for name, readers in reversed(operators):
            units = (found[reader] for reader in readers if reader in found)
            found[name] = self.of(name) or next(units, HEAD)
        return found
