"""Weights of a 2-D network in the 3-D one: kernels repeated along time.

Carreira and Zisserman, CVPR 2017, section 2.1 "Bootstrapping parameters from pre-trained ImageNet
models" (https://arxiv.org/abs/1705.07750): a kernel is repeated along time and divided by its
temporal length, so that a frame repeated along time gives what the frame gives.
"""

from .errors import InputError
from .network import Network
from .transfer import fill, read_source, title_of


def inflate_weights(net, source, *, allow_missing=False, skip_classifier=False):
    """Fill a 3-D `Network` with the weights of a 2-D one, all of it or nothing.

    Convolution weights `(O, I, H, W)` become `(O, I, T, H, W)`: repeated T times and divided by T.
    All others are copied. The 2-D network that fits is `Network(net.spec.flattened())`.

    A repeated frame then gives the values of the frame, but at the ends of the clip, where kernels
    see padding, and behind GloRe units without `normalize`, which sum over more locations.

    Parameters and result are those of `transfer_weights`. Raises InputError as that does, and where
    the network is not 3-D or the source not 2-D.
    """
    if not isinstance(net, Network) or net.spec.ndim != 3:
        raise InputError(f"inflate_weights fills a Network of 3 dimensions, given {title_of(net)}")
    title, place, arrays = read_source(source)
    for name, array in arrays.items():
        if array.ndim == 5:
            raise InputError(f"{title}: not a 2-D network's weights, {name} is {array.shape}")
    return fill(net, title, place, arrays, allow_missing, skip_classifier)
