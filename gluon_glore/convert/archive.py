"""The network in a released archive, or in an unpacked folder.

The authors' archives hold code and a trained network, `PREFIX-symbol.json` and
`PREFIX-0123.params`, somewhere in folders. Those two are picked by their names and written under
fixed names: no path in an archive decides where anything is written.
"""

import contextlib
import os
from pathlib import Path, PurePosixPath

from ..utils.errors import InputError, naming
from ..utils.files import absent, atomic_path
from .tar_members import Refused, Unpacked, members, shown

LIMIT = 2 * 2**30  # bytes of a whole archive, unpacked
SYMBOL_LIMIT = 32 * 2**20


def extract_release(path, directory, limit=LIMIT):
    """Extract symbol and parameter file of a released .tar, also .gz, .bz2 or .xz.

    Returns `(directory/symbol.json, directory/weights.params)`. They are the two that share a
    prefix, of the highest epoch; or, whatever their names, the only symbol and the only
    parameters. The whole archive is read once before that, up to `limit` bytes unpacked.

    Raises InputError, and writes no file, where the archive is missing, damaged or hostile, has
    none or several networks, or the disk does not take them.
    """
    path, directory = Path(path), Path(directory)
    with naming(path), _refusing(path):
        if not path.is_file():
            raise Refused(absent(path, "archive"))
        with open(path, "rb") as file:
            names = [member.name for member in members(Unpacked(file, limit)) if _needed(member)]
            chosen = _choose(names, "unpack it and give one folder")
            with naming(directory):
                return _write(chosen, Unpacked(file, limit), directory)


def find_release(directory):
    """The paths of symbol and parameter file below an unpacked folder, chosen as in an archive.

    Links are ignored. Raises InputError where it is no folder, or has none or several networks.
    """
    directory = Path(directory)
    with naming(directory), _refusing(directory):
        if not directory.is_dir():
            raise Refused(absent(directory, "folder"))
        files = (
            Path(folder, name).relative_to(directory)
            for folder, _, names in os.walk(directory)
            for name in names
            if _is_symbol(name) or _is_params(name)
        )
        plain = (file for file in files if _is_plain(directory / file))
        symbol, params = _choose(
            sorted(file.as_posix() for file in plain), "give the folder of one"
        )
    return directory / symbol, directory / params


@contextlib.contextmanager
def _refusing(path):
    """Make an InputError that names `path` of what is Refused inside."""
    try:
        yield
    except Refused as reason:
        raise InputError(f"{path}: {reason}") from None


def _is_plain(path):
    return path.is_file() and not path.is_symlink()


def _needed(member):
    """Whether a member may be one of the two files. Raises Refused where it must not be read."""
    symbol = _is_symbol(member.name)
    if not (symbol or _is_params(member.name)):
        return False
    if member.is_link:
        raise Refused(f"{shown(member.name)} is a link")
    if symbol and member.size > SYMBOL_LIMIT:
        raise Refused(
            f"{shown(member.name)} has {member.size} bytes, a symbol at most {SYMBOL_LIMIT}"
        )
    return member.is_file


def _write(chosen, source, directory):
    """Write the two members of the names `chosen`, both or neither; returns their paths."""
    places = directory / "symbol.json", directory / "weights.params"
    with atomic_path(places[0]) as symbol, atomic_path(places[1]) as params:
        targets = dict(zip(chosen, (symbol, params)))
        for member in members(source):
            if member.is_file and member.name in targets:
                with open(targets.pop(member.name), "wb") as file:
                    for piece in source.pieces(member.size):
                        file.write(piece)
            if not targets:
                return places
        raise Refused("changed while it was read")


def _base(name):
    """The last part of a path; empty for what macOS adds beside a file, as `._x`."""
    base = PurePosixPath(name).name
    return "" if base.startswith("._") else base


def _is_symbol(name):
    return "symbol" in _base(name) and name.endswith(".json")


def _is_params(name):
    return _base(name).endswith(".params")


def _prefix_and_epoch(name):
    """("PREFIX", 123) of "PREFIX-0123.params"; epoch -1 where it has none."""
    stem = _base(name)[: -len(".params")]
    prefix, _, epoch = stem.rpartition("-")
    if prefix and epoch.isascii() and epoch.isdigit() and 4 <= len(epoch) <= 9:
        return prefix, int(epoch)
    return stem, -1


def _choose(names, remedy):
    """(symbol, params) of the one network among the paths `names`."""
    symbols, params = {}, {}
    for name in names:
        if _is_symbol(name):
            prefix = _base(name).partition("symbol")[0].rstrip("-_.")
            symbols.setdefault(prefix, []).append(name)
        else:
            prefix, epoch = _prefix_and_epoch(name)
            params.setdefault(prefix, {}).setdefault(epoch, []).append(name)
    for found, what in ((symbols, "*-symbol.json"), (params, "*.params")):
        if not found:
            raise Refused(f"has no {what}")
    newest = {prefix: epochs[max(epochs)] for prefix, epochs in params.items()}
    pairs = [(symbols[prefix], newest[prefix]) for prefix in symbols if prefix in newest]
    if not pairs and len(symbols) == len(newest) == 1:
        pairs = list(zip(symbols.values(), newest.values()))
    if not pairs:
        raise Refused(f"no symbol and parameters share a prefix: {_listed(names)}")
    if len(pairs) == 1 and all(len(files) == 1 for files in pairs[0]):
        return pairs[0][0][0], pairs[0][1][0]
    several = [name for files, _ in pairs for name in files]
    several = several if len(several) > 1 else pairs[0][1]
    raise Refused(f"holds several networks: {_listed(several)}; {remedy}")


def _listed(names):
    return ", ".join(shown(name) for name in names[:3]) + (", ..." if len(names) > 3 else "")
