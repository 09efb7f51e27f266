"""Where the files of a list lie: below its folder or a root, or in one folder there."""

import os

from ...utils.errors import InputError, printable

_PROBES = 8  # files looked for, spread over a list; the others are not


def below(source, base, paths):
    """(paths below the folder where they lie, what a start line adds of it) of a list's paths.

    It is `base`, or where none of a few files is there, the one folder directly in it that has
    one. Where none has, it stays `base`, for all of these may be missing, and that is said. Raises
    InputError where several folders have one.
    """
    paths = [os.path.expanduser(path) if path[:2] == "~/" else path for path in paths]
    probes = spread([path for path in paths[:: len(paths) // 64 + 1] if path[0] != "/"])
    if not probes:
        return paths, ""
    folder = _one_folder(
        source, base, lambda folder: any(os.path.exists(f"{folder}{path}") for path in probes)
    )
    if folder is None:
        prefix = _prefix(base)
        said = f", but of {len(probes)} files looked for none is below {base or '.'} (root)"
    else:
        prefix, said = folder, f", files in {folder}" if folder != _prefix(base) else ""
    return [path if path[0] == "/" else prefix + path for path in paths], said


def by_stem(source, base, stems, classes, folders, kind, suffix):
    """As `below`, of files that a list calls by their names without suffix.

    `folders(class)` are those where a file of a class may lie. One that is in none of them is given
    `suffix` in the first, where it will be missed. Raises InputError where none of some hundred is
    there.
    """
    if not stems:
        return [], ""
    known = {}  # of each folder {stem: file name}
    choices = {name: folders(name) for name in set(classes)}

    def files(folder):
        if folder not in known:
            names = (name for name in sorted(_names(folder), reverse=True) if kind.has(name))
            known[folder] = {os.path.splitext(name)[0]: name for name in names}
        return known[folder]

    def path(base, stem, name):
        for folder in choices[name]:
            file = files(base + folder).get(stem)
            if file:
                return f"{base}{folder}{file}"
        return None

    probes = spread(list(zip(stems, classes)), 100)
    found = _one_folder(
        source, base, lambda folder: any(path(folder, stem, name) for stem, name in probes)
    )
    if found is None:
        stem, name = probes[0]
        looked = ", ".join([base or ".", *filter(None, choices[name])])
        raise InputError(
            f"{source}: no {kind.word} {printable(stem)} or another of the list in "
            f"{printable(looked)} or a folder directly in it: give the folder of the "
            f"{kind.word}s as root (--root, data.root)"
        )
    paths = [
        path(found, stem, name) or f"{found}{choices[name][0]}{stem}{suffix}"
        for stem, name in zip(stems, classes)
    ]
    return paths, f", files in {found}" if found != _prefix(base) else ""


def folders_in(base):
    """The folders directly in a folder, sorted, but hidden ones."""
    names = (name for name in sorted(_names(base)) if not name.startswith("."))
    return [name for name in names if os.path.isdir(os.path.join(base, name))]


def files_in(folder, kind):
    """The names of the files of a kind directly in a folder, sorted, but hidden ones."""
    names = (name for name in sorted(_names(folder)) if kind.has(name) and name[0] != ".")
    return [name for name in names if os.path.isfile(os.path.join(folder, name))]


def spread(items, most=_PROBES):
    """At most so many of the items, spread over them, the first among them."""
    return items[:: max(1, -(-len(items) // most))]


def _one_folder(source, base, has):
    """`base` or the folder directly in it that `has` a file, with "/" behind it; None if none.

    Raises InputError where several have one.
    """
    if has(_prefix(base)):
        return _prefix(base)
    having = [
        folder for name in folders_in(base or ".") if has(folder := f"{os.path.join(base, name)}/")
    ]
    if len(having) > 1:
        raise InputError(
            f"{source}: its files are in {having[0]} and in {having[1]}: give one of them as root "
            "(--root, data.root)"
        )
    return having[0] if having else None


def _prefix(base):
    """A folder as the beginning of paths."""
    return os.path.join(base, "")


def _names(folder):
    """The names in a folder; none where it can't be read, for then nothing is found there."""
    try:
        return os.listdir(folder or ".")
    except (OSError, ValueError):  # the latter of a name with a zero byte
        return []
