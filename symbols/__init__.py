"""The networks as static symbols, written with `mx.sym` from the plan: one file a family.

Each file has `get_symbol(num_classes, model=..., image_shape=...)`, in the tradition of MXNet's own
symbols folder; `symbols.get_symbol(model)` picks the file. Argument and auxiliary names, shapes and
outputs are those of the HybridBlocks, so that one file of parameters fits both.
"""

import importlib


def get_symbol(model, num_classes=None, image_shape=None):
    """The logits `(B, num_classes)` of any registered network, from its family's file.

    Raises InputError as `symbols.network.make_symbol` does.
    """
    from gluon_glore import get_spec

    from .network import family_of

    file = importlib.import_module(f".{family_of(get_spec(model))}", __name__)
    return file.get_symbol(num_classes, model=model, image_shape=image_shape)
