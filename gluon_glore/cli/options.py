"""The commands that use a network, `predict`, `serve` and `show`: their options."""

import os

from ..utils.arguments import amount, milliseconds, numbers, pixels, port, positive_int
from ..utils.cpu import cores
from ..utils.errors import InputError

PIXELS = {
    "predict": 256 * 10**6,
    "serve": 50 * 10**6,
    "show": 256 * 10**6,
}  # a picture takes 3 bytes of memory each


def add_predict(commands):
    """The options of `predict`; those of one kind of network alone are None where not given."""
    command = commands.add_parser("predict", help="classify or segment pictures and videos")
    command.add_argument(
        "images",
        nargs="+",
        metavar="SOURCE",
        help="a picture, a folder, a video, or - for JPEG or PNG pictures on standard input; for a "
        "network of videos a video or a folder",
    )
    command.add_argument("--model", default="resnet50_glore_2_3", help=MODEL)
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
    add_decoding(command, "predict")
    add_network(command)
    segmentation = command.add_argument_group("for a network that segments pictures")
    add_views(segmentation)
    videos = command.add_argument_group("for a network that watches videos")
    videos.add_argument(
        "--clips", type=positive_int, metavar="N", help="evenly along a video, averaged (10)"
    )
    videos.add_argument(
        "--crops",
        type=int,
        choices=(1, 3, 5),
        help="of a clip: the centre, along the longer side, or corners and centre (1)",
    )
    command.set_defaults(command=predict)


def add_serve(commands):
    """The options of `serve`."""
    command = commands.add_parser("serve", help="classify pictures over HTTP")
    command.add_argument("model", help=MODEL)
    command.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    command.add_argument("--port", type=port, default=8080, help="0: any that is free (8080)")
    command.add_argument("--batch", type=positive_int, default=8, help="requests at once (8)")
    command.add_argument(
        "--wait-ms", type=milliseconds, default=5, help="for a batch to fill, at most (5)"
    )
    command.add_argument(
        "--queue", type=positive_int, default=64, help="requests in hand, more get a 503 (64)"
    )
    command.add_argument(
        "--max-bytes", type=amount, default=amount("16M"), help="of a request, as 16M"
    )
    command.add_argument(
        "--timeout",
        type=positive_int,
        default=30,
        help="seconds for a request to come (30), and for its answer after that",
    )
    add_decoding(command, "serve")
    add_network(command)
    command.set_defaults(command=serve)


def add_show(commands):
    """The options of `show`."""
    command = commands.add_parser("show", help="draw what GloRe units see in pictures")
    command.add_argument("images", nargs="+", metavar="IMAGE", help="a picture or a folder of them")
    command.add_argument(
        "--model",
        required=True,
        help="a training run's directory, a checkpoint's, a zoo entry's, a folder exported with "
        "--plain, or a network's name",
    )
    command.add_argument("--out", required=True, metavar="DIR", help="folder for page and pictures")
    command.add_argument(
        "--unit", metavar="NAME", help="one of the network's, as info --units (all)"
    )
    picked = command.add_mutually_exclusive_group()
    picked.add_argument("--nodes", type=numbers, metavar="N,N,...", help="nodes to draw, from 0 on")
    picked.add_argument(
        "--strongest",
        type=positive_int,
        default=8,
        metavar="K",
        help="draw the nodes that give most energy back to the picture (8)",
    )
    command.add_argument(
        "--size",
        type=pixels,
        metavar="S",
        help="of what the network sees, 512 or 512x768 (its own)",
    )
    command.add_argument("--top", type=positive_int, default=5, help="classes on the page (5)")
    add_max_pixels(command, "show")
    add_weights(command)
    add_class_names(command)
    command.set_defaults(command=show)


MODEL = "an exported folder, a training run's directory, or a network's name"


def add_decoding(command, name):
    """How many threads decode, and the largest picture: `PIXELS[name]` where not given."""
    command.add_argument(
        "--workers", type=positive_int, default=cores(), help="threads that decode (all cores)"
    )
    add_max_pixels(command, name)


def add_max_pixels(command, name):
    """The largest picture, `PIXELS[name]` where not given."""
    command.add_argument(
        "--max-pixels",
        type=amount,
        default=PIXELS[name],
        help=f"of a picture, larger ones are refused ({PIXELS[name] // 10**6}M)",
    )


def add_network(command):
    """What a network is run by and made of, beside its name: `load(args)` has it."""
    command.add_argument("--runtime", help="what runs an exported folder (the best there is)")
    add_weights(command)
    add_class_names(command)


