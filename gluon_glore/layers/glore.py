"""The GloRe unit: project to nodes, reason on their graph, project back.

Chen et al., Graph-Based Global Reasoning Networks, CVPR 2019, section 3
(https://arxiv.org/abs/1811.12814).
"""

import functools
import warnings

import mxnet as mx
from mxnet.gluon import HybridBlock, nn

from ..plan.extra_units import GloReUnit, untrained
from ..plan.units import BATCH_NORM_EPS, BATCH_NORM_MOMENTUM, norm_of
from .basic import Norm, PreActConv, UnitBlock, convolution
from .functional import (
    broadcast_back,
    concat_channels,
    flatten_locations,
    pool_locations,
    pool_to_nodes,
    rectify,
    restore_locations,
    swap_nodes_and_states,
)


class GraphConvolution(HybridBlock):
    """One layer of reasoning on node features V: `(B, S, N, 1) -> (B, S, N, 1)`.

    U = V + V·Aᵀ, where adding V is the identity in the paper's (I - A); Z = W·U (section 3.3).
    """

    def __init__(self, adjacency, update, relu, prefix):
        super().__init__(prefix=prefix)
        self._relu = relu
        self.adjacency = adjacency
        self.update = update

    def hybrid_forward(self, F, v):
        """`(B, S, N, 1) -> (B, S, N, 1)`."""
        u = v + swap_nodes_and_states(F, self.adjacency(swap_nodes_and_states(F, v)))
        if self._relu:
            u = rectify(F, u)
        return self.update(u)


class Extension(HybridBlock):
    """States to the channels of the input, or of each path: `(B, S, H, W) -> (B, C, H, W)`."""

    def __init__(self, convs):
        super().__init__(prefix="extension_")
        for conv in convs:
            self.register_child(conv)

    def hybrid_forward(self, F, y):
        """`(B, S, H, W) -> (B, C, H, W)`, the paths' channels one after the other."""
        paths = [conv(y) for conv in self._children.values()]
        return paths[0] if len(paths) == 1 else concat_channels(F, *paths)


