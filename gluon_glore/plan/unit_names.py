"""Which unit of a network an operator or parameter belongs to, found by its name."""

from .spec import INPUT_NORM
from .units import EXTRA_UNITS, GloReUnit, NonLocalUnit

STEM, HEAD = "stem", "head"
HEADS = ("head", "auxiliary")  # how names begin in the heads of segmentation networks
_FORWARD = "_fwd"  # what Gluon adds to a block's name for its operator
# What the names of the parameters of an extra unit begin with, behind its own name.
_PARTS = tuple(
    f"_{conv.name}__conv_"
    for conv in (GloReUnit("unit", 1, 1).projection, NonLocalUnit("unit", 1, 1).theta)
)


class _Names:
    """The names of units in order, and `owners`: {how the names of what belongs to one begin: it}.

    What tells nothing, and is read by nothing that does, belongs to the last one.
    """

    def __init__(self, names, owners):
        self._all, self._owners = tuple(names), owners

    def __iter__(self):
        return iter(self._all)

    def of(self, name):
        """The unit of an operator or parameter by its `name`, None where that tells nothing."""
        if name in self._owners:
            return self._owners[name]
        prefixes = [prefix for prefix in self._owners if name.startswith(f"{prefix}_")]
        # An extra unit's name begins with that of the unit it follows: the longest one fits.
        return self._owners[max(prefixes, key=len)] if prefixes else None

    def of_graph(self, operators):
        """{operator: its unit}, of all operators of a graph.

        `operators` are `(name, names of the operators that read it)`, each before its readers. One
        whose name tells nothing belongs to the first unit that reads it, or to the last unit where
        none does.
        """
        found = {}
        for name, readers in reversed(operators):
            units = (found[reader] for reader in readers if reader in found)
            found[name] = self.of(name) or next(units, self._all[-1])
        return found


class UnitNames(_Names):
    """The names of a network's units in order: "stem", those of its plan, "head".

    Extra units in a head for segmentation have names of their own, before "head".
    """

    def __init__(self, spec):
        stem, stem_norm, tail, classifier = spec.names
        owners = {INPUT_NORM: STEM} if spec.stem.norm_input else {}
        units = [unit.name for unit in spec.plan()]
        units += [unit.name for unit in spec.head_plan() if unit.kind in EXTRA_UNITS]
        owners.update({stem: STEM, stem_norm: STEM, tail: HEAD, classifier: HEAD})
        owners.update(dict.fromkeys(HEADS, HEAD))
        owners.update(zip(units, units))
        super().__init__((STEM, *units, HEAD), owners)


class OperatorNames(_Names):
    """The units of a network without a plan, by their names in the order of its graph.

    Those are its GloRe and non-local units, and each other convolution and dense layer.
    """

    def __init__(self, names, owners=()):
        super().__init__(names, {**dict(zip(names, names)), **dict(owners)})

    @classmethod
    def of_layers(cls, layers):
        """Those of a graph's convolutions and dense layers: pairs `(operator, its weight)`."""
        layers = list(layers)
        weights = [weight for _, weight in layers]
        extra = OperatorNames({w[: w.index(part)] for w in weights for part in _PARTS if part in w})
        owners = {}
        for operator, weight in layers:
            owners[weight] = extra.of(weight) or owners.get(weight) or _block(operator)
        return cls(tuple(dict.fromkeys(owners.values())), owners)


def _block(operator):
    """The name of a layer, by that of its operator."""
    return operator[: -len(_FORWARD)] if operator.endswith(_FORWARD) else operator
