"""Optional packages, which pyproject.toml lists as extras of this one."""

import importlib.util
import sys

from .errors import InputError

MXNET_PYTHON = (3, 11)  # the last that it has a numpy for


def installed(module):
    """Whether a package that has `module` is installed; it is not imported."""
    found = importlib.util.find_spec(module)
    return found is not None and found.origin is not None  # without it is a folder of that name


def require(module, extra, purpose=None):
    """Raise InputError where the package that has `module` is not installed.

    In one line it names the `extra` that brings the package and, if given, the `purpose` it is
    needed for. The package is not imported: that may take a second.
    """
    if not installed(module):
        need = f"{purpose} needs the package {module}" if purpose else f"{module} is not installed"
        raise InputError(f"{need}: {how_to_install(extra)}")


def how_to_install(extra, python=sys.version_info):
    """The end of a message: the command that brings an extra, and where MXNet can't be had."""
    command = f"pip install '.[{extra}]' from a checkout of gluon-glore"
    late = "cpu" in extra.split(",") and python[:2] > MXNET_PYTHON
    return f"{command}, with Python {'.'.join(map(str, MXNET_PYTHON))}" if late else command
