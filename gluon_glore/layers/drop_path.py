"""Stochastic depth (Huang et al., ECCV 2016, https://arxiv.org/abs/1603.09382), for training.

Networks are made without it. A trainer sets the attribute `drop_path` of the layers that may end a
branch, which says where it runs: `GloRe` and `NonLocal` on what they add; `PreActConv` before its
convolution, which is linear and without a bias, and reads a quarter of what a bottleneck gives;
`ChannelAttention` on its weights. Their `branch` is its `(axes, frames)`.
"""

from mxnet.gluon import nn

from .functional import plain_copy


class DropPath(nn.Dropout):
    """A branch without some samples, `(B, C, *space)` in and out; in inference the branch itself.

    `axes` are those of the space, 0 for `(B, C)`.

    In training a sample's numbers are all zero with the probability `rate`, else divided by
    1 - `rate`. With `frames` T the samples are clips with time in the batch axis, `(T·B, C, H, W)`:
    all frames of a clip are dropped, or none.
    """

    def __init__(self, rate, axes=2, frames=0):
        shared = (0, 2) if frames else tuple(range(1, 2 + axes))
        super().__init__(rate, axes=shared, prefix="drop-path_")
        self._space, self._frames = axes, frames

    def hybrid_forward(self, F, x):
        """`(B, C, *space) -> (B, C, *space)`."""
        if not self._frames:
            y = super().hybrid_forward(F, plain_copy(F, x, self._space))
            return plain_copy(F, y, self._space)
        clips = F.reshape(F.reshape(x, shape=(0, -1)), shape=(-4, self._frames, -1, 0))
        return F.reshape_like(super().hybrid_forward(F, clips), x)
