"""The accuracy of a zoo entry on labelled pictures: a single centre crop, as it was trained."""

from pathlib import Path

from ..utils.errors import naming
from ..utils.files import sha256

KEPT = ("top1", "top5", "samples", "bad_records", "size", "resize", "images_per_second")


def measure(folder, data, batch=32, threads=2):
    """Evaluate an entry's folder on `data`, indexed RecordIO; returns what its card keeps.

    `batch` pictures at a time, decoded by `threads`. Raises InputError where either can't be used.
    """
    # The trainers stand above this package; only this one question needs them.
    from train.data.bad_records import BadRecords
    from train.engine.comm import LocalComm
    from train.evaluate import parse_args, prepare

    arguments = [str(folder), "--data", str(data), "--batch", str(batch), "--threads", str(threads)]
    with naming(data):
        dataset, config, evaluate = prepare(parse_args(arguments))
        comm = LocalComm()
        result = evaluate(comm, BadRecords(dataset, comm, config.data.max_bad))
        path = Path(data).absolute()
        name = f"{path.parent.name}/{path.name} (sha256 {sha256(data)[:8]})"
    return {"data": name, **{key: result[key] for key in KEPT if key in result}}
