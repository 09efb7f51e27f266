"""GloRe: graph-based global reasoning networks for Apache MXNet / Gluon (Chen et al., CVPR 2019).

Names are imported on first use, so that the command line can set its threads before MXNet reads
them, and `import gluon_glore` costs nothing.
"""

from .lazy import lazily

__version__ = "0.1.0"

_HOME = {
    "GloRe": "glore",
    "GloReUnit": "units",
    "InputError": "errors",
    "NetSpec": "spec",
    "NonLocal": "nonlocal_block",
    "Network": "network",
    "Stage": "stages",
    "Stem": "stages",
    "as_fcn": "head",
    "export_model": "export",
    "get_model": "models",
    "get_spec": "zoo",
    "import_model": "export",
    "inflate_weights": "inflate",
    "list_models": "zoo",
    "load_runtime": "runtimes",
    "load_weights": "weights",
    "prepare_cpu": "cpu",
    "register_model": "registry",
    "save_weights": "weights",
    "transfer_weights": "transfer",
}
__getattr__, __dir__, __all__ = lazily(__name__, _HOME)
