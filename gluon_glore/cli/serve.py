"""`serve`: pictures classified over HTTP."""

from ..utils.arguments import amount, milliseconds, port, positive_int
from ..utils.errors import InputError
from .options import add_max_pixels, add_model, add_predictor, load


def add_commands(commands):
    """Add `serve` to the parser's commands."""
    command = commands.add_parser("serve", help="classify pictures over HTTP")
    add_model(command, "model", nargs="?")
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
    add_predictor(command)
    add_max_pixels(command, 50 * 10**6)
    command.set_defaults(command=serve)


def serve(args):
    """Answer over HTTP until stopped. Raises InputError for a network that does not classify."""
    predictor = load(args)
    from ..inference.classify import Classifier
    from ..inference.predictor import Task

    if predictor.task is not Task.CLASSIFY:
        name, does = predictor.manifest.model, predictor.task.value
        raise InputError(f"serve {Task.CLASSIFY.value}, {name} {does}: use predict")
    from ..serving.server import serve
    from ..serving.service import Settings

    settings = Settings(
        max_bytes=args.max_bytes,
        queue=args.queue,
        timeout=args.timeout,
        batch=args.batch,
        wait=args.wait_ms / 1000,
        workers=args.workers,
    )
    serve(Classifier.of(predictor), args.host, args.port, settings)
