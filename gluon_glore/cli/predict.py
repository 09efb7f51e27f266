"""`predict`: what a network says of pictures or videos, printed as it comes."""

from ..utils.arguments import positive_int, whole
from ..utils.errors import InputError
from .options import (
    add_max_pixels,
    add_model,
    add_predictor,
    add_views,
    choose_default,
    load,
    refuse_missing,
    views,
)


def add_commands(commands):
    """Add `predict` to the parser's commands.

    Options that only networks of one kind have are None where they are not given.
    """
    command = commands.add_parser("predict", help="classify or segment pictures and videos")
    command.add_argument(
        "images",
        nargs="+",
        metavar="SOURCE",
        help="a picture, a folder, a video, or - for JPEG or PNG pictures on standard input; for a "
        "network of videos a video or a folder",
    )
    add_model(command, "--model")
    command.add_argument("--top", type=positive_int, default=5, help="classes to print (5)")
    command.add_argument("--format", choices=("table", "json"), default="table")
    command.add_argument(
        "--every",
        type=positive_int,
        metavar="N",
        help="each Nth frame of a video, for networks of pictures (1)",
    )
    command.add_argument(
        "--batch",
        type=positive_int,
        help="pictures at once (8), for segmentation windows (1), of videos views (4)",
    )
    command.add_argument(
        "--out",
        metavar="DIR",
        help="folder for segmentation's overlays, colours and label ids, which it needs, or for "
        "strips of videos: frames and classes along time",
    )
    add_predictor(command)
    add_max_pixels(command, 256 * 10**6)
    add_views(command.add_argument_group("for a network that segments pictures"))
    videos = command.add_argument_group("for a network that watches videos")
    videos.add_argument(
        "--clips", type=positive_int, metavar="N", help="evenly along a video, averaged (10)"
    )
    videos.add_argument(
        "--crops",
        type=whole,
        choices=(1, 3, 5),
        help="of a clip: the centre, along the longer side, or corners and centre (1)",
    )
    command.set_defaults(command=predict)


def predict(args):
    """Print what a network says of pictures or videos.

    Raises InputError for options of another kind of network.
    """
    choose_default(args)
    refuse_missing(args.images, args)
    predictor = load(args)
    from ..inference.predictor import Task
    from .answers import print_answers

    refuse_options(args, predictor)
    answer = {Task.CLASSIFY: classify, Task.SEGMENT: segment, Task.RECOGNIZE: recognize}
    places, answers = answer[predictor.task](args, predictor)
    unit = "videos" if predictor.task is Task.RECOGNIZE else "pictures"
    print_answers(places, answers, args.format, unit)


def classify(args, predictor):
    """(places or None, answers) of a network that classifies pictures."""
    from ..inference.classify import Classifier
    from .answers import classify_sources

    return classify_sources(
        Classifier.of(predictor),
        args.images,
        top=args.top,
        batch=args.batch or 8,
        workers=args.workers,
        every=args.every or 1,
    )


def segment(args, predictor):
    """(places or None, answers) of a network that labels pixels; pictures are written to --out.

    Raises InputError where --out is not given.
    """
    from ..inference.segment import Segmenter
    from .answers import segment_sources

    if args.out is None:
        name, does = predictor.manifest.model, predictor.task.value
        raise InputError(f"{name} {does}: give --out DIR for them")
    return segment_sources(
        Segmenter.of(predictor),
        args.images,
        args.out,
        views(args),
        top=args.top,
        workers=args.workers,
        every=args.every or 1,
    )


def recognize(args, predictor):
    """(places, answers) of a network that watches videos; strips are written to --out if given."""
    from ..inference.recognize import ClipViews, Recognizer
    from .answers import recognize_sources

    return recognize_sources(
        Recognizer.of(predictor),
        args.images,
        ClipViews(args.clips or 10, args.crops or 1, args.batch or 4),
        args.out,
        top=args.top,
        workers=args.workers,
    )


def refuse_options(args, predictor):
    """Raise InputError for an option that only networks of another kind have."""
    from ..inference.predictor import Task

    tasks_of = {
        "out": (Task.SEGMENT, Task.RECOGNIZE),
        "every": (Task.CLASSIFY, Task.SEGMENT),
        "scales": (Task.SEGMENT,),
        "flip": (Task.SEGMENT,),
        "window": (Task.SEGMENT,),
        "clips": (Task.RECOGNIZE,),
        "crops": (Task.RECOGNIZE,),
    }
    for option, tasks in tasks_of.items():
        if getattr(args, option) is not None and predictor.task not in tasks:
            raise InputError(
                f"--{option} is for a network that {' or '.join(task.value for task in tasks)}, "
                f"{predictor.manifest.model} {predictor.task.value}"
            )
