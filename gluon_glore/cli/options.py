"""Options that several commands share, and what is made of them."""

import os
import sys
from pathlib import Path

from ..data.pixels import SETS, Pixels
from ..data.signature import Description, Signature, read_description
from ..utils.arguments import amount, finite, input_shape, not_negative, pixels, positive_int
from ..utils.cpu import cores
from ..utils.errors import InputError, listed

MODEL = "an exported folder, a training run's directory, a symbol file, or a network's name"
DEFAULT = "a small one that comes with the package; a line says which"

# What --data and --calibrate may be.
LABELLED = (
    "pictures or videos, a folder, a list or a .rec; of a network of pixels the folder of "
    "Cityscapes' folders, or a .yaml whose section data states the set"
)


def add_model(command, *names, what=MODEL, **how):
    """The network, an option or a positional as `names` say; `choose_default` follows on it."""
    command.add_argument(*names, help=f"{what} ({DEFAULT})", **how)


def choose_default(args):
    """Make `args.model` an entry in the package where no network is named, and say so on stderr.

    Raises InputError where the package has been damaged.
    """
    if args.model is None:
        from ..model_zoo.default import default_entry, limits_of

        folder, manifest = default_entry()
        print(f"no network is named: {limits_of(manifest)}", file=sys.stderr)
        args.model = str(folder)


def add_weights(command):
    """The weights of a network given by name, or as a symbol."""
    command.add_argument(
        "--weights",
        "--params",
        metavar="FILE",
        help="for a network given by name: a path, an address, or the first 8 digits of their "
        "sha256 (what the catalogue has); for a symbol its .params (the one beside it)",
    )


def add_signature(command):
    """What a symbol file takes and gives, which says it nowhere; `described` reads it."""
    group = command.add_argument_group("for a symbol file, NAME-symbol.json, of any network")
    group.add_argument(
        "--input",
        type=input_shape,
        metavar="CxHxW",
        help="channels, height and width of its input, as 3x224x224; of videos 3x16x112x112",
    )
    group.add_argument(
        "--output", metavar="NAME", help="number or name of the output with the logits"
    )
    add_clip(group)
    group.add_argument(
        "--describe",
        metavar="FILE",
        help="YAML file that says all this, pixels and class names, in the place of the options",
    )


def add_clip(group):
    """Which frames of a video a network sees."""
    group.add_argument(
        "--stride", type=positive_int, metavar="N", help="of videos: frames from one to the next"
    )
    group.add_argument(
        "--rate", type=finite, metavar="R", help="of videos: frames a second that --stride counts"
    )


def add_pixels(command):
    """How pixels become numbers, for weights that don't say it; `pixels_of` makes one of them."""
    group = command.add_argument_group("for weights without a manifest, which say no pixels")
    group.add_argument(
        "--pixels",
        choices=tuple(SETS),
        help="a known set: the paper's (256 : 224), torchvision's (and timm's, GluonCV's; 256 : "
        "224), 0 to 1 as of ToTensor() alone, 0 to 255 as decoded",
    )
    for name, what in (
        ("mean", "of pixels 0 to 255, taken away first: a number, or one a channel"),
        ("std", "of pixels 0 to 255, divided by then: a number, or one a channel"),
        ("scale", "instead of --std, multiplied by: 1 / std"),
    ):
        group.add_argument(f"--{name}", type=finite, nargs="+", metavar="X", help=what)
    group.add_argument(
        "--resize",
        type=not_negative,
        metavar="N",
        help="pixels of the short side before the centre crop, 0 for pictures as they are",
    )
    group.add_argument(
        "--crop", type=pixels, metavar="S", help="of the centre, 224 or 224x320 (the network's)"
    )


def pixels_of(args):
    """The `Pixels` of the options of `add_pixels`, None where none was given.

    Raises InputError as `Pixels` does.
    """
    values = {name: getattr(args, name) for name in ("mean", "std", "scale", "resize", "crop")}
    if args.pixels is None and all(value is None for value in values.values()):
        return None
    lists = {name: values[name] and tuple(values[name]) for name in ("mean", "std", "scale")}
    return Pixels(args.pixels, **lists, resize=args.resize, crop=args.crop)


