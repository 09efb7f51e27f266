"""Images a second of the training input, beside MXNet's own iterator and plain OpenCV.

    python -m benchmarks.loader FOLDER [--batch 32] [--threads 2]

FOLDER holds class folders of photographs; they are packed as they are into a temporary file, over
and over until there are `--images`, and for "ours, files" written as so many files. A turn is one
pass over it: decode, random crop 224x224, bicubic, mirror, HSL, normalise, hand over as NDArray.
"opencv" only decodes and resizes, in threads: what the hardware gives before any augmentation. The
"large" rows have a quarter as many, enlarged four times, as cameras make them. "ours, random views"
has RandAugment (2 operations, magnitude 9) and random erasing (0.25) besides. Nothing computes in
between, so OpenMP's threads, which MXNet copies a batch with, are told not to wait for more on the
cores that decode (OMP_WAIT_POLICY=PASSIVE, for all).
ImageRecordIter may take fewer threads than it is told, and says on stderr how many (one, on two
cores).
"""

import argparse
import functools
import itertools
import json
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .paired import add_options, machine, measure, median_of, serve, write_result

TARGET = 3.0  # the claim: images a second / ImageRecordIter's
SIZE = (224, 224)
CLASS_NAMES = ("photo",)
SIDES = (224, 112, 64)  # of the network's input, at which `augment.reduced` is looked at


def ours(path, batch, threads, **augment):
    """A pass of `train.data.pictures` over records or a folder, its default recipe changed so."""
    import mxnet as mx

    from gluon_glore.data.labelled_pictures import open_pictures
    from train.config.optim import Optim
    from train.config.pictures import Augment, Data
    from train.config.sections import Config
    from train.data.bad_records import BadRecords
    from train.data.pictures import training_batches
    from train.engine.comm import LocalComm

    dataset = open_pictures(path, CLASS_NAMES)
    bad = BadRecords(dataset, LocalComm())
    config = Config(
        data=Data(size=SIZE, threads=threads),
        augment=Augment(**augment),
        optim=Optim(batch_size=batch),
    )

    def step():
        for pictures, _ in training_batches(dataset, bad, config, 0, 0, 1):
            mx.nd.array(pictures).wait_to_read()

    return step


def image_record_iter(path, batch, threads):
    """A pass of MXNet's iterator, with the same recipe."""
    import mxnet as mx

    iterator = mx.io.ImageRecordIter(
        path_imgrec=path,
        path_imgidx=str(Path(path).with_suffix(".idx")),
        data_shape=(3, *SIZE),
        batch_size=batch,
        preprocess_threads=threads,
        shuffle=True,
        round_batch=False,
        random_resized_crop=True,
        min_random_area=0.08,
        max_random_area=1.0,
        min_aspect_ratio=0.75,
        max_aspect_ratio=1.3333,
        rand_mirror=True,
        random_h=20,
        random_l=40,
        random_s=50,
        inter_method=2,
        mean_r=124,
        mean_g=117,
        mean_b=104,
        scale=0.0167,
    )

    def step():
        iterator.reset()
        for item in iterator:
            item.data[0].wait_to_read()

    return step


def opencv(path, batch, threads):
    """Decode and resize only."""
    import cv2
    import numpy as np

    from gluon_glore.data.records import RecordDataset

    cv2.setNumThreads(1)
    dataset = RecordDataset(path, classes=1)

    def load(i):
        picture = cv2.imdecode(np.frombuffer(dataset[i][0], np.uint8), cv2.IMREAD_COLOR)
        cv2.resize(picture, SIZE, interpolation=cv2.INTER_CUBIC)

    def step():
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(load, range(len(dataset))))

    return step


FILES, REDUCED, VIEWS = "ours, files", "ours, large, reduced", "ours, random views"
# Name: what runs, and what it reads.
COMPETITORS = {
    "ours": (ours, "photos.rec"),
    FILES: (ours, "photos"),
    VIEWS: (functools.partial(ours, rand_augment=2, erase=0.25), "photos.rec"),
    "ImageRecordIter": (image_record_iter, "photos.rec"),
    "opencv": (opencv, "photos.rec"),
    "ours, large": (ours, "large.rec"),
    REDUCED: (functools.partial(ours, reduced=True), "large.rec"),
    "ImageRecordIter, large": (image_record_iter, "large.rec"),
}
ENLARGED, FEWER = 4, 4  # the large ones' sides, and their number


