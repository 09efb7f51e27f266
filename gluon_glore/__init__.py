"""GloRe: graph-based global reasoning networks for Apache MXNet / Gluon (Chen et al., CVPR 2019).

Names are imported on first use, so that the command line can set its threads before MXNet reads
them, and `import gluon_glore` costs nothing.
"""

from .utils.lazy import lazily
from .utils.version import __version__ as __version__

_HOME = {
    "Backbone": "networks.backbone",
    "GloRe": "layers.glore",
    "GloReHead": "layers.glore_head",
    "GloReUnit": "plan.extra_units",
    "InputError": "utils.errors",
    "NetSpec": "plan.spec",
    "NonLocal": "layers.non_local",
    "Network": "networks.network",
    "Stage": "plan.stages",
    "Stem": "plan.stages",
    "as_fcn": "plan.head",
    "count_network": "networks.complexity",
    "describe": "export.describe",
    "export_model": "export",
    "get_model": "model_zoo.load",
    "get_spec": "networks.paper",
    "import_model": "export",
    "inflate_weights": "model_zoo.transfer",
    "insert_units": "insertion.insert",
    "list_models": "networks.paper",
    "load_classifier": "inference.classify",
    "load_network": "model_zoo.load",
    "load_recognizer": "inference.recognize",
    "load_runtime": "export.runtimes",
    "load_segmenter": "inference.segment",
    "load_weights": "weights",
    "look": "visualize.look",
    "prepare_cpu": "utils.cpu",
    "register_model": "networks.registry",
    "save_weights": "weights",
    "transfer_weights": "model_zoo.transfer",
}
__getattr__, __dir__, __all__ = lazily(__name__, _HOME)
