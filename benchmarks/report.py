"""docs/benchmarks.md: the claims, and the results of the benchmarks that `make bench` runs.

python -m benchmarks.report
"""

import json
from pathlib import Path

from .claims import CLAIMS
from .paired import RESULTS
from .scaling_page import PICTURE, draw, scaling_section

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
HEAD = """# Benchmarks

Written by `python -m benchmarks.report` from `benchmarks/results/`; `make bench` measures and
writes it anew, with what is installed (PyTorch is optional: `make bench BENCH_PYTHON=...` takes
another interpreter).
"""
NOTES = """## How it is measured

Every competitor lives in a process of its own with the same weights, and in a round each has one
turn. Figures are medians over the rounds, ratios are formed within a round first. In a turn one
pass goes before those that count. PyTorch runs the network of `gluon_glore.pytorch`.

Weights are random. BatchNorm's statistics are those of a batch, so that nothing overflows, and
lower precision is used in every unit, whatever it does to these outputs: trained weights bear it,
see [precision.md](precision.md).

- **Deployed**: numpy pixels in, numpy logits out. p50 and p99 are over all passes of all rounds;
  with few of them p99 is the slowest. Memory is the most that the process ever held (VmHWM),
  loading and compiling included. *Of peak* is the network's multiply-adds a second, two operations
  each, over those of the fastest float32 matrix product of the same rounds: bfloat16 and integers
  may exceed it. *Over PyTorch* is images a second over those of PyTorch's best layout in float32
  and in bfloat16 (what its compiler makes of it is a row of its own), *over OpenVINO* over those of
  OpenVINO in float32; above 1 is faster.
- **Training step**: forward, backward and SGD update on pixels that are there already; *over its
  fp32* is images a second over those of the same library in float32.
- **Segmentation step**: forward and backward of an FCN on crops that are there already, beside the
  same FCN without its GloRe unit; seconds of a step, *MiB* the most that the process held over all
  its turns, *MiB, one step* that of another that builds the network and takes one step; *ratio*:
  of the figure before it to that without the unit. Multiply-adds are those of one crop, forward.
- **3-D networks**: a pass forward (or forward and backward) on clips of 8x224x224 that are there
  already; *GloRe / it* is the seconds of the network with GloRe units in MXNet over those of the
  row, below 1 is faster.
- *NAME_post* is the network with its units in the post-norm arrangement.

`python -m benchmarks.deploy --network FOLDER` measures any exported folder in the runtimes that it
has files for, also of a network that is none of this project's (`export` makes one of a symbol and
its parameters); so do `benchmarks.optimized`, `benchmarks.profile_operators` and
`benchmarks.serve_load`.
"""


def load(pattern):
    """The results whose file name matches `pattern`, sorted by network and batch."""
    results = [json.loads(path.read_text()) for path in sorted(RESULTS.glob(pattern))]
    return sorted(results, key=lambda result: (result.get("network", ""), result["batch"]))


