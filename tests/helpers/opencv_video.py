"""Videos written by OpenCV."""

import cv2
import numpy as np
import pytest


def write_video(path, frames=30, code="MJPG"):
    """Frame i has brightness 8 i; 25 frames a second."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*code), 25, (96, 64))
    if not writer.isOpened():
        pytest.skip(f"this OpenCV writes no {code}")
    for i in range(frames):
        writer.write(np.full((64, 96, 3), 8 * i, np.uint8))
    writer.release()
    return path
