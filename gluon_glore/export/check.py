"""Is an exported folder what its manifest says, and do the runtimes here agree on it?"""

from ..errors import InputError, listed
from ..runtimes import RUNTIMES, lack, read_files, start_runtime
from .golden import GOLDEN, read_golden, relative_error, top1_agreement


def check(folder, say=print):
    """Verify the files of an exported folder and run its golden pair through every runtime.

    `say(text)` is told a line a runtime. Returns {runtime: {"error", "top1_agreement"}}. Raises
    InputError where a file is missing, damaged or not the manifest's, or a runtime disagrees.
    """
    files = read_files(folder)
    if not files.has(files.folder / GOLDEN):
        raise InputError(f"{folder}: no {GOLDEN} in its manifest")
    x, expected = read_golden(files.folder)
    deployment = files.manifest.deployment
    if not deployment.accepts(x) or expected.shape[1:] != (len(files.manifest.class_names),):
        raise InputError(f"{files.folder / GOLDEN}: {x.shape} -> {expected.shape} do not fit")
    figures, disagree = {}, []
    for name in RUNTIMES:
        if lack(files, name):
            say(f"{name:12} not run: {lack(files, name)}")
            continue
        logits = start_runtime(files, name)(x)
        error = relative_error(logits, expected)
        figures[name] = {"error": error, "top1_agreement": top1_agreement(logits, expected)}
        agrees = error <= deployment.tolerance
        say(
            f"{name:12} {'agrees' if agrees else 'DISAGREES'}: differs by {error:.1e} of the "
            f"largest logit, {deployment.tolerance:.1e} allowed"
        )
        if not agrees:
            disagree.append(name)
    if disagree:
        raise InputError(f"{folder}: {listed(disagree)} gives other outputs than the golden pair")
    return figures
