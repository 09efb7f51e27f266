"""Every measured figure in the README and the pages is that of the file it was measured into."""

import importlib.util
import json
import re
import subprocess
import sys

import numpy as np
import pytest

from gluon_glore import list_models
from gluon_glore.cli.tables import networks_table
from tests.helpers.places import ROOT

README = (ROOT / "README.md").read_text()
NETWORKS, IMAGENET, SEGMENTATION, KINETICS, WEIGHTS = (
    (ROOT / f"docs/{page}.md").read_text()
    for page in ("networks", "imagenet", "segmentation", "kinetics", "weights")
)
KEYS = ("miou", "category_miou")  # of docs/camvid.json


def test_the_table_of_networks_is_what_the_code_counts():
    # The blank line behind it: no row of a network that is gone.
    assert f"\n{networks_table(list_models())}\n\n" in NETWORKS, (
        "docs/networks.md's table differs from `python -m gluon_glore list --markdown`"
    )


def test_the_networks_in_the_readme_are_rows_of_that_table():
    head, _, *rows = re.search(r"^\| network \| input .*?\n\n", README, re.M | re.S)[0].split("\n")
    rows = [row for row in rows if row]
    assert 6 <= len(rows) <= 8
    assert all(f"\n{row}\n" in NETWORKS for row in (head, *rows))


def test_the_speed_figures_are_those_measured():
    results = ROOT / "benchmarks/results"
    order = json.loads((results / "projection_order.json").read_text())["first / last"]
    assert (
        f"{order['3-D Res3']['forward']:.2f} (Res3) and {order['3-D Res4']['forward']:.2f} (Res4)"
    ) in " ".join(NETWORKS.split())
    read = {
        name: json.loads((results / f"{name}.json").read_text())
        for name in ("openblas", "memory_dpn131_glore_2_3")
    }
    text = " ".join(IMAGENET.split())
    assert f"matrix products ran {read['openblas']['faster']:.2f} times faster" in text
    kept, again = (
        read["memory_dpn131_glore_2_3"][name]["peak"] / 1024 for name in ("all kept", "recompute 1")
    )
    assert f"took {again:.1f} GiB instead of {kept:.1f}" in text


def test_the_figures_of_segmentation_are_those_measured():
    text, docs = " ".join(README.split()), SEGMENTATION
    rows = json.loads((ROOT / "docs/camvid.json").read_text())["networks"]
    plain, unit = rows.values()
    assert list(rows) == ["fcn_small_cityscapes", "fcn_small_glore_1_cityscapes"]

    def percent(share):
        return f"{100 * share:.2f} %"

    miou, categories = ([percent(row[key]) for row in (plain, unit)] for key in KEYS)
    assert f"mean IoU {miou[0]} plain and {miou[1]} with one unit, {categories[0]} and" in text
    assert f"and {categories[1]} by categories" in text
    for row in (plain, unit):
        shares = (row[key] for key in (*KEYS, "accuracy", "miou_scales_flip", "best_miou"))
        assert f"| {' | '.join(map(percent, shares))} | {row['seconds'] / 60:.1f} min |" in docs
        assert row["seconds"] < 25 * 60
        assert row["miou"] == pytest.approx(np.mean(list(row["classes"].values())))
    for name, iou in plain["classes"].items():
        assert f"| {name} | {100 * iou:.1f} | {100 * unit['classes'][name]:.1f} |" in docs

    for line in docs.splitlines():
        if line.startswith("| Table "):
            _, name, *counts, _ = (cell.strip() for cell in line.strip("|").split("|"))
            assert f"| {name} | 768x768 | 19 | {' | '.join(counts)} |" in NETWORKS


def test_the_figures_of_videos_are_those_measured():
    text = " ".join(KINETICS.split())
    results = ROOT / "benchmarks/results"
    loader = json.loads((results / "video_loader.json").read_text())
    speed = {name: f"{value:.1f}" for name, value in loader["clips_per_second"].items()}
    assert (
        f"{speed['ours']} clips/s with all augmentation; reading alone {speed['reading']}, "
        f"OpenCV {speed['opencv']}, decord {speed['decord']}"
    ) in text


def test_loading_takes_as_long_as_measured():
    result = json.loads((ROOT / "benchmarks/results/load_weights.json").read_text())
    seconds = result["seconds"]
    text = " ".join(WEIGHTS.split())
    assert (
        f"takes {seconds['entry']:.2f} s ({seconds['file']:.2f} s without a checksum; Gluon's own "
        f"`load_parameters` {seconds['gluon']:.2f} s)"
    ) in text
    assert seconds["entry"] < result["limit"]


def test_commands_and_files_that_are_named_exist():
    kinds = r"(?:configs|tools|docs|train|symbols)/[\w/.]+\.(?:yaml|sh|png|py)"
    paths = set(re.findall(kinds, README))
    assert len(paths) > 4
    assert all((ROOT / path).is_file() for path in paths)
    assert importlib.util.find_spec("mxnet.tools.im2rec")
    targets = re.findall(r"`?make ([\w-]+)", README)
    makefile = (ROOT / "Makefile").read_text()
    assert {"train", "test", "study"} <= set(targets)
    assert all(re.search(rf"^{target}:", makefile, re.M) for target in targets)
    for module, commands in (
        (
            "gluon_glore",
            ("list", "info", "export", "predict", "import", "publish", "verify"),
        ),
        ("train.imagenet", ("--resume", "config.yaml", "metrics.jsonl", "summary.json")),
        ("train.report", ("RUN", "--out")),
    ):
        help_text = subprocess.run(
            [sys.executable, "-m", module, "--help"], cwd=ROOT, capture_output=True, text=True
        ).stdout
        assert all(command in help_text for command in commands)
        used = re.findall(rf"python -m {module} (.*)", README)
        assert used
