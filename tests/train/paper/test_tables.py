"""docs/paper.yaml beside the paper's numbers, typed a second time."""

import re

import pytest

from gluon_glore import Network, get_spec
from gluon_glore.networks.complexity import count_network
from gluon_glore.plan.complexity import totals
from tests.helpers.places import ROOT
from tests.helpers.tables import TABLE_2, TABLE_5
from train.paper.tables import PAPER, claims, sections, tables
from train.reporting.size import network_size

TABLES = tables()

# Top-1 of Table 1, in per cent, by graph convolutions; 0 is the plain ResNet-50.
GRAPH_CONVOLUTIONS = {0: 76.15, 1: 77.60, 2: 77.62, 3: 77.66}
# Table 2 as its lines read: units in Res3, in Res4, GFLOPs, parameters, top-1.
IMAGENET = """
resnet50          0 0   4.0  25.6  76.2
resnet50          0 3   5.2  30.5  78.4
resnet50          2 3   6.0  31.4  78.2
se_resnet50       0 0   4.0  28.1  77.2
se_resnet50       0 3   5.2  33.0  78.7
resnet200         0 0  15.0  64.6  78.3
resnet200         0 3  16.2  69.7  79.4
resnet200         2 3  16.9  70.6  79.7
resnext101_32x4d  0 0   8.0  44.3  78.8
resnext101_32x4d  2 3   9.9  50.3  79.8
dpn98             0 0  11.7  61.7  79.8
dpn98             2 3  13.6  67.7  80.2
dpn131            0 0  16.0  79.5  80.1
dpn131            2 3  17.9  85.5  80.3
"""
# Table 3, ResNet-50: mean IoU of val and the gain over a plain FCN, which is not printed itself.
CITYSCAPES = {"multigrid": (76.45, 0.66), "glore_1": (78.25, 2.46), "glore_2": (77.84, 2.05)}
# Table 4: IoU and iIoU of classes, IoU and iIoU of categories.
SERVER = """
DeepLab-v2 70.4 42.6 86.4 67.7
PSPNet     78.4 56.7 90.6 78.6
PSANet     80.1 - - -
DenseASPP  80.6 - - -
fcn_resnet50_glore_1_cityscapes  79.5 60.3 91.3 81.5
fcn_resnet101_glore_1_cityscapes 80.9 62.2 91.5 82.1
"""
# Table 5: GFLOPs, top-1 of clips, of videos.
KINETICS = """
resnet50  nl    30.5 67.12 74.57
resnet50  glore 28.9 68.02 75.12
resnet101 nl    56.1 68.48 75.69
resnet101 glore 54.5 68.78 76.09
"""


def lines(text):
    return [line.split() for line in text.split("\n") if line]


def scores(table):
    """The printed scores of a table's networks, without rows of our own."""
    rows = {row.network: row.scores for row in TABLES[table].rows}
    return {name: values for name, values in rows.items() if any(values)}


def test_table_1():
    names = {0: "resnet50", 1: "resnet50_glore_0_1"}
    expected = {
        names.get(g, f"resnet50_glore_0_1_g{g}"): (top1,) for g, top1 in GRAPH_CONVOLUTIONS.items()
    }
    assert scores("Table 1") == expected


def test_table_2():
    expected = {}
    for plain, res3, res4, gflops, parameters, top1 in lines(IMAGENET):
        units = "" if res4 == "0" else f"_glore_{res3}_{res4}"
        expected[plain + units] = (float(parameters), float(gflops), (float(top1),))
    found = {
        row.network: (row.parameters, row.gflops, row.scores) for row in TABLES["Table 2"].rows
    }
    assert found == expected
    assert {name: row[:2] for name, row in expected.items()} == TABLE_2


def test_table_3_and_that_its_first_number_follows_from_the_gains():
    rows = {row.network: row for row in TABLES["Table 3"].rows}
    plain = rows.pop("fcn_resnet50_cityscapes")
    assert plain.derived and plain.gain is None and plain.scores == (75.79,)
    for kind, (score, gain) in CITYSCAPES.items():
        row = rows.pop(f"fcn_resnet50_{kind}_cityscapes")
        assert (row.scores, row.gain, row.derived) == ((score,), gain, False)
        assert score - gain == pytest.approx(75.79)
    assert not rows


def test_table_4_with_the_networks_of_others():
    expected = {
        name: tuple(None if value == "-" else float(value) for value in values)
        for name, *values in lines(SERVER)
    }
    assert {**TABLES["Table 4"].others, **scores("Table 4")} == expected


def test_table_5():
    expected = {}
    for plain, kind, gflops, clip, video in lines(KINETICS):
        name = f"{plain}_3d_{kind}_2_3_kinetics400"
        expected[name] = (float(gflops), (float(clip), float(video)))
    rows = {row.network: (row.gflops, row.scores) for row in TABLES["Table 5"].rows}
    assert {name: rows[name] for name in expected} == expected
    assert {name: row[0] for name, row in expected.items()} == TABLE_5
    plain = {"resnet50_3d_kinetics400", "resnet101_3d_kinetics400"}
    assert {name for name in rows if name not in expected} == plain
    assert all(rows[name] == (None, (None, None)) for name in plain)


