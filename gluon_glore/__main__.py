"""The command line: `python -m gluon_glore COMMAND`.

Commands are list, info, export, check, predict, serve and show; of the model zoo import, publish
and verify.
"""

import argparse
import os
import sys

from .cli.options import add_class_names, add_predict, add_serve, add_show, add_weights
from .utils.arguments import positive_int
from .utils.cpu import prepare_cpu
from .utils.errors import InputError
from .weights.deployment import PRECISIONS


def main(argv=None):
    """Run a command. Returns the exit code: 0, 2 for what can't be used, 130 after Ctrl-C."""
    args = parse_args(argv)
    prepare_cpu()  # before the commands import MXNet
    try:
        args.command(args)
        sys.stdout.flush()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # `| head` has seen enough; Python flushes once more at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        return 130
    return 0


def parse_args(argv):
    """The options; `command` is the function that runs them. Exits where they are wrong."""
    parser = argparse.ArgumentParser(prog="python -m gluon_glore", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("list", help="the networks, and whose weights there are")
    command.add_argument("pattern", nargs="?", default="*", help="as 'resnet50*'")
    command.add_argument(
        "--markdown", action="store_true", help="a table with parameters and multiply-adds"
    )
    command.set_defaults(command=list_networks)

    command = commands.add_parser("info", help="parameters and multiply-adds by stage, source")
    command.add_argument("name")
    command.add_argument("--classes", type=int, default=None, help="default: the network's own")
    command.add_argument("--units", action="store_true", help="every unit's share")
    command.set_defaults(command=info)

    command = commands.add_parser("export", help="write a folder that runs anywhere")
    command.add_argument("model", help="a training run's directory, or a network's name")
    command.add_argument("--out", required=True, help="directory to write")
    command.add_argument("--onnx", action="store_true", help="an ONNX file too")
    command.add_argument("--precision", choices=PRECISIONS, default="fp32")
    command.add_argument(
        "--calibrate", metavar="FILE.rec", help="pictures that int8 and bf16 are fitted to"
    )
    command.add_argument(
        "--calibration-method",
        choices=("minmax", "entropy"),
        default="entropy",
        help="how int8 finds the ranges of activations (entropy)",
    )
    command.add_argument(
        "--tolerance",
        type=float,
        default=0.1,
        help="error that lower precision may make, as a share of a picture's largest logit (0.1)",
    )
    command.add_argument(
        "--with-preprocess", action="store_true", help="the graph takes uint8 pictures"
    )
    command.add_argument(
        "--input-size", nargs=2, type=positive_int, metavar=("H", "W"), help="(the network's)"
    )
    command.add_argument("--any-size", action="store_true", help="height and width may vary")
    command.add_argument(
        "--plain", action="store_true", help="not optimised: fit to train on and to import"
    )
    command.add_argument("--force", action="store_true", help="replace an exported folder")
    add_weights(command)
    add_class_names(command)
    command.set_defaults(command=export)

    command = commands.add_parser("check", help="run an exported folder's golden pair everywhere")
    command.add_argument("folder")
    command.add_argument(
        "--data", metavar="FILE.rec", help="measure every runtime's accuracy on it"
    )
    command.set_defaults(command=check)

    add_predict(commands)
    add_serve(commands)
    add_show(commands)

    command = commands.add_parser("import", help="make a zoo entry of somebody's weights")
    command.add_argument(
        "file", help="released archive (.tar), its folder, .params beside its symbol, or .pth"
    )
    command.add_argument("--out", required=True, help="directory to write")
    command.add_argument("--name", help="of the network (as registered, found by its layers)")
    command.add_argument("--source", help="where the file is from (its path)")
    add_rights(command)
    command.add_argument("--claimed", help="accuracy its makers give, in words")
    command.add_argument("--data", metavar="FILE.rec", help="measure the accuracy on it")
    command.add_argument(
        "--no-compare",
        action="store_true",
        help="don't run the released symbol beside ours, which takes some seconds",
    )
    command.set_defaults(command=import_file)

    command = commands.add_parser("publish", help="make a zoo entry of a training run")
    command.add_argument("checkpoint", help="a run's directory, or a checkpoint's")
    command.add_argument("--out", required=True, metavar="ZOO", help="folder of entries")
    command.add_argument("--name", help="of the entry (the network's)")
    command.add_argument("--data", metavar="FILE.rec", help="(the run's own validation set)")
    add_rights(command)
    command.add_argument("--half", action="store_true", help="save float16, half the size")
    command.set_defaults(command=publish_run)

    command = commands.add_parser("verify", help="check weights: checksums, golden numbers, data")
    command.add_argument("model", help="a network's name, or a zoo entry's directory")
    add_weights(command)
    command.add_argument("--data", metavar="FILE.rec", help="measure the accuracy on it")
    command.add_argument("--batch", type=positive_int, default=32)
    command.set_defaults(command=verify)
    return parser.parse_args(argv)


def add_rights(command):
    """Whose weights they are, for a model card; `said_of(args, ...)` has what was given."""
    command.add_argument("--origin", help="who made the weights")
    command.add_argument("--licence")


def list_networks(args):
    """Print the networks that fit a pattern. Raises InputError where none does."""
    from .cli.tables import networks_table, weights_table
    from .networks.paper import list_models

    names = list_models(args.pattern)
    if args.markdown:
        table = networks_table(names) if names else ""
    else:
        table = weights_table(args.pattern)
    if not table:
        raise InputError(f"no network matches {args.pattern!r}, known: {', '.join(list_models())}")
    print(table)


def info(args):
    """Print a network's input, stages and source; its units too where asked for."""
    from .cli.tables import format_size, stages_table
    from .model_zoo.load import get_model
    from .networks.complexity import by_stage, by_unit, count_network

    net = get_model(args.name, classes=args.classes)
    spec = net.spec
    nodes = count_network(net)
    print(f"{spec.name}: {spec.source}")
    print(f"input     {format_size(spec.input_size)}")
    print(f"channels  {spec.in_channels}")
    print(f"classes   {net.classes}")
    print(f"units     {spec.placement}")
    print()
    print(stages_table(by_stage(net, nodes)))
    if args.units:
        print()
        for name, (size, cost) in by_unit(net, nodes).items():
            print(f"  {name:24} {size / 1e6:8.3f} M {cost / 1e6:10.1f} M multiply-adds")


def export(args):
    """Write a network as a folder that runs without this package, and print what it costs."""
    from dataclasses import replace

    from .cli.export_report import report
    from .export import export_model
    from .model_zoo.load import load_network
    from .weights.manifest import read_manifest

    net, manifest = load_network(args.model, args.weights, args.class_names)
    if args.input_size:
        preprocess = manifest.preprocess.resized(tuple(args.input_size))
        manifest = replace(manifest, preprocess=preprocess)
    directory = export_model(
        net,
        args.out,
        manifest,
        precision=args.precision,
        onnx=args.onnx,
        preprocess=args.with_preprocess,
        any_size=args.any_size,
        force=args.force,
        calibrate=args.calibrate,
        method=args.calibration_method,
        tolerance=args.tolerance,
        plain=args.plain,
    )
    print(report(read_manifest(directory), directory))


def check(args):
    """Run an exported folder in every runtime there is and compare with its golden outputs."""
    from .export.check import check

    check(args.folder, args.data)


def import_file(args):
    """Make a zoo entry of somebody else's weights, scored on pictures where they are given."""
    from .model_zoo.import_weights import import_weights
    from .weights.card import Card

    said = said_of(args, "source", "origin", "licence", "claimed")
    card = Card(**{"source": args.file, **said}) if said else None
    folder = import_weights(args.file, args.out, args.name, card, compare=not args.no_compare)
    if args.data:
        from .model_zoo.entry import add_measurement, measure

        add_measurement(folder, measure(folder, args.data))
    print_card(folder)


def publish_run(args):
    """Make a zoo entry of a checkpoint of this project's trainers."""
    from .model_zoo.publish import SOURCE, publish
    from .weights.card import Card

    card = Card(SOURCE, **said_of(args, "origin", "licence"))
    folder = publish(args.checkpoint, args.out, args.name, args.data, card, args.half)
    print_card(folder)


def said_of(args, *fields):
    """The fields of a model card that the command line gives."""
    return {field: getattr(args, field) for field in fields if getattr(args, field) is not None}


def print_card(folder):
    """Print a zoo entry's model card and where it lies."""
    print((folder / "README.md").read_text(encoding="utf-8"))
    print(f"written: {folder}")


def verify(args):
    """Score a network on a folder of pictures and compare with what its entry claims."""
    from .model_zoo.verify import verify

    verify(args.model, args.weights, args.data, args.batch)


if __name__ == "__main__":
    sys.exit(main())
