"""Cityscapes' own evaluator."""

import numpy as np

EVALUATOR = "cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling"


def instances(label, car=26, person=24):
    """Two instances of cars and one of persons where these are; ids as Cityscapes has them."""
    found = label.astype(np.uint16)
    half = np.arange(label.shape[1]) < label.shape[1] // 2
    found[(label == car) & half] = car * 1000
    found[(label == car) & ~half] = car * 1000 + 1
    found[label == person] = person * 1000
    return found
