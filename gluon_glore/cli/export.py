"""`export` and `check`: a folder that runs without this package, and whether it runs right."""

from ..utils.arguments import finite, positive_int
from ..weights.deployment import PRECISIONS
from .options import LABELLED, add_class_names, add_pixels, add_signature, add_weights, described

LAYOUTS = ("triton", "triton-openvino", "mms")  # of `export.layouts`, which takes numpy


def add_commands(commands):
    """Add `export` and `check` to the parser's commands."""
    command = commands.add_parser("export", help="write a folder that runs anywhere")
    command.add_argument(
        "model", help="a training run's directory, a symbol file, or a network's name"
    )
    command.add_argument("--out", required=True, help="directory to write")
    command.add_argument("--onnx", action="store_true", help="an ONNX file too")
    command.add_argument(
        "--pytorch", action="store_true", help="a PyTorch program and its weights too"
    )
    command.add_argument("--precision", choices=PRECISIONS, default="fp32")
    command.add_argument(
        "--calibrate",
        metavar="LABELLED",
        help=f"what int8 and bf16 are fitted to: {LABELLED}",
    )
    command.add_argument(
        "--calibration-method",
        choices=("minmax", "entropy"),
        default="entropy",
        help="how int8 finds the ranges of activations (entropy)",
    )
    command.add_argument(
        "--tolerance",
        type=finite,
        default=0.1,
        help="error that lower precision may make, as a share of a picture's largest logit (0.1)",
    )
    command.add_argument(
        "--with-preprocess",
        nargs="?",
        choices=("NHWC", "NCHW"),
        const="NHWC",
        default=False,
        help="the graph takes uint8 pictures, channels last (NHWC) or first",
    )
    command.add_argument(
        "--layout",
        choices=LAYOUTS,
        default="",
        help="as other servers read it; of triton --out is the repository",
    )
    command.add_argument(
        "--softmax", action="store_true", help="the graph gives probabilities, not logits"
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
    add_pixels(command)
    add_signature(command)
    command.set_defaults(command=export)

    command = commands.add_parser("check", help="run an exported folder's golden pair everywhere")
    command.add_argument("folder")
    command.add_argument(
        "--data",
        metavar="LABELLED",
        help=f"measure every runtime's score: {LABELLED}",
    )
    command.set_defaults(command=check)


def export(args):
    """Write a network as a folder that runs without this package, and print what it costs."""
    told = described(args)
    from dataclasses import replace

    from ..export import export_model
    from ..model_zoo.load import load_network
    from ..weights.manifest import read_manifest

    net, manifest = load_network(
        args.model, args.weights, told.class_names, told.pixels, told.signature
    )
    if args.input_size:
        preprocess = manifest.preprocess.resized(tuple(args.input_size))
        manifest = replace(manifest, preprocess=preprocess)
    folder = export_model(
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
        pytorch=args.pytorch,
        softmax=args.softmax,
        layout=args.layout,
    )
    print_checks(folder, read_manifest(folder))


def print_checks(folder, manifest):
    """Print the error of each runtime that ran an exported folder, and what stayed in float32."""
    deployment = manifest.deployment
    print(f"{folder}: {manifest.model}, {deployment.precision}")
    for name, figures in deployment.checked.items():
        print(f"{name:12} differs by {figures['error']:.1e} of the largest logit")
        kind = next((kind for kind in ("pictures", "windows", "clips") if kind in figures), None)
        if kind:
            score, title = ("miou", "mean IoU") if "miou" in figures else ("accuracy", "accuracy")
            print(
                f"{'':12} on {figures[kind]} other {kind} by {figures[f'{kind}_error']:.1e} on "
                f"average, same class on {figures[f'{kind}_top1_agreement']:.1%}, {title} "
                f"{figures[score]:.1%} (float32 {figures[f'float32_{score}']:.1%})".replace(
                    "%", " %"
                )
            )
    for file, units in deployment.float32.items():
        print(f"{file}: in float32 {', '.join(units) or 'no unit'}")


def check(args):
    """Run an exported folder in every runtime there is and compare with its golden outputs."""
    from ..export.check import check

    check(args.folder, args.data)
