"""Pictures of unseen digits with the classes that a study's network predicts; mistakes in red."""

from pathlib import Path

import numpy as np

from gluon_glore.data.image import decode_image
from gluon_glore.data.labelled_pictures import pictures_for
from gluon_glore.data.video import Video
from gluon_glore.inference.classify import load_classifier
from gluon_glore.inference.recognize import load_recognizer

from ..reporting.curves import pyplot, save
from ..reporting.runs import read_config

SHOWN = 4  # frames of a video, evenly along it
GAP = 2  # pixels between them


def draw_pictures(run, path):
    """Draw pictures of unseen digits under the classes that the network of a run predicts."""
    config = read_config(run)
    classifier = load_classifier(run)
    dataset = pictures_for(run, classifier.manifest.class_names, config["data"]["val"])
    figure, grid = pyplot().subplots(2, 6, figsize=(9, 3.6), dpi=120)
    for i, axes in enumerate(grid.flat):
        data, label = dataset[i]
        picture = decode_image(data, channels=1)
        (predicted,) = classifier.classify(picture, top=1)
        show(axes, picture, predicted, classifier.manifest.class_names[label])
    save(figure, path)


def draw_videos(run, path):
    """Draw frames of videos of unseen digits, side by side, under the predicted classes."""
    videos = Path(read_config(run)["data"]["val"]).glob("*/*.mp4")
    recognizer = load_recognizer(run)
    figure, grid = pyplot().subplots(3, 2, figsize=(9, 4.2), dpi=120)
    for axes, video in zip(grid.flat, sorted(videos, key=lambda video: video.name)):
        with Video(video) as opened:
            indices = np.linspace(0, len(opened) - 1, SHOWN).round().astype(int)
            frames = opened.read(indices, channels=1)
        apart = np.pad(frames, ((0, 0), (0, 0), (0, GAP), (0, 0)), constant_values=255)
        (predicted,) = recognizer.watch(video, clips=1, top=1).top
        show(axes, np.concatenate(apart, axis=1)[:, :-GAP], predicted, video.parent.name)
    save(figure, path)


def show(axes, picture, predicted, truth):
    """Draw a grey picture, uint8 `(H, W, 1)`, under the `predicted` (class name, probability)."""
    name, probability = predicted
    color = "black" if name == truth else "red"
    axes.imshow(picture[:, :, 0], cmap="gray")
    axes.set_title(f"{name} {probability:.0%}", fontsize=9, color=color)
    axes.axis("off")
