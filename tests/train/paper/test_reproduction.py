import dataclasses
import json
import re

import pytest
import yaml

from gluon_glore import get_spec, list_models
from tests.helpers.places import ROOT
from tests.helpers.tables import OFF, TABLE_2, TABLE_5
from train.config.load import load_config
from train.paper import reproduction
from train.paper import tables as paper
from train.reporting.size import network_size

PAGE = (ROOT / "docs" / "reproduction.md").read_text()
CATALOGUE = yaml.safe_load((ROOT / "gluon_glore/model_zoo/catalogue.yaml").read_text())
SECTIONS = {part.split(":")[0]: part for part in PAGE.split("\n## ")}
TABLES = paper.tables()
EVERY = {**TABLES, **paper.sections()}


def columns(table):
    """The titles of a table's columns behind the network's."""
    (head, *_) = (line for line in SECTIONS[table].splitlines() if line.startswith("| network"))
    return [title.strip() for title in head.strip("|").split("|")][1:]


def cells(table):
    """The rows of a table on the page, by network."""
    lines = [line for line in SECTIONS[table].splitlines() if line.startswith("| `")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {name.strip("`"): others for name, *others in rows}


def test_the_page_is_what_the_command_writes():
    assert reproduction.page() == PAGE, "run: python -m train.paper.reproduction"


@pytest.mark.parametrize("name", list_models())
def test_every_network_of_the_paper_is_where_its_source_says(name):
    source = get_spec(name).source
    for place in re.findall(r"paper,\s+((?:Table|Figure)\s\d|section\s4\.2)", source):
        if not place.startswith("Figure"):
            assert name in cells(place.capitalize())
        else:
            assert re.search(rf"\| {place} .*`{name}`", PAGE)


def test_every_table_and_figure_of_the_paper_is_there_once():
    assert list(TABLES) == [f"Table {n}" for n in range(1, 6)]
    assert re.findall(r"^\| (Figure \d) ", PAGE, re.M) == [f"Figure {n}" for n in range(1, 8)]


@pytest.mark.parametrize("folder", ["imagenet", "cityscapes", "kinetics"])
def test_every_config_is_on_the_page(folder):
    for path in (ROOT / "configs" / folder).glob("*.yaml"):
        assert f"`configs/{folder}/{path.name}`" in PAGE


@pytest.mark.parametrize("table", EVERY.values(), ids=EVERY)
def test_the_arguments_of_a_row_load_and_are_of_its_network(table):
    for row in table.rows:
        written = cells(table.name)[row.network][-1].strip("`")
        config, *overrides = written.split(" --set ")
        config = load_config(ROOT / config, overrides, cls=reproduction.CONFIGS[table.folder])
        assert config.model.name == row.network


def test_printed_numbers_are_those_that_the_counts_are_tested_against():
    printed = {row.network: (row.parameters, row.gflops) for row in TABLES["Table 2"].rows}
    assert printed == TABLE_2
    gflops = {row.network: row.gflops for row in TABLES["Table 5"].rows if row.gflops}
    assert gflops == TABLE_5


def test_counts_that_are_known_to_be_off_are_bold_and_no_others():
    bold = {}
    for table in ("Table 2", "Table 5"):
        for name, row in cells(table).items():
            for quantity, cell in (("parameters", row[1]), ("gflops", row[3])):
                if cell.startswith("**"):
                    bold[name, quantity] = float(cell.strip("*"))
    assert bold == {key: counted for key, (counted, _) in OFF.items()}


@pytest.mark.parametrize("table", EVERY.values(), ids=EVERY)
def test_every_number_of_the_paper_is_beside_ours(table):
    fields = yaml.safe_load((ROOT / "docs" / "paper.yaml").read_text())
    fields = {**fields["tables"], **fields["sections"]}[table.name]
    titles = columns(table.name)
    assert titles[:4] == [
        "parameters (M), printed",
        "counted",
        "multiply-adds (G), printed",
        "counted",
    ]
    places = [titles.index(f"{score} (%), printed") for score in fields["scores"]]
    assert list(cells(table.name)) == list(fields["rows"])
    for network, row in cells(table.name).items():
        printed = fields["rows"][network]
        for at, key in ((0, "parameters"), (2, "gflops")):
            assert row[at] == str(printed.get(key, "–"))
        counted = [float(row[at].strip("*")) for at in (1, 3)]
        sizes = network_size(network)
        assert counted == [round(sizes[0] / 1e6, 2), round(sizes[1] / 1e9, 2)]
        for at, score in zip(places, printed.get("scores", ["–"] * len(places))):
            number, *rest = row[at].split(" (")
            assert number == score or float(number) == score
            gain = f"+{printed['gain']}" if "gain" in printed else None
            assert rest == [
                f"{word})" for word in (gain, printed.get("derived") and "derived") if word
            ]
    for name, scores in fields.get("others", {}).items():
        text = " | ".join("–" if score is None else str(score) for score in scores)
        assert f"\n| {name} | {text} |\n" in f"{SECTIONS[table.name]}\n"


def test_two_decimals_are_two_decimals():
    assert cells("Table 1")["resnet50_glore_0_1"][4] == "77.60"


def test_claims_are_those_of_the_catalogue():
    figures = {
        name: file.get("figure")
        for release in CATALOGUE["releases"]
        for name, file in release["files"].items()
    }
    logs = {"resnet50": "; its log 67.98", "resnet101": "; its log 69.16"}
    for table in ("Table 2", "Table 4", "Table 5"):
        (at,) = (i for i, title in enumerate(columns(table)) if title.endswith(", README"))
        for name, row in cells(table).items():
            log = logs[name.split("_")[0]] if "3d_glore" in name else ""
            assert row[at] == f"{figures.get(name) or '–'}{log}"
    # The release's mean IoU is of the test set, Table 3 of the validation set.
    for table in ("Table 1", "Table 3", "Section 4.2"):
        assert not any("README" in title for title in columns(table))


def test_what_is_not_printed_is_listed_in_one_place():
    fields = yaml.safe_load((ROOT / "docs" / "paper.yaml").read_text())
    (part,) = (part for part in PAGE.split("\n## ") if part.startswith("Not printed in our copy\n"))
    assert [line[2:] for line in part.splitlines() if line[:2] == "- "] == fields["not_printed"]
    for number in range(3, 7):
        assert f"| Figure {number} | not printed in our copy | – |" in PAGE


def test_independent_results_are_theirs():
    for row in yaml.safe_load((ROOT / "docs" / "paper.yaml").read_text())["independent"]:
        assert f"| {row['who']} | {row['what']} | {row['figures']} |" in PAGE


def test_days_by_hand():
    seconds = 100 * 1_281_167 / 384  # ResNet-50 at the pictures a second that were measured of it
    table = TABLES["Table 2"]
    assert reproduction.days(table.rows[0], table) == pytest.approx(seconds / 86400)
    # The same source's 84.5 hours for 90 epochs.
    assert reproduction.days(table.rows[0], table) == pytest.approx(84.5 / 24 / 0.9, rel=0.02)
    # Kinetics' epochs are of 240,000 clips, with 30.67 G multiply-adds each.
    clips = 100 * 240_000 * 30.671 / 4.089
    table = TABLES["Table 5"]
    row = next(row for row in table.rows if row.network == "resnet50_3d_glore_2_3_kinetics400")
    assert reproduction.days(row, table) == pytest.approx(clips / 384 / 86400, rel=1e-3)
    at = columns("Table 5").index("ours")
    assert cells("Table 5")[row.network][at] == f"not run: {clips / 384 / 86400:.1f} GPU-days"


def test_days_of_a_run_of_iterations_are_those_of_its_steps(tmp_path):
    table = TABLES["Table 2"]
    (tmp_path / "a.yaml").write_text("optim: {iterations: 3000, batch_size: 64, schedule: poly}")
    row = dataclasses.replace(table.rows[0], config=tmp_path / "a.yaml")
    assert reproduction.days(row, table) == pytest.approx(3000 * 64 / 384 / 86400)


def test_the_figures_of_cifar10_are_those_of_its_configs():
    for row in json.loads((ROOT / "docs" / "cifar10.json").read_text())["rows"]:
        assert (row["parameters"], row["macs"]) == network_size(row["model"])
        file = "plain" if row["name"] == "plain" else "glore"
        header = (ROOT / "configs" / "cifar10" / f"{file}.yaml").read_text()
        assert f": {row['model']}. Ours." in header
        assert f"Ours: {row['mean']:.2f} %" in header
