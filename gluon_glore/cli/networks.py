"""`list` and `info`: which networks there are, and what one of them costs."""

from ..utils.arguments import positive_int
from ..utils.errors import InputError


def add_commands(commands):
    """Add `list` and `info` to the parser's commands."""
    command = commands.add_parser("list", help="the networks, and whose weights there are")
    command.add_argument("pattern", nargs="?", default="*", help="as 'resnet50*'")
    command.add_argument(
        "--markdown", action="store_true", help="a table with parameters and multiply-adds"
    )
    command.set_defaults(command=list_networks)

    command = commands.add_parser("info", help="parameters and multiply-adds by stage, source")
    command.add_argument("name")
    command.add_argument(
        "--classes", type=positive_int, default=None, help="default: the network's own"
    )
    command.add_argument("--units", action="store_true", help="every unit's share")
    command.set_defaults(command=info)


def list_networks(args):
    """Print the networks that fit a pattern. Raises InputError where none does."""
    from ..networks.paper import list_models
    from .tables import networks_table, weights_table

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
    from ..networks.paper import get_spec
    from ..plan.complexity import by_stage, by_unit, count_spec
    from .tables import format_size, stages_table

    spec = get_spec(args.name)
    counts = count_spec(spec, args.classes)
    print(f"{spec.name}: {spec.source}")
    print(f"input     {format_size(spec.input_size)}")
    print(f"channels  {spec.in_channels}")
    print(f"classes   {args.classes or spec.classes}")
    print(f"units     {spec.placement}")
    print()
    print(stages_table(by_stage(spec, counts)))
    if args.units:
        print()
        for name, (size, cost) in by_unit(spec, counts).items():
            print(f"  {name:24} {size / 1e6:8.3f} M {cost / 1e6:10.1f} M multiply-adds")
