"""What a network's GloRe units compute, recorded: its graph runs with their arrays as outputs."""

import contextlib
import hashlib

import mxnet as mx
import numpy as np

from ..export.optimize import as_block
from ..export.runtime import reason
from ..networks.network import Network
from ..networks.outputs import flat
from ..utils.errors import InputError
from ..weights import named_arrays
from ..weights.names import without_kinds
from .unit_graph import find_units
from .unit_view import UnitView


class UnitRecorder:
    """Runs a copy of a network and keeps what its GloRe units compute.

    `net` is a `Network`, any HybridBlock or a SymbolBlock. It is traced, not run, and stays as it
    is, hybridized or not. The copy lies where its parameters do, and computes in float32. Its
    units are all of the network's, or the one called `unit`. Raises InputError where it can't be
    traced, has no units, none of that name, or no values yet.
    """

    def __init__(self, net, unit=None):
        symbol = _trace(net)
        self._spec = net.spec if isinstance(net, Network) else None
        units = find_units(symbol)
        if not units:
            raise InputError("the network has no GloRe units")
        if unit is not None and unit not in units:
            raise InputError(f"the network has no unit {unit}, but {', '.join(units)}")
        self._units = units if unit is None else {unit: units[unit]}
        internals = symbol.get_internals()
        recorded = [name for unit in self._units.values() for name in unit.recorded.values()]
        graph = mx.sym.Group([symbol[0], *(internals[name] for name in recorded)])
        with mx.autograd.pause():
            arrays = without_kinds(named_arrays(net))
            self._arrays = {name: array.astype("float32") for name, array in arrays.items()}
            self._device = next(iter(net.collect_params().values())).list_ctx()[0]
            self._block = as_block(graph, self._arrays, self._device)

    @property
    def digest(self) -> str:
        """A number that tells the network from others, and from itself with other weights."""
        digest = hashlib.sha256()
        for name, array in sorted(self._arrays.items()):
            digest.update(f"{name} {array.shape} ".encode() + array.asnumpy().tobytes())
        return digest.hexdigest()

    def record(self, batches):
        """Run on batches of the network's input: (its first output, `{unit: UnitView}`), in numpy.

        `batches` are NDArrays; what they give is joined along the first axis. Raises InputError
        where there are none, the network can't run on them, or numbers are not finite.
        """
        runs = list(map(self._run, batches))
        if not runs:
            raise InputError("no picture is given")
        outputs, views = zip(*runs)
        views = {name: UnitView.joined([seen[name] for seen in views]) for name in self._units}
        output = np.concatenate(outputs)
        if not np.isfinite(output).all():
            raise InputError("the network's outputs are not finite: its weights are no good")
        return output, views

    def _run(self, batch):
        """`record` of one batch, the output as it comes."""
        if self._spec:
            self._spec.check_input(batch.shape[2:])
        x = batch.as_in_context(self._device)
        if x.dtype != np.uint8:  # of pictures, which some exports normalize themselves
            x = x.astype("float32")
        with mx.autograd.pause(train_mode=False), _refusing(x.shape):
            output, *arrays = self._block(x)
            output = output.asnumpy()
        arrays = iter(arrays)
        views = {
            name: self._view(name, x.shape, {part: next(arrays) for part in unit.recorded})
            for name, unit in self._units.items()
        }
        return output, views

    def _view(self, name, shape, arrays):
        """The `UnitView` of a unit's `arrays`, of an input of that `shape`.

        Raises InputError where a number is not finite.
        """
        space = arrays.pop("located").shape[2:]
        if len(shape) == 3:  # a network of one dimension runs on (B, C, L, 1)
            space = space[:1]
        pictures = len(shape) == 5 and len(space) == 2  # (T·B, N, h, w): time in the batch axis
        arrays = {part: array.asnumpy() for part, array in arrays.items()}
        if not all(np.isfinite(array).all() for array in arrays.values()):
            raise InputError(f"{name}: its numbers are not finite: the weights are no good")
        for part in {"maps", "reverse"} & arrays.keys():
            maps = arrays[part].reshape(*arrays[part].shape[:2], *space)
            if pictures:
                maps = maps.reshape(-1, shape[0], *maps.shape[1:]).transpose(1, 2, 0, 3, 4)
            arrays[part] = maps
        for part in ("features", "states"):
            arrays[part] = arrays[part][..., 0].swapaxes(1, 2)
        weights = [self._arrays[name].asnumpy() for name in self._units[name].adjacency]
        return UnitView(name, adjacency=np.stack(weights)[..., 0, 0], **arrays)


def _trace(net):
    """The symbol of a network, all its outputs in it."""
    if not isinstance(net, mx.gluon.HybridBlock):
        raise InputError(f"a Gluon HybridBlock is needed, given {type(net).__name__}")
    return mx.sym.Group(flat(net(mx.sym.var("data"))))


@contextlib.contextmanager
def _refusing(shape):
    """Raise what MXNet says of an input of that shape as InputError, in one line."""
    try:
        yield
    except mx.MXNetError as error:
        raise InputError(f"the network can't run on an input {shape}: {reason(error)}") from None
