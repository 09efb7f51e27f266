"""`serve`: networks over HTTP."""

import argparse
import os
import re

from ..utils.arguments import amount, milliseconds, port, positive_int
from ..utils.errors import InputError
from .options import (
    DEFAULT,
    MODEL,
    add_max_pixels,
    add_predictor,
    choose_default,
    described,
    load,
)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_DECODED = 50 * 10**6  # pixels of a picture to classify


def add_commands(commands):
    """Add `serve` to the parser's commands."""
    command = commands.add_parser("serve", help="networks of pictures and videos over HTTP")
    command.add_argument(
        "models",
        nargs="*",
        metavar="MODEL",
        help=f"{MODEL} ({DEFAULT}); of several, NAME=MODEL says "
        "how it is called, if not as it calls itself",
    )
    command.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    command.add_argument("--port", type=port, default=8080, help="0: any that is free (8080)")
    command.add_argument(
        "--batch",
        type=positive_int,
        help="inputs at once: pictures to classify (8), to segment (1), views of videos (4)",
    )
    command.add_argument(
        "--wait-ms", type=milliseconds, default=5, help="for a batch to fill, at most (5)"
    )
    command.add_argument(
        "--queue",
        type=positive_int,
        default=64,
        help="requests in hand for a model, more get a 503 (64)",
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
    command.add_argument(
        "--max-frames",
        type=amount,
        default=20_000,
        help="of a video; longer ones are refused (20K)",
    )
    add_predictor(command)
    add_max_pixels(command, None, "50M, to segment 100M / classes, of a video's frame 9M")
    command.set_defaults(command=serve)


def serve(args):
    """Answer over HTTP until stopped.

    Raises InputError for names that can't be told apart, and options that several models can't
    share.
    """
    predictors = _load_all(args)
    from ..serving.limits import Settings
    from ..serving.server import serve

    settings = Settings(
        max_bytes=args.max_bytes,
        queue=args.queue,
        timeout=args.timeout,
        batch=args.batch,
        wait=args.wait_ms / 1000,
        workers=args.workers,
        pixels=args.max_pixels,
        frames=args.max_frames,
    )
    serve(predictors, args.host, args.port, settings)


def _load_all(args):
    """{name: Predictor} of all models that are given."""
    named = [_name_and_model(text) for text in args.models] or [(None, None)]
    if len(named) > 1 and (args.weights or any(value is not None for value in described(args))):
        raise InputError(
            f"weights, pixels, class names and the like are of one model, given {len(named)}: "
            "export them first"
        )
    given = [name for name, _ in named if name]
    for name in given:
        if given.count(name) > 1:
            raise InputError(f"two models are called {name}: give each a name of its own")
    limits = {**vars(args), "max_pixels": args.max_pixels or _DECODED}
    predictors = {}
    for name, model in named:
        one = argparse.Namespace(**{**limits, "model": model})
        choose_default(one)
        predictor = load(one)
        name = name or predictor.manifest.model
        if len(named) > 1 and not _NAME.fullmatch(name):
            raise InputError(
                f"{model} calls itself {name!r}, which can't stand in an address: give NAME={model}"
            )
        if name in predictors:
            raise InputError(f"two models are called {name}: give NAME={model}")
        predictors[name] = predictor
    return predictors


def _name_and_model(text):
    """(name or None, model) of an argument, MODEL or NAME=MODEL."""
    name, sign, model = text.partition("=")
    if not sign or os.path.exists(text) or not _NAME.fullmatch(name):
        return None, text
    return name, os.path.expanduser(model)
