"""Pictures as users have them: a folder a class."""

import numpy as np

from train.digit_pairs import encode_png


def write_class_folders(place, size=(64, 64), **counts):
    """`counts` pictures of each class in a folder of its name, each of noise of its own."""
    rng = np.random.default_rng(len(counts))
    for name, count in counts.items():
        (place / name).mkdir(parents=True)
        for i in range(count):
            picture = encode_png(rng.integers(0, 256, size, dtype=np.uint8))
            (place / name / f"{i:03d}.png").write_bytes(picture)
    return place
