"""`show`: what the GloRe units of a network see, as pictures and one page to look around in."""

from ..utils.arguments import numbers, pixels, positive_int
from .options import (
    add_class_names,
    add_max_pixels,
    add_model,
    add_pixels,
    add_signature,
    add_weights,
    choose_default,
    described,
    limit_pixels,
    refuse_missing,
    refuse_own_output,
)


def add_commands(commands):
    """Add `show` to the parser's commands."""
    command = commands.add_parser("show", help="draw what GloRe units see in pictures")
    command.add_argument("images", nargs="+", metavar="IMAGE", help="a picture or a folder of them")
    add_model(
        command,
        "--model",
        what="an exported folder, a training run's directory, a checkpoint's, a zoo entry's, a "
        "symbol file of any network, or a network's name",
    )
    command.add_argument("--out", required=True, metavar="DIR", help="folder for page and pictures")
    command.add_argument(
        "--unit", metavar="NAME", help="one of the network's, as info --units (all)"
    )
    nodes = command.add_mutually_exclusive_group()
    nodes.add_argument("--nodes", type=numbers, metavar="N,N,...", help="nodes to draw, from 0 on")
    nodes.add_argument(
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
    command.add_argument(
        "--colors",
        choices=("blue-orange", "paper"),
        default="blue-orange",
        help="of negative and positive numbers (blue and orange), paper: its green and red",
    )
    command.add_argument(
        "--force",
        action="store_true",
        help="where DIR has the page of another network, keep that beside DIR and write a new one",
    )
    command.add_argument("--top", type=positive_int, default=5, help="classes on the page (5)")
    add_max_pixels(command, 256 * 10**6)
    add_weights(command)
    add_class_names(command)
    add_pixels(command)
    add_signature(command)
    command.set_defaults(command=show)


def show(args):
    """Draw what the units of a network see, and print which nodes are the strongest."""
    limit_pixels(args)
    from ..visualize.show import NodeChoice, show

    refuse_own_output(args.images, args.out)
    choose_default(args)
    refuse_missing(args.images, args)
    lines = show(
        *_load(args),
        args.images,
        args.out,
        unit=args.unit,
        choice=NodeChoice(args.strongest, args.nodes),
        size=args.size,
        top=args.top,
        colors=args.colors,
        force=args.force,
    )
    print("\n".join(lines))


def _load(args):
    """The network and its manifest. An exported graph has the units too, and is shown as it is."""
    from ..export import import_model
    from ..export.files import is_export
    from ..model_zoo.load import load_network

    told = described(args)
    given = args.weights, told.class_names, told.pixels, told.signature
    if is_export(args.model) and not any(given):
        return import_model(args.model)
    return load_network(args.model, *given)
