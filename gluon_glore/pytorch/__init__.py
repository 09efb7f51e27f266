"""The networks spelled with `torch.nn`: the same plan, the same zoo, without MXNet.

Names are imported on first use.
"""

from ..utils.lazy import lazily

_HOME = {
    "Backbone": "backbone",
    "GloRe": "glore",
    "Network": "network",
    "NonLocal": "non_local",
    "from_mxnet": "arrays",
    "get_model": ".model_zoo.load_pytorch",  # on a floor above, so found by name
    "to_mxnet": "arrays",
}
__getattr__, __dir__, __all__ = lazily(__name__, _HOME)
