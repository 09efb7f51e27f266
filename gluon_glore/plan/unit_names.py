"""Which unit of a network an operator belongs to, found by its name. Imports no MXNet."""

from .units import EXTRA_UNITS

STEM, HEAD = "stem", "head"
HEADS = ("head", "auxiliary")  # what the names begin with in heads for segmentation


class UnitNames:
    """The units of a `NetSpec`: "stem", those of the plan, "head"; iterates over them in order.

    Of a head for segmentation the extra units stand alone, before "head".
    """

    def __init__(self, spec):
        stem, stem_norm, tail, classifier = spec.names
        units = [unit.name for unit in spec.plan()]
        units += [unit.name for unit in spec.head_plan() if unit.kind in EXTRA_UNITS]
        self._all = (STEM, *units, HEAD)
        self._owners = {stem: STEM, stem_norm: STEM, tail: HEAD, classifier: HEAD}
        self._owners.update(dict.fromkeys(HEADS, HEAD))
        self._owners.update(zip(units, units))

    def __iter__(self):
        return iter(self._all)

    def of(self, name):
        """The unit of an operator or parameter, None where its name says nothing.

        An extra unit's name begins with that of the unit it follows: the longest match owns it.
        """
        prefixes = [prefix for prefix in self._owners if name.startswith(f"{prefix}_")]
        return self._owners[max(prefixes, key=len)] if prefixes else None

    def of_graph(self, operators):
        """{name: unit} of all operators, `(name, names of those it feeds)` in topological order.

        What has no unit's name is of the first unit that it feeds, of the head where it feeds none.
        """
        found = {}
        for name, readers in reversed(operators):
            feeds = (found[reader] for reader in readers if reader in found)
            found[name] = self.of(name) or next(feeds, HEAD)
        return found