def described(args):
    """The `Description` of a network: what --describe says, or the options.

    Its fields are None where nothing is said. Raises InputError where both say something.
    """
    pixels, names = pixels_of(args), args.class_names
    values = (args.input, args.output, args.stride, args.rate)
    told = any(value is not None for value in values)
    if args.describe is None:
        size, output, stride, rate = values
        signature = Signature(size, output, stride, rate or 0.0) if told else None
        return Description(signature, pixels, names)
    if told or pixels or names:
        raise InputError(
            f"{args.describe} says input, pixels and class names: leave the options for these out"
        )
    return read_description(args.describe)


def add_class_names(command):
    """The file of class names."""
    command.add_argument(
        "--class-names",
        metavar="FILE",
        help="text file, one class a line; default: those of the weights",
    )


def add_predictor(command):
    """What `load_predictor` takes beside the model, and how pictures are decoded for it."""
    command.add_argument(
        "--workers", type=positive_int, default=cores(), help="threads that decode (all cores)"
    )
    command.add_argument(
        "--runtime",
        help="what runs an exported folder (the best there is), or any other model: mxnet, pytorch",
    )
    add_weights(command)
    add_class_names(command)
    add_pixels(command)
    add_signature(command)


def add_max_pixels(command, default, says=None):
    """The largest picture in pixels; decoding takes at most 10 bytes of memory for each of them.

    `says` is the default for a reader where the number alone does not say it.
    """
    command.add_argument(
        "--max-pixels",
        type=amount,
        default=default,
        help="of a picture; larger ones are refused, and what takes more than 10 bytes for each "
        f"({says or f'{default // 10**6}M'})",
    )


def add_views(command):
    """The views of a picture in segmentation, but for --batch; `views` makes them one thing."""
    command.add_argument(
        "--scales", type=finite, nargs="+", metavar="S", help="sizes to look at it in (1)"
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
    """The `segment.Views` of the options. Raises InputError where they make no sense."""
    from ..inference.segment import Views

    given = {
        "scales": args.scales and tuple(args.scales),
        "flip": args.flip,
        "window": args.window and tuple(args.window),
        "batch": args.batch,
    }
    return Views(**{name: value for name, value in given.items() if value is not None})


def limit_pixels(args):
    """Refuse pictures over --max-pixels. OpenCV reads this once, when it is imported."""
    os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] = str(args.max_pixels)


def load(args):
    """The `Predictor` of `args.model`, of a process whose threads decode pictures.

    Imports MXNet and OpenCV. Raises InputError where it can't be loaded, or takes other channels
    than pictures have.
    """
    # MXNet's threads would spin where they wait for each other, on cores that decoding needs:
    # a batch then took ten times as long.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    limit_pixels(args)
    told = described(args)
    import cv2

    from ..data.image import refuse_depth
    from ..inference.predictor import load_predictor

    cv2.setNumThreads(1)  # `workers` decode beside each other
    predictor = load_predictor(
        args.model, args.weights, told.class_names, args.runtime, told.pixels, told.signature
    )
    refuse_depth(predictor.channels)
    return predictor


def refuse_missing(sources, args):
    """Raise InputError for a picture or video that is not there, before weights are downloaded.

    Where none have to be, the other sources are answered, and the missing ones named in their turn.
    """
    from ..export.files import symbol_of

    missing = [name for name in sources if name != "-" and not os.path.exists(name)]
    if not missing or Path(args.model).is_dir() or symbol_of(args.model):
        return
    from ..model_zoo.find_weights import to_download

    if to_download(args.model, args.weights or True):
        raise InputError(listed([f"{name}: No such file or directory" for name in missing]))


def refuse_own_output(names, out):
    """Raise InputError where `out` lies in one of the source folders: it would be read again."""
    for name in names:
        if Path(name).is_dir() and Path(name).resolve() in (Path(out) / "any").resolve().parents:
            raise InputError(f"{out} lies in {name}, of which all pictures are asked for")