def table(columns, rows):
    """A Markdown table, the first column to the left and the others to the right."""
    lines = [columns, ["---", *["---:"] * (len(columns) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def number(value, digits):
    """A figure as text, a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}"


def deploy_table(result):
    """A result of `benchmarks.deploy` as a Markdown table."""
    fields = (
        ("ms p50", "latency_ms_p50", 1),
        ("ms p99", "latency_ms_p99", 1),
        ("images/s", "images_per_second", 1),
        ("MiB", "peak_mib", 0),
        ("of peak", "share_of_peak", 2),
        ("over PyTorch fp32", "over_pytorch_fp32", 2),
        ("over PyTorch bf16", "over_pytorch_bf16", 2),
        ("over OpenVINO fp32", "over_openvino_fp32", 2),
    )
    return _table(result["competitors"], fields)


def training_table(result):
    """A result of `benchmarks.training_step` as a Markdown table."""
    fields = (
        ("seconds", "seconds", 2),
        ("images/s", "images_per_second", 2),
        ("MiB", "peak_mib", 0),
        ("over PyTorch fp32", "over_pytorch_fp32", 2),
        ("over PyTorch bf16", "over_pytorch_bf16", 2),
        ("over its fp32", "over_own_fp32", 2),
    )
    return _table(result["competitors"], fields)


def segmentation_table(result):
    """The result of `benchmarks.segmentation_step` as a Markdown table."""
    fields = (
        ("parameters (M)", "parameters", 2),
        ("multiply-adds (G)", "macs", 2),
        ("seconds", "seconds", 2),
        ("ratio", "seconds_ratio", 3),
        ("MiB", "peak_mib", 0),
        ("ratio", "peak_ratio", 3),
        ("MiB, one step", "one_step_mib", 0),
        ("ratio", "one_step_ratio", 3),
    )
    scales = {"parameters": 1e6, "macs": 1e9}
    rows = {
        label: {**row, **{key: row[key] / scale for key, scale in scales.items()}}
        for label, row in result["competitors"].items()
    }
    return _table(rows, fields)


def video_table(result):
    """A result of `benchmarks.video_forward` as a Markdown table."""
    fields = (("seconds", "seconds", 3), ("GloRe / it", "ours_over_it", 3), ("MiB", "peak_mib", 0))
    return _table(result["competitors"], fields)


def _table(competitors, fields):
    """A Markdown table of a row a competitor; `fields` are (title, key of the figure, digits)."""
    rows = [
        [label, *(number(row.get(key), digits) for _, key, digits in fields)]
        for label, row in competitors.items()
    ]
    return table(["", *(column for column, _, _ in fields)], rows)


def section(result, make_table):
    """A result's heading, its command, its table by `make_table`, and what did not run."""
    network = f"{result['network']}, " if "network" in result else ""
    lines = [f"### {network}batch {result['batch']}", ""]
    passes = f" of {result['passes']} passes" if "passes" in result else ""
    command = f"`{result['command']}`, " if "command" in result else ""
    lines += [f"{command}{result['rounds']} rounds{passes}.", ""]
    lines += [make_table(result), ""]
    peak = result.get("peak", {})
    if peak.get("gflops"):
        each = ", ".join(f"{key} {value:.0f}" for key, value in peak["gflops"].items())
        lines += [f"Peak, float32 GFLOP/s: {each}.", ""]
    for precision, kept in result.get("float32_units", {}).items():
        for file, units in kept.items():
            lines += [f"Left in float32, {precision}, {file}: {', '.join(units) or 'no unit'}.", ""]
    lines += [f"Not run: {label} ({why})." for label, why in result.get("not_run", {}).items()]
    return "\n".join(lines).rstrip()


def machine_text(fields):
    """A machine in words, from a result's `machine`."""
    fields = dict(fields)
    place = f"{fields.pop('processor')}, {fields.pop('cores')} cores, "
    place += f"{fields.pop('threads')} threads"
    instructions, day = fields.pop("instructions", ""), fields.pop("day", "")
    place += f", {instructions}" * bool(instructions) + f", {day}" * bool(day)
    return f"{place}; " + ", ".join(f"{key} {value}" for key, value in fields.items())


def machines(results):
    """A line for each machine that results were measured on, with its versions."""
    rows = dict.fromkeys(machine_text(result["machine"]) for result in results)
    return "\n".join(f"Measured on: {row}." for row in rows)


def claims_section():
    """The claims with what was measured here and on other machines, and what those are."""
    others = sorted(place for place in RESULTS.iterdir() if place.is_dir())
    rows = []
    for claim in CLAIMS:
        figures = [claim.measured(folder) for folder in (RESULTS, *others)]
        if any(figure is not None for figure in figures):
            limit = f"{'at most' if claim.at_most else 'at least'} {claim.limit:g}"
            rows.append([claim.text, limit, *(_figure(claim, figure) for figure in figures)])
    if not rows:
        return ""
    names = ["this one", *(place.name for place in others)]
    lines = ["## Claims", "", "Ratios, in bold where they miss the limit; a dash: not measured."]
    for name, folder in zip(names, (RESULTS, *others)):
        lines += ["", f"- {name}: {_machine_of(folder)}"]
    return "\n".join([*lines, "", table(["", "limit", *names], rows)])


def _figure(claim, figure):
    """A figure as text, in bold where it misses the claim's limit."""
    text = number(figure, 3)
    return text if figure is None or claim.holds(figure) else f"**{text}**"


def _machine_of(folder):
    """The machine, in words, of the results for claims in a folder."""
    files = (folder / f"{claim.file}.json" for claim in CLAIMS)
    found = (json.loads(file.read_text())["machine"] for file in files if file.is_file())
    return machine_text(next(found, {"processor": "none", "cores": 0, "threads": 0}))


def unit_share_table(result):
    """The result of `benchmarks.unit_share` as a Markdown table."""
    fields = (
        ("seconds", "network", 3),
        ("without units", "backbone", 3),
        ("share of the time", "share_of_time", 3),
        ("over the share of the multiply-adds", "ratio", 2),
    )
    return _table({key: result[key] for key in ("forward", "forward + backward")}, fields)


def speed_table(result):
    """Images a second by competitor as a Markdown table: of input, of processes."""
    speed = result["images_per_second"]
    first = next(iter(speed.values()))
    rows = {label: {"speed": own, "ratio": own / first} for label, own in speed.items()}
    return _table(rows, (("images/s", "speed", 2), ("over the first", "ratio", 2)))


def page():
    """The text of docs/benchmarks.md."""
    parts = [HEAD.rstrip(), *filter(None, [claims_section()]), NOTES.rstrip()]
    groups = (
        ("Deployed", load("deploy_*.json"), deploy_table),
        ("Training step", load("training_step_*.json"), training_table),
        ("Segmentation step", load("segmentation_step.json"), segmentation_table),
        ("3-D networks, forward", load("video_forward_*.json"), video_table),
        ("3-D networks, forward and backward", load("video_backward_*.json"), video_table),
        ("The units' share", load("unit_share_*.json"), unit_share_table),
        ("Processes", load("processes_*.json"), speed_table),
        ("Training input", load("loader.json"), speed_table),
    )
    for title, results, make_table in groups:
        if results:
            sections = (section(result, make_table) for result in results)
            parts += [f"## {title}", machines(results), *sections]
    parts += [scaling_section(result, table, machines([result])) for result in growth()]
    return "\n\n".join(parts) + "\n"


def growth():
    """The result of `benchmarks.scaling` in a list, which is empty where it was not measured."""
    return [json.loads(path.read_text()) for path in RESULTS.glob("scaling.json")]


def main():
    PAGE.write_text(page())
    print(PAGE.name)
    for result in growth():
        draw(result, PAGE.parent / PICTURE)
        print(PICTURE)


if __name__ == "__main__":
    main()