def add_views(command):
    """How segmentation looks at a picture; `views(args)` has what was given."""
    command.add_argument(
        "--scales", type=float, nargs="+", metavar="S", help="sizes to look at it in (1)"
    )
    command.add_argument("--flip", action="store_true", default=None, help="mirrored too")
    command.add_argument(
        "--window",
        type=positive_int,
        nargs=2,
        metavar=("H", "W"),
        help="slide a window of so many pixels over it (see it whole)",
    )


def views(args):
    """The segment.Views of `add_views` and --batch. Raises InputError where they have no sense."""
    from ..inference.segment import Views

    given = {
        "scales": args.scales and tuple(args.scales),
        "flip": args.flip,
        "window": args.window and tuple(args.window),
        "batch": args.batch,
    }
    return Views(**{name: value for name, value in given.items() if value is not None})


def add_weights(command):
    """The weights of a network given by name."""
    command.add_argument(
        "--weights",
        metavar="FILE",
        help="for a network given by name: a path, an address, or the first 8 digits of their "
        "sha256 (what the catalogue has)",
    )


def add_class_names(command):
    """The file of class names."""
    command.add_argument(
        "--class-names",
        metavar="FILE",
        help="text file, one class a line; default: those of the weights",
    )


def predict(args):
    """Print what a network says of pictures or videos. Raises InputError for options not its."""
    ready = load(args)
    from ..inference.classify import Classifier
    from ..inference.recognize import Recognizer
    from ..inference.segment import Segmenter
    from .answers import predict_sources, recognize_sources, segment_sources

    refuse_options(args, ready)
    rest = {"top": args.top, "workers": args.workers, "style": args.format}
    if ready.watches:
        look = {"clips": args.clips or 10, "crops": args.crops or 1, "batch": args.batch or 4}
        recognize_sources(Recognizer(*ready), args.images, look, args.out, **rest)
        return
    rest["every"] = args.every or 1
    if not ready.segments:
        predict_sources(Classifier(*ready), args.images, batch=args.batch or 8, **rest)
        return
    if args.out is None:
        raise InputError(f"{ready.manifest.model} {ready.does}: give --out DIR for them")
    segment_sources(Segmenter(*ready), args.images, args.out, views(args), **rest)


def refuse_options(args, ready):
    """Raise InputError for an option that networks of another kind have."""
    from ..inference.predictor import DOES

    classifies, segments, watches = DOES
    kinds_of = {
        "out": (segments, watches),
        "every": (classifies, segments),
        "scales": (segments,),
        "flip": (segments,),
        "window": (segments,),
        "clips": (watches,),
        "crops": (watches,),
    }
    for option, kinds in kinds_of.items():
        if getattr(args, option) is not None and ready.does not in kinds:
            raise InputError(
                f"--{option} is for a network that {' or '.join(kinds)}, "
                f"{ready.manifest.model} {ready.does}"
            )


def serve(args):
    """Answer over HTTP until stopped. Raises InputError for a network that does not classify."""
    ready = load(args)
    from ..inference.classify import Classifier
    from ..inference.predictor import DOES

    if ready.does != DOES[0]:
        raise InputError(f"serve {DOES[0]}, {ready.manifest.model} {ready.does}: use predict")
    from ..serving.server import serve
    from ..serving.service import Settings

    wait = args.wait_ms / 1000
    settings = Settings(args.max_bytes, args.queue, args.timeout, args.batch, wait, args.workers)
    serve(Classifier(*ready), args.host, args.port, settings)


def show(args):
    """Draw what the units of a network see."""
    # Read by OpenCV when it is imported, as in `load`.
    os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] = str(args.max_pixels)
    from ..model_zoo.load import load_network
    from ..visualize.show import Choice, show
    from .answers import refuse_own_output

    refuse_own_output(args.images, args.out)
    net, manifest = load_network(args.model, args.weights, args.class_names)
    choice = Choice(args.strongest, args.nodes)
    size, top = args.size, args.top
    print("\n".join(show(net, manifest, args.images, args.out, args.unit, choice, size, top)))


def load(args):
    """The network, in a process that decodes pictures beside it. Imports MXNet and OpenCV."""
    # MXNet's threads would spin where they wait for each other, on cores that decoding needs:
    # a batch then took ten times as long.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # What image.decode_image decodes at most: OpenCV reads it once, when it is imported.
    os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] = str(args.max_pixels)
    import cv2

    from ..inference.predictor import load_ready

    cv2.setNumThreads(1)  # `workers` decode beside each other
    return load_ready(args.model, args.weights, args.class_names, args.runtime)
