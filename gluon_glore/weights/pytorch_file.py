"""PyTorch's own files, read without executing code in them.

State dicts in the format of PyTorch 0.5 or today's, as those of the authors' release
(https://github.com/facebookresearch/GloRe). PyTorch is imported where a file is read.
"""

import warnings
import zipfile
from pathlib import Path

import numpy as np

from ..utils.errors import InputError, naming
from ..utils.extras import require

SUFFIXES = (".pth", ".pt")
FLOATS = ("float16", "float32", "float64")
# What a file starts with: a zip, or, in the format of before PyTorch 1.6, a pickled number.
_ZIP = b"PK\x03\x04"
_LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
# Before, `weights_only=True` could run code from a file (CVE-2025-32434, CVE-2026-24747).
_OLDEST_TORCH = (2, 10)


def read_state(path):
    """`{PyTorch's name: numpy array}` of a file: a state dict, or `{"state_dict": ...}`.

    It may be from any device. Raises InputError where PyTorch is missing or too old, and where the
    file is damaged, holds more than tensors and plain values, or values that are not finite.
    """
    path = Path(path)
    _check_container(path)
    state = _load(path)
    if isinstance(state, dict) and "state_dict" in state:
        state = state["state_dict"]
    if not isinstance(state, dict) or not all(isinstance(name, str) for name in state):
        raise InputError(f"{path}: holds no parameters by name, as a state dict does")
    arrays = {name: _array(name, tensor, path) for name, tensor in state.items()}
    # A tensor of stride 0 may claim any shape for one number.
    if sum(array.nbytes for array in arrays.values()) > path.stat().st_size:
        raise InputError(f"{path}: its tensors claim more numbers than the file has")
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise InputError(f"{path}: {name[:80]!r} has values that are not finite")
    return arrays


def _check_container(path):
    """Raise InputError where a file is in neither of PyTorch's formats."""
    with naming(path), open(path, "rb") as file:
        start = file.read(len(_LEGACY))
    if not start.startswith((_ZIP, _LEGACY)):
        raise InputError(f"{path}: {'not a PyTorch file' if start else 'an empty file'}")
    if start.startswith(_ZIP):
        _check_zip(path)


def _check_zip(path):
    """Raise InputError where a zip file is damaged or compressed."""
    size = path.stat().st_size
    try:
        with zipfile.ZipFile(path) as file:
            unpacked = sum(entry.file_size for entry in file.infolist())
            sound = unpacked > size or file.testzip() is None  # torch looks at no checksum
    except Exception:  # a damaged directory raises whatever it leads to
        sound = False
    if not sound:
        raise InputError(f"{path}: a damaged zip file")
    # PyTorch does not compress; an archive that grows may be a bomb.
    if unpacked > size:
        raise InputError(f"{path}: a compressed zip file, as PyTorch writes none")


def _load(path):
    """What PyTorch reads in a file, as tensors and plain values alone. Raises InputError."""
    try:
        require("torch", "pytorch")
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    import torch

    version = torch.__version__
    if version < _OLDEST_TORCH:
        raise InputError(
            f"{path}: reading PyTorch files needs torch 2.10 or newer, given {version}: "
            f"older ones can be made to run code from a file (CVE-2026-24747)"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what it can't read it refuses as well
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # a damaged pickle raises whatever its opcodes run into
        raise InputError(
            f"{path}: damaged, no file of PyTorch's, or one that holds more than tensors and "
            f"plain values: not read, for that could be code"
        ) from None


def _array(name, tensor, path):
    """A tensor as a numpy array. Raises InputError where it can't be one."""
    try:
        return tensor.detach().numpy()
    except (AttributeError, TypeError, RuntimeError):  # no tensor; a sparse one; a bfloat16
        given = getattr(tensor, "dtype", type(tensor).__name__)
        raise InputError(
            f"{path}: {name[:80]!r} must be a dense tensor of {', '.join(FLOATS)}, given {given}"
        ) from None
