"""What packing would save a run that trains on files, measured on a few of its own pictures."""

import time
from statistics import median

from gluon_glore.data.image import decode_image, resize_short
from gluon_glore.data.spot_check import spread
from gluon_glore.utils.errors import InputError

from .pack_records import encode_jpeg

TRIED = 20  # pictures
QUALITY = 95  # of the JPEGs that `train.pack` writes
# The short side of a packed picture, as a share of the crop's: docs/imagenet.md has 480 for 224.
SHARE = 480 / 224


def packing_advice(files, size, channels, root=""):
    """A line: how long a picture takes from its file, and how long it would from records, or None.

    Pictures spread over a `PictureFiles` are read and decoded, and decoded from the bytes that
    `train.pack --resize` would keep of them; the times are medians of a single thread, of files
    that the system has in memory. Those that can't be read are passed over; None where none can.
    `size` is that of the crop, `root` where the paths of a list begin.
    """
    short = round(min(size) * SHARE)
    from_file, packed = [], []
    for index in spread(files, TRIED):
        try:
            data, _ = files[index]
            picture = decode_image(data, 3)
            from_file.append(_seconds(lambda i=index: decode_image(files[i][0], channels)))
        except InputError:
            continue
        if min(picture.shape[:2]) > short:
            data = encode_jpeg(resize_short(picture, short), QUALITY)
        packed.append(_seconds(lambda data=data: decode_image(data, channels)))
    if not packed:
        return None
    # Records of a whole folder, of which a share is set aside, would be trained on with that.
    source = f"{files.path} OUT{f' --root {root}' * bool(root)}" if files.whole else "SRC OUT"
    besides = "" if files.whole else ", SRC being without those that are set aside"
    now, then = (f"{1000 * median(seconds):.2g} ms" for seconds in (from_file, packed))
    return (
        f"{len(files):,} files are read and decoded each epoch, {now} a picture; from records of "
        f"python -m train.pack {source} --resize {short} it is {then} "
        f"({len(packed)} tried{besides})"
    )


def _seconds(work):
    """How long some work takes, the shorter of two times: at first not all is at hand."""
    times = []
    for _ in range(2):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)
