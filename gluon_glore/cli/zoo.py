"""`import`, `publish` and `verify`: entries of the model zoo, made and checked."""

from ..utils.arguments import positive_int
from ..utils.errors import InputError
from .options import LABELLED, add_clip, add_pixels, add_weights, pixels_of


def add_commands(commands):
    """Add `import`, `publish` and `verify` to the parser's commands."""
    command = commands.add_parser("import", help="make a zoo entry of somebody's weights")
    command.add_argument(
        "file",
        help="released archive (.tar), its folder, .params beside its symbol, .pth or .safetensors",
    )
    command.add_argument("--out", required=True, help="directory to write")
    command.add_argument("--name", help="of the network (as registered, found by its layers)")
    command.add_argument("--source", help="where the file is from (its path)")
    _add_origin(command)
    command.add_argument("--claimed", help="accuracy its authors give, in words")
    command.add_argument("--data", metavar="LABELLED", help=f"measure its score: {LABELLED}")
    command.add_argument(
        "--no-compare",
        action="store_true",
        help="don't run the released symbol beside ours, which takes some seconds",
    )
    add_pixels(command)
    add_clip(command)
    command.set_defaults(command=import_file)

    command = commands.add_parser("publish", help="make a zoo entry of a training run")
    command.add_argument("checkpoint", help="a run's directory, or a checkpoint's")
    command.add_argument("--out", required=True, metavar="ZOO", help="folder of entries")
    command.add_argument("--name", help="of the entry (the network's)")
    command.add_argument("--data", metavar="LABELLED", help=f"instead of the run's own: {LABELLED}")
    _add_origin(command)
    command.add_argument("--half", action="store_true", help="save float16, half the size")
    command.set_defaults(command=publish_run)

    command = commands.add_parser("verify", help="check weights: checksums, golden numbers, data")
    command.add_argument("model", help="a network's name, or a zoo entry's directory")
    add_weights(command)
    command.add_argument("--data", metavar="LABELLED", help=f"measure its score: {LABELLED}")
    command.add_argument(
        "--batch", type=positive_int, help="pictures or clips at once (32, 8); scenes go one by one"
    )
    command.set_defaults(command=verify)


def _add_origin(command):
    """Whose weights they are, for the model card."""
    command.add_argument("--origin", help="who made the weights")
    command.add_argument("--licence")


def import_file(args):
    """Make a zoo entry of somebody else's weights, scored on pictures where they are given.

    Raises InputError on --rate without --stride.
    """
    told = pixels_of(args)
    if args.rate is not None and args.stride is None:
        raise InputError("--rate is what --stride counts: give that, too")
    from ..model_zoo.import_weights import import_weights
    from ..weights.card import Card

    fields = _given(args, "source", "origin", "licence", "claimed")
    card = Card(**{"source": args.file, **fields}) if fields else None
    compare = not args.no_compare
    clip = (args.stride, args.rate or 0.0)
    folder = import_weights(args.file, args.out, args.name, card, told, compare, *clip)
    if args.data:
        from ..model_zoo.entry import add_measurement, measure

        add_measurement(folder, measure(folder, args.data))
    print_entry(folder)


def publish_run(args):
    """Make a zoo entry of a checkpoint of this project's trainers."""
    from ..model_zoo.publish import SOURCE, publish
    from ..weights.card import Card

    card = Card(SOURCE, **_given(args, "origin", "licence"))
    folder = publish(args.checkpoint, args.out, args.name, args.data, card, args.half)
    print_entry(folder)


def verify(args):
    """Check weights: their checksums, golden numbers and, where pictures are given, accuracy."""
    from ..model_zoo.verify import verify

    verify(args.model, args.weights, args.data, args.batch)


def print_entry(folder):
    """Print a zoo entry's model card and where it lies."""
    print((folder / "README.md").read_text(encoding="utf-8"))
    print(f"written: {folder}")


def _given(args, *names):
    """The named options that the command line gives: `{name: value}`."""
    return {name: getattr(args, name) for name in names if getattr(args, name) is not None}
