"""The networks spelled with `torch.nn`: the same plan, the same zoo, without MXNet.

Names are imported on first use.
"""

from ..utils.lazy import lazily

# Those that begin with a dot are on floors above, so found by name.
_HOME = {
    "Backbone": "backbone",
    "GloRe": "glore",
    "Network": "network",
    "NonLocal": "non_local",
    "from_mxnet": "arrays",
    "get_model": ".model_zoo.load_pytorch",
    "publish": ".model_zoo.publish_pytorch",
    "save_weights": ".weights.state_file",
    "to_mxnet": "arrays",
}
__getattr__, __dir__, __all__ = lazily(__name__, _HOME)
