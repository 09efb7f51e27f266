"""Which files of a data set are not there, counted before a run is built on it: all of them."""

import math
import os
import sys
from collections import defaultdict

from gluon_glore.utils.errors import InputError

_FEW = 10  # files of a folder that are looked for one by one
_NAMED = 5  # in a message


def missing_files(paths):
    """The places in `paths` of the files that are not there, in order.

    A folder is listed rather than asked for each of its files: 0.4 s instead of 0.9 s for 100,000
    files in 100 folders on a local disk. What is there and can't be read is not missing.
    """
    folders = defaultdict(list)
    for index, path in enumerate(paths):
        folder, slash, name = path.rpartition("/")
        folders[folder + slash].append((index, name))
    missing = []
    for folder, files in folders.items():
        if _is_missing(folder or "."):
            missing += [i for i, _ in files]
            continue
        there = _names(folder or ".") if len(files) >= _FEW else ()
        missing += [i for i, name in files if name not in there and _is_missing(paths[i])]
    return sorted(missing)


def check_missing(source, paths, max_bad, kind, key="data.max_bad", quiet=False):
    """Count the files that `source` names and that are not there; returns their places in `paths`.

    More than the share `max_bad` raise InputError, which says what `key` would have to be; fewer
    are said on stderr, unless `quiet`. `kind` is what one file is called. A source without files of
    its own, as records are, has no `paths`.
    """
    missing = missing_files(paths)
    if not missing:
        return frozenset()
    counted = f"{source}: {len(missing)} of {len(paths)} {kind}s {_verb(missing)} missing"
    allowed = int(max_bad * len(paths) + 1e-9)  # as train.data.bad_records counts
    if len(missing) > allowed:
        first, *others = (paths[i] for i in missing[: _NAMED + 1])
        more = len(missing) - 1
        ending = ", ..." if more > len(others[: _NAMED - 1]) else ""
        named = f" ({more} more: {', '.join(others[: _NAMED - 1])}{ending})" if more else ""
        raise InputError(
            f"{counted}, as {first}: No such file or directory{named}; {key} {max_bad:g} allows "
            f"{allowed}: {_remedy(len(missing), len(paths), key)}"
        )
    if not quiet:
        # Without their names: each is named where it is skipped.
        print(f"{counted}, {key} {max_bad:g} allows {allowed}", file=sys.stderr, flush=True)
    return frozenset(missing)


def _verb(missing):
    return "is" if len(missing) == 1 else "are"


def _remedy(missing, all_of_them, key):
    """What to do about so many files that are not there."""
    if missing == all_of_them:
        return "not one is there, do the paths begin where the files are?"
    return f"bring them, leave them out of the list, or set {key} to {_share(missing, all_of_them)}"


def _share(missing, all_of_them):
    """A share below 1 that allows so many, of two digits where they are enough."""
    share = missing / all_of_them
    for digits in range(2, 17):
        unit = 10.0 ** (math.floor(math.log10(share)) + 1 - digits)
        rounded = math.ceil(share / unit - 1e-9) * unit
        if rounded < 1 and int(rounded * all_of_them + 1e-9) >= missing:
            return f"{rounded:.{digits}g}"
    return str(share)


def _names(folder):
    """The names in a folder, but of links, which may lead nowhere; () where it can't be listed."""
    try:
        with os.scandir(folder) as entries:
            return {entry.name for entry in entries if not entry.is_symlink()}
    except OSError:
        return ()


def _is_missing(path):
    """Whether nothing is at a path. What else is wrong with it says who opens it."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False
    return False