@pytest.mark.parametrize(
    ("plain", "gflops"), [("resnet50_3d_kinetics400", 22.4), ("resnet101_3d_kinetics400", 48.0)]
)
def test_table_5_fits_the_backbones_that_the_page_names(plain, gflops):
    """With the five units in the order of the paper's equations, which projects back first."""
    rows = {row.network: row.gflops for row in TABLES["Table 5"].rows}
    for short, kind, options in (
        ("glore", "glore", {"arrangement": "post", "extend_first": False}),
        ("nl", "nonlocal", {"subsample": 2}),
    ):
        name = plain.replace("_3d_", f"_3d_{short}_2_3_")
        places = {f"res{stage}": [] for stage in (3, 4)}
        for extra in get_spec(name).extras:
            places[f"res{extra.stage}"].append(extra.after)
        spec = get_spec(plain).with_units(kind, **places, **options)
        macs = totals(count_network(Network(spec)))[1] - network_size(plain)[1]
        assert rows[name] - macs / 1e9 == pytest.approx(gflops, abs=0.05)
    assert f"{gflops} G" in TABLES["Table 5"].note


def test_the_release_is_quoted_beside_the_paper_where_it_differs():
    table = {row.network: row for row in TABLES["Table 5"].rows}
    glore = table["resnet101_3d_glore_2_3_kinetics400"]
    assert (glore.scores[0], glore.claimed, glore.log) == (68.78, 69.2, 69.16)
    glore = table["resnet50_3d_glore_2_3_kinetics400"]
    assert (glore.scores[0], glore.claimed, glore.log) == (68.02, 68.0, 67.98)
    for name in ("Table 2", "Table 4"):
        column = TABLES[name].scores.index(TABLES[name].claimed)
        for row in TABLES[name].rows:
            assert row.claimed in (None, row.scores[column])
            assert row.claimed == claims().get(row.network)
    assert not any(row.claimed for name in ("Table 1", "Table 3") for row in TABLES[name].rows)


def test_section_4_2_has_a_row_for_each_placement_that_is_in_no_table():
    numbers = ("1_0", "0_1", "1_3", "0_3", "0_5", "2_3")
    named = {
        f"{plain}_{kind}_{where}"
        for plain in ("resnet50", "se_resnet50")
        for kind in ("glore", "nl")
        for where in numbers
    }
    in_tables = {row.network for table in TABLES.values() for row in table.rows}
    (section,) = sections().values()
    assert {row.network for row in section.rows} == named - in_tables
    assert all(row.scores == (None,) and row.gflops is None for row in section.rows)
    assert {row.plain for row in section.rows} == {"resnet50", "se_resnet50"}
    assert {row.plain for row in TABLES["Table 1"].rows} == {"resnet50"}


def test_the_authors_baselines_are_their_own_runs_and_others_figures_are_apart():
    assert "makers" not in PAPER
    assert [row["who"].strip("[").split("]")[0] for row in PAPER["independent"]] == [
        "d-li14/dot-product-attention",
        "MindSpore's port",
        "PaddleSeg's port",
    ]
    figures = " ".join(row["figures"] for row in PAPER["independent"])
    for figure in "77.81 76.74 76.55 77.24 78.44 78.50 79.66 80.23 80.60 78.26 78.61 79.12".split():
        assert figure in figures


def line_of(page, network):
    (line,) = (x for x in (ROOT / page).read_text().splitlines() if f"| `{network}` |" in x)
    return line


def test_pages_quote_what_is_printed():
    for row in TABLES["Table 5"].rows:
        printed = ", ".join(f"{score:.2f}" for score in row.scores if score) or "–"
        line = line_of("docs/kinetics.md", row.network)
        assert f"| {row.gflops or '–'} |" in line and f"| {printed} |" in line
        assert f"| {row.claimed} % |" in line if row.claimed else "%" not in line
    for name, where in (("Table 3", "val"), ("Table 4", "test")):
        for row in TABLES[name].rows:
            line = line_of("docs/segmentation.md", row.network)
            quoted = re.search(rf"([\d.]+) on {where}(, derived)?", line)
            assert bool(quoted) == (row.scores[0] is not None)
            if quoted:
                assert float(quoted[1]) == row.scores[0] and bool(quoted[2]) == row.derived


def test_headers_of_configs_quote_what_is_printed_and_claimed():
    for table in TABLES.values():
        for row in table.rows:
            if not row.config.endswith(f"/{row.network}.yaml"):
                continue
            text = (ROOT / row.config).read_text().split("\nmodel:")[0].replace("\n# ", " ")
            shown = row.scores[:1] if table.name == "Table 4" else row.scores
            assert all(re.search(rf"\b{score:g}0? (%|in Table)", text) for score in shown if score)
            assert f"{table.name}" in text or row.scores[0] is None
            if table.name == "Table 5" and row.claimed:
                assert f"{row.claimed} % by the release's README, {row.log:g} % by its log" in text


def test_nothing_is_from_memory_and_others_figures_are_not_the_papers():
    files = [*ROOT.glob("configs/**/*.yaml"), *ROOT.glob("docs/*.md"), ROOT / "docs" / "paper.yaml"]
    for path in (*files, ROOT / "README.md"):
        text = " ".join(path.read_text().replace("\n#", "\n").split())
        assert not re.search(r"remembered|not to be had|is said to|makers", text), path


@pytest.mark.parametrize(
    "page", ["README.md", *(f"docs/{name}.md" for name in ("weights", "networks", "imagenet"))]
)
def test_pages_say_which_weights_are_usable_offline(page):
    text = " ".join((ROOT / page).read_text().replace("*", "").split())
    assert re.search(r"[Oo]ffline", text) and "never reached" in text
    (near,) = re.findall(r"[^.]*?[Oo]ffline[^.]*", text)
    assert "in the package" in near  # of which tests/model_zoo/test_entries.py sees that they work
