"""Small street scenes in Cityscapes' folders, many."""

import cv2
import numpy as np

from gluon_glore.data.cityscapes import CLASSES

SIZE = (48, 72)


def write_scenes(root, split, count, seed=0):
    """Scenes of three flat classes, each of its own colour, in bands of random height."""
    rng = np.random.default_rng([seed, count])
    road, building, sky = (label for label in CLASSES if label.name in ("road", "building", "sky"))
    for number in range(count):
        ids = np.full(SIZE, building.id, np.uint8)
        top, bottom = rng.integers(8, 20), rng.integers(28, 40)
        ids[:top], ids[bottom:] = sky.id, road.id
        ids[-2:] = 0  # unlabeled
        picture = np.zeros((*SIZE, 3), np.uint8)
        for label in (road, building, sky):
            picture[ids == label.id] = label.color
        picture = np.clip(picture + rng.integers(-20, 20, picture.shape), 0, 255).astype(np.uint8)
        for kind, ending, pixels in (
            ("leftImg8bit", "leftImg8bit", picture[..., ::-1]),
            ("gtFine", "gtFine_labelIds", ids),
        ):
            folder = root / kind / split / "town"
            folder.mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(folder / f"town_{number:06d}_000019_{ending}.png"), pixels)
