"""Scenes in folders of other kinds than Cityscapes', and PNGs as other programs write them."""

import io
import shutil

import cv2
from PIL import Image

from gluon_glore.data.cityscapes import CLASSES, LABELS
from train.config.cityscapes import SceneData

IGNORED = [label.id for label in LABELS if label.id >= 0 and label.ignore_in_eval]
TABLE = "".join(f"{label.id}\t{label.name}\n" for label in CLASSES)
VOC_KEYS = {
    "pictures": "JPEGImages",
    "labels": "SegmentationClass",
    "train": "ImageSets/Segmentation/train.txt",
    "val": "ImageSets/Segmentation/val.txt",
    "ignore": IGNORED,
}


def palette_png(ids, **options):
    """A PNG of uint8 ids `(H, W)` whose palette has the colours of no class."""
    picture = Image.fromarray(ids, "P")
    picture.putpalette([(7 * i + 90) % 256 for i in range(768)])
    content = io.BytesIO()
    picture.save(content, "PNG", **options)
    return content.getvalue()


def like_voc(root, out, splits=("train", "val")):
    """Pascal VOC's folders of the scenes in Cityscapes' ones: the `data` keys that state them."""
    for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    for split in splits:
        names = []
        for picture in sorted((root / "leftImg8bit" / split).rglob("*.png")):
            name = picture.name.removesuffix("_leftImg8bit.png")
            labels = root / "gtFine" / split / picture.parent.name
            ids = cv2.imread(f"{labels}/{name}_gtFine_labelIds.png", cv2.IMREAD_UNCHANGED)
            name = f"{split}_{name}"  # one folder holds all splits
            shutil.copy(picture, out / f"JPEGImages/{name}.png")
            (out / f"SegmentationClass/{name}.png").write_bytes(palette_png(ids))
            names.append(name)
        (out / f"ImageSets/Segmentation/{split}.txt").write_text("\n".join(names) + "\n")
    (out / "classes.txt").write_text(TABLE)
    return {"root": str(out), "classes": str(out / "classes.txt"), **VOC_KEYS}


def section_of(**keys):
    """A checked `SceneData` of such keys."""
    section = SceneData(**{k: tuple(v) if isinstance(v, list) else v for k, v in keys.items()})
    section.check()
    return section