def pack(folder, directory, images):
    """Write `images` of a folder's pictures, repeated, all of one class: what COMPETITORS read."""
    import cv2
    import numpy as np

    from gluon_glore.data.lists.labelled_files import PICTURE, labelled_files
    from gluon_glore.data.records import write_records

    def enlarge(data):
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        picture = cv2.resize(picture, None, fx=ENLARGED, fy=ENLARGED, interpolation=cv2.INTER_CUBIC)
        return cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, 92))[1].tobytes()

    def write(name, data, count):
        pictures = list(itertools.islice(itertools.cycle(data), count))
        write_records(f"{directory}/{name}", ((picture, 0) for picture in pictures))
        return pictures

    data = [Path(file).read_bytes() for file in labelled_files(folder, PICTURE).paths]
    pictures = write("photos.rec", data, images)
    few = images // FEWER
    write("large.rec", list(map(enlarge, data[:few])), few)
    place = Path(directory) / "photos" / CLASS_NAMES[0]
    place.mkdir(parents=True)
    for number, picture in enumerate(pictures):
        # Decoders look at the bytes; the suffix only says that it is a picture.
        (place / f"{number:06d}.jpg").write_bytes(picture)


def reduction_changes(folder, side):
    """What `augment.reduced` changes in a folder's photographs, at `side` pixels of the network.

    Returns (share of crops that are decoded smaller, mean difference of their pixels, 0 to 255), of
    three crops of each, not mirrored and their colour left alone.
    """
    import numpy as np

    from gluon_glore.data.image import decode_image
    from gluon_glore.data.lists.labelled_files import PICTURE, labelled_files
    from train.config.pictures import Augment
    from train.data.picture_augment import augment, choose_crop

    cfg, size, crops, changes = Augment(mirror=False, hls=(0, 0, 0)), (side, side), 0, []
    for file in labelled_files(folder, PICTURE).paths:
        data = Path(file).read_bytes()
        for seed in range(3):
            views, sizes = [], []
            for least in (None, size):
                rng = np.random.default_rng(seed)
                choose = functools.partial(choose_crop, size=size, cfg=cfg, rng=rng)
                crop = decode_image(data, 3, choose, least)
                sizes.append(crop.shape)
                views.append(augment(crop, size, cfg, rng).astype(int))
            crops += 1
            if sizes[0] != sizes[1]:
                changes.append(np.abs(views[0] - views[1]).mean())
    return len(changes) / crops, float(np.mean(changes)) if changes else 0.0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", help="class folders of photographs")
    parser.add_argument("--images", type=int, default=1024, help="in a turn (1024)")
    add_options(parser, batch=32)
    args = parser.parse_args()
    if args.worker:
        options = json.loads(args.worker)
        return serve(COMPETITORS[options.pop("name")][0](**options))
    whole = args.batch * FEWER  # batches, alike for all
    images = args.images - args.images % whole
    if not args.folder or not images:
        parser.error(f"FOLDER is needed, and at least {whole} images")

    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # the workers inherit it
    with tempfile.TemporaryDirectory() as directory:
        pack(args.folder, directory, images)
        options = {"batch": args.batch, "threads": args.threads}
        seconds = measure(
            "benchmarks.loader",
            {
                name: {"name": name, "path": f"{directory}/{source}", **options}
                for name, (_, source) in COMPETITORS.items()
            },
            args.rounds,
            args.threads,
            warmup=1,
        )

    def speed_of(name):
        count = images // FEWER if COMPETITORS[name][1] == "large.rec" else images
        return median_of(lambda turn: count / turn, seconds[name])

    def ratio(one, other):
        return median_of(lambda a, b: b / a, seconds[one], seconds[other])

    ratios = {
        "ratio": ratio("ours", "ImageRecordIter"),
        "files_ratio": ratio(FILES, "ours"),
        "views_ratio": ratio(VIEWS, "ours"),
        "large_ratio": ratio("ours, large", "ImageRecordIter, large"),
        "reduced_ratio": ratio(REDUCED, "ours, large"),
    }
    speed = {name: speed_of(name) for name in COMPETITORS}
    for name, value in speed.items():
        print(f"{name:22} {value:6.0f} images/s")
    changes = {side: reduction_changes(args.folder, side) for side in SIDES}
    for side, (share, difference) in changes.items():
        print(f"reduced at {side}: {share:.0%} of crops, pixels differ by {difference:.1f}")
    print(f"ours / ImageRecordIter {ratios['ratio']:.2f} (target {TARGET:g})")
    print(f"{FILES} / ours {ratios['files_ratio']:.2f}")
    print(f"{VIEWS} / ours {ratios['views_ratio']:.2f}")
    print(f"ours, large / ImageRecordIter, large {ratios['large_ratio']:.2f}")
    print(f"{REDUCED} / ours, large {ratios['reduced_ratio']:.2f}")
    result = {
        "images": images,
        "batch": args.batch,
        "rounds": args.rounds,
        "machine": machine(args.threads),
        "images_per_second": speed,
        **ratios,
        "reduction_changes": changes,
    }
    print(write_result("loader", result))


if __name__ == "__main__":
    main()
