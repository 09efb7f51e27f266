"""Which array goes into which parameter: by name and shape, of MXNet's arrays or numpy's."""

from ..utils.errors import InputError
from .origin import origin_of


def fit_as_is(array, shape):
    """`array` reshaped to a parameter's `shape`, or None where it does not fit.

    Axes of size 1 at the end don't count: the released graph convolutions are 1-D, (N, N, 1). An
    entry 0 (numpy's semantics: -1), or the whole shape None, waits for an input and takes any size.
    """
    if shape is None:
        return array
    longest = max(array.ndim, len(shape))
    ours, theirs = (tuple(s) + (1,) * (longest - len(s)) for s in (shape, array.shape))
    fits = all(known in (0, -1, given) for known, given in zip(ours, theirs))
    return array.reshape(theirs[: len(shape)]) if fits else None


def fit_all(shapes, arrays, source, place="the file", fit=fit_as_is):
    """`{name: array}` as parameters of `shapes`, `{name: shape}`, take them: all of them.

    `fit(array, shape)` is the array as that parameter takes it, or None. Raises InputError
    naming the parameters that differ; its message calls the arrays' origin `source` and `place`.
    """
    problems = [f"{name} is missing in {place}" for name in shapes if name not in arrays]
    problems += [f"{name} is not in the network" for name in arrays if name not in shapes]
    fitted = {name: fit(arrays[name], shapes[name]) for name in shapes if name in arrays}
    problems += [
        f"{name} is {shapes[name]} in the network, {arrays[name].shape} in {place}"
        for name, array in fitted.items()
        if array is None
    ]
    if problems:
        raise InputError(
            f"{source}: weights of another network{_difference(shapes, arrays, problems)}"
        )
    return fitted


def _difference(shapes, arrays, problems):
    """What arrays that don't fit look like, and where they differ from a network of like names."""
    origin = "" if shapes.keys() == arrays.keys() else origin_of(arrays)
    looks = f"it looks like {origin}"
    if origin and shapes.keys().isdisjoint(arrays):
        return f", {looks}"
    shown = "; ".join(problems[:3]) + ("; ..." if len(problems) > 3 else "")
    return f", {len(problems)} parameters differ: {shown}{f'; {looks}' if origin else ''}"