class GloRe(UnitBlock):
    """Global reasoning unit, out = x + extension(Y): `(B, C, *space) -> (B, C, *space)`.

    1. state (B, S, L) and mask (B, N, L): 1x1 convolutions of x, N = mid_channels, S = 2 N
    2. V = state · maskᵀ: (B, S, N), divided by L where `normalize`
    3. U = V + V·Aᵀ over the nodes (A learned), Z = W·U over the states; `graph_layers` times
    4. Y = Z · mask: (B, S, L); with `extend_first` out = x + extension(Z) · mask, the same numbers

    Parameters
    ----------
    in_channels : channels C of the input.
    mid_channels : number of nodes N.
    ndim : spatial dimensions of the input, 1, 2 or 3.
    arrangement : "post" (BatchNorm behind the last convolution, its gamma zero at first, so that
        the unit starts as the identity and can be put into a trained network) or "pre"
        (BatchNorm-ReLU before every convolution, for pre-activation networks alone: elsewhere its
        products of three activations overflow).
    normalize : divide the node features by the number of locations; for inputs of any size.
    graph_layers : graph convolution layers g (paper, Table 1).
    shared_projection : project back with the mask of the way in; False learns a second mask.
    pool_stride : average the input of the way in over that many locations a dimension.
    extend_first : extend the nodes, not the locations: faster where those are many ("post" only).
    zero_gamma : start as the identity; False starts the last gamma at one ("post" only).
    residual : channels of the residual path of a dual-path network, whose two paths are extended by
        a convolution each ("pre" only); 0 for other networks.
    eps, momentum : BatchNorm's.
    prefix : prefix of the parameters, as "conv4_B03_extra_".

    Raises InputError naming the field that is of another type or out of range.
    """

    drop_path = None  # a `DropPath` in training

    def __init__(
        self,
        in_channels,
        mid_channels,
        ndim=2,
        arrangement="post",
        normalize=False,
        graph_layers=1,
        shared_projection=True,
        pool_stride=1,
        extend_first=False,
        zero_gamma=True,
        residual=0,
        eps=BATCH_NORM_EPS,
        momentum=BATCH_NORM_MOMENTUM,
        prefix=None,
    ):
        super().__init__(prefix=prefix)
        unit = GloReUnit(
            self.name,
            in_channels,
            mid_channels,
            ndim,
            arrangement,
            normalize,
            graph_layers,
            shared_projection,
            pool_stride,
            extend_first,
            zero_gamma,
            residual=residual,
            eps=eps,
            momentum=momentum,
        )
        self._build(unit)

    def _build(self, unit):
        self._unit = unit
        self.branch = (2, unit.frames)
        self._looked_at = False  # by `warn_of_unset_statistics`
        post = unit.arrangement == "post"
        conv = convolution if post else functools.partial(PreActConv, **norm_of(unit))
        with self.name_scope():
            self.state = conv(unit.state)
            self.projection = conv(unit.projection)
            self.reverse = conv(unit.reverse) if unit.reverse else None
            self.graph = nn.HybridSequential(prefix="graph_")
            for adjacency, update in unit.graph:
                self.graph.add(
                    GraphConvolution(conv(adjacency), conv(update), post, f"{update.name}_")
                )
            self.extension = Extension([conv(row) for row in unit.extensions])
            self.norm = None
            if post:
                self.norm = Norm(
                    unit.extensions[0].name,
                    unit.in_channels,
                    relu=False,
                    zero_gamma=unit.zero_gamma,
                    **norm_of(unit),
                )

    @property
    def arrangement(self) -> str:
        """Where its BatchNorms stand, "pre" or "post"."""
        return self._unit.arrangement

    def forward(self, x):
        """`(B, C, *space) -> (B, C, *space)`; warns as `warn_of_unset_statistics` does."""
        if not self._looked_at and isinstance(x, mx.nd.NDArray) and not mx.autograd.is_training():
            warn_of_unset_statistics(self)
        return super().forward(x)

    def hybrid_forward(self, F, x):
        """`(B, C, *space) -> (B, C, *space)`."""
        unit = self._unit
        frames = unit.frames
        flat = flatten_locations(F, x, unit.axes)
        mask = self.projection(flat)
        way_in, pooled_mask, pooled_frames = flat, mask, frames
        if unit.pool_stride > 1:
            stride = (unit.pool_stride,) * unit.ndim
            way_in = pool_locations(F, flat, x, stride, frames=frames)
            pooled_mask = pool_locations(F, mask, x, stride, frames=frames)
            pooled_frames = 0  # pooled over time, too, and flat
        v = pool_to_nodes(F, self.state(way_in), pooled_mask, unit.normalize, pooled_frames)
        z = self.graph(v)
        if self.reverse is not None:
            mask = self.reverse(flat)
        if unit.extend_first:
            y = broadcast_back(F, self.extension(z), mask, frames)
        else:
            y = self.extension(broadcast_back(F, z, mask, frames))
        if self.norm is not None:
            y = self.norm(y)
        if self.drop_path is not None:
            y = self.drop_path(y)
        return F.elemwise_add(x, restore_locations(F, y, x, unit.axes), name="sum")


def warn_of_unset_statistics(block):
    """Warn, in a line, of GloRe units of a block that are evaluated before they were trained.

    That is for pre-activation units, whose BatchNorms then do nothing: the products of their
    activations reach 1e26. Each unit is looked at once. A unit calls this itself where it sees
    arrays, which inside a hybridised block it does not: a network calls it for all of its own.
    """
    units = []
    block.apply(lambda b: units.append(b) if isinstance(b, GloRe) and not b._looked_at else None)
    unset = [unit.name for unit in units if unit.arrangement == "pre" and _is_unset(unit)]
    for unit in units:
        unit._looked_at = True
    if unset:
        warnings.warn(untrained(unset), stacklevel=2)


def _is_unset(unit):
    """Whether the running statistics of a pre-activation unit are 0 and 1, as they are at first."""
    norm = unit.state.norm.norm

    def differ(param, first):
        # Where it has no values, this raises what the forward would.
        return (param.list_data()[0].astype("float32").asnumpy() != first).any()

    if differ(norm.running_var, 1):
        return False
    mx.nd.waitall()  # a step of training that still runs sets them in its backward
    return not differ(norm.running_var, 1) and not differ(norm.running_mean, 0)
