"""A block that runs a unit on what it gives, and is otherwise the block that it was."""

import functools

from mxnet.gluon import nn


class _Followed:
    """The class of a block, whose result goes through its child called `_follower`."""

    def hybrid_forward(self, F, x, *others, **params):
        """What the block gives, `(B, C, *space)`, through the unit."""
        # Some blocks run all children that they have, as HybridConcurrent: the unit is not theirs.
        unit = self._children.pop(self._follower)
        try:
            y = super().hybrid_forward(F, x, *others, **params)
        finally:
            self._children[self._follower] = unit
        return unit(y)


@functools.cache
def _followed(cls, follower):
    """The subclass of a block's class that runs the child `follower`; it has the class's name."""
    fields = {"_follower": follower, "__module__": cls.__module__, "__doc__": cls.__doc__}
    return type(cls.__name__, (_Followed, cls), fields)


def follow(block, unit, name):
    """Make `block` run `unit`, its child called `name` from now on, on its result.

    Its class becomes a subclass of the one it has, so that paths, numbers and names of what is
    there stay. A sequence runs its last child anyway.
    """
    if type(block).hybrid_forward is not nn.HybridSequential.hybrid_forward:
        block.__class__ = _followed(type(block), name)
    setattr(block, name, unit)
