"""What loads without MXNet and PyTorch: all but the modules named here, in one process."""

import json
import subprocess
import sys

from tests.helpers.places import ROOT

# By folder, what takes MXNet to be imported.
MXNET = {
    "convert": "gluon_zoo mxnet_release",
    "export": "activation_ranges describe ends exporter lower_precision optimize quantize_symbol "
    "symbol_file symbol_graph symbol_pair traced",
    "insertion": "follow insert trace",
    "layers": "basic drop_path dual_path fcn_head glore glore_head non_local residual "
    "squeeze_excite",
    "model_zoo": "load transfer",
    "networks": "backbone classifier complexity network shared_block",
    "visualize": "look unit_recorder",
    "weights": "parameters",
}
MXNET = {f"gluon_glore.{folder}.{name}" for folder in MXNET for name in MXNET[folder].split()}
GLUONCV = "gluon_glore.gluoncv"  # says so when it is imported
# What takes PyTorch: the networks that are spelled with it, what loads, publishes and exports them.
TORCH = (
    "gluon_glore.pytorch.",
    "gluon_glore.model_zoo.load_pytorch",
    "gluon_glore.model_zoo.publish_pytorch",
    "gluon_glore.export.program",
)
MODULES = sorted(
    ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for file in (ROOT / "gluon_glore").rglob("*.py")
)
SCRIPT = """
import importlib, json, sys
sys.modules["mxnet"] = sys.modules["torch"] = None  # importing them raises ModuleNotFoundError
missing = {}
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing[name] = error.name.partition(".")[0]
from gluon_glore import InputError, NetSpec, Stage
assert list(NetSpec((Stage(1, 256),)).plan())
print(json.dumps(missing))
"""


def test_all_but_the_modules_that_compute_with_them_load_without_mxnet_and_pytorch():
    names = [name for name in MODULES if name not in (GLUONCV, "gluon_glore.__main__")]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *names], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    missing = json.loads(done.stdout)
    assert {name for name in missing if missing[name] == "mxnet"} == MXNET
    others = {name: what for name, what in missing.items() if what != "mxnet"}
    assert set(others.values()) == {"torch"}
    assert all(name.startswith(TORCH) for name in others)
