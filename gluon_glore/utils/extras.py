"""Optional packages, which pyproject.toml lists as extras of this one."""

import importlib.util

from .errors import InputError


def require(module, extra, purpose=None):
    """Raise InputError where the package that has `module` is not installed.

    In one line it names the `extra` that brings the package and, if given, the `purpose` it is
    needed for. The package is not imported: that may take a second.
    """
    if importlib.util.find_spec(module) is None:
        need = f"{purpose} needs the package {module}" if purpose else f"{module} is not installed"
        raise InputError(f"{need}: pip install '.[{extra}]' in a checkout of this project")
