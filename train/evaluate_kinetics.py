"""Evaluate a checkpoint on labelled videos, by one clip or by the mean of several.

    python -m train.evaluate_kinetics RUN --clips 1              # clip top-1 and top-5
    python -m train.evaluate_kinetics RUN --clips 10 --crops 3   # video top-1 and top-5
    python -m train.evaluate_kinetics RUN --data val.txt --root videos

Clips lie evenly in time, one in the centre; a video's probabilities are the mean of its clips'
(paper, section 4.4: centre clips, and ten clips). Runs on one process or, under horovodrun, on
several; each video is scored once.
"""

import sys
import time
from pathlib import Path

import mxnet as mx
import numpy as np

from gluon_glore.data.clips import CROPS
from gluon_glore.data.videos import Videos, check_videos
from gluon_glore.model_zoo.load import load_own_network
from gluon_glore.utils.arguments import positive_int, whole
from gluon_glore.utils.errors import InputError
from gluon_glore.weights.run_folder import data_section

from .config.kinetics import VideoConfig, VideoData
from .config.optim import Optim
from .data.missing_files import check_missing
from .engine.comm import first_of_host
from .engine.loop import Meter
from .engine.predictions import Keeper
from .engine.scoring import Scored, add_predictions, options, origin, place, result_of, score
from .kinetics import views_in_turn


def main(argv=None):
    """Evaluate as the command line says. Returns the exit code: 0, or 2 for what can't be used."""
    args = parse_args(argv)
    return score(lambda: prepare(args), args.out, "videos", args.predictions)


def parse_args(argv):
    """The options; --data is None where it is to be the run's own."""
    data = ("VIDEOS", "folder, list, .rec (the run's own val)")
    parser = options("train.evaluate_kinetics", __doc__, data)
    parser.add_argument(
        "--root", default="", help="where a list's paths begin (as trained; of --data: its folder)"
    )
    parser.add_argument("--clips", type=positive_int, default=10, help="of a video (10)")
    parser.add_argument(
        "--crops", type=whole, choices=tuple(CROPS), default=1, help="of a clip (1)"
    )
    parser.add_argument("--batch", type=positive_int, default=8, help="clips at once (8)")
    add_predictions(parser)
    return parser.parse_args(argv)


def prepare(args):
    """The data set, its configuration, and how it is evaluated. Raises InputError."""
    net, manifest = load_own_network(args.model)
    if not manifest.clip:
        raise InputError(f"{manifest.model} sees no videos: train.evaluate scores it on pictures")
    preprocess = manifest.preprocess
    places = {} if args.data else data_section(Path(args.model), "VIDEOS")
    data = VideoData(
        val=args.data or places["val"],
        root=args.root or places.get("root", ""),
        size=preprocess.size,
        resize=preprocess.resize,
        mean=preprocess.mean,
        scale=preprocess.scale,
        threads=args.threads,
        max_bad=args.max_bad,
    )
    dataset = Videos(data.val, manifest.class_names, data.root, use="val")
    # A wrong --root is found before every video is named.
    missing = check_missing(
        dataset.path, dataset.paths, data.max_bad, "video", "--max-bad", quiet=not first_of_host()
    )
    check_videos(dataset, data.max_bad, missing=missing)
    own = {
        **origin(args.model, manifest),
        "clips": args.clips,
        "crops": args.crops,
        "size": list(preprocess.size),
    }

    def evaluate(comm, bad):
        config = VideoConfig(data=data, clip=manifest.clip, optim=Optim(batch_size=comm.size))
        loaded = views_in_turn(dataset, bad, config, comm.rank, comm.size, args.clips, args.crops)
        ctx = place(net, comm)
        videos = ((mean_probabilities(net, x[0], args.batch, ctx), int(y[0])) for x, y in loaded)
        keeper = Keeper(range(net.classes))
        meter = score_videos(keeper.watch(videos), comm)
        predictions = keeper.gather(dataset, bad, comm)
        scored = result_of(manifest.model, dataset, bad, meter, own)
        return Scored(scored.figures, predictions, manifest.class_names)

    return dataset, VideoConfig(data=data), evaluate


def mean_probabilities(net, views, batch, ctx):
    """The mean of the softmax of a video's views, `(V, C, T, H, W)` -> float64 `(classes,)`."""
    total = 0.0
    for start in range(0, len(views), batch):
        logits = net(mx.nd.array(views[start : start + batch], ctx=ctx))
        probabilities = mx.nd.softmax(logits.astype("float32", copy=False))
        total = total + probabilities.asnumpy().sum(axis=0, dtype=np.float64)
    return total / len(views)


def score_videos(videos, comm) -> Meter:
    """Loss, top-1 and top-5 of every rank's `(probabilities (classes,), label)` together."""
    sums, started = np.zeros(5), time.perf_counter()  # loss, top-1, top-5, those that have one, all
    for probabilities, label in videos:
        own = probabilities[label]
        # Of equals the first is better, as where clips are scored; of nan the last.
        rank = int(np.sum(~(probabilities <= own)) + np.sum(probabilities[:label] == own))
        ranked = len(probabilities) > 5
        sums += (
            -np.log(max(own, np.finfo(np.float32).tiny)),
            rank < 1,
            ranked and rank < 5,
            ranked,
            1,
        )
    loss, top1, top5, ranked, count = comm.sum(sums)
    figures = {"top1": top1 / max(1, count), "top5": top5 / ranked if ranked else None}
    return Meter(loss / max(1, count), int(count), time.perf_counter() - started, figures)


if __name__ == "__main__":
    sys.exit(main())
