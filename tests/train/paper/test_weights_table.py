import pytest

from gluon_glore.model_zoo.catalogue import releases, shipped
from gluon_glore.utils.errors import InputError
from gluon_glore.weights.manifest import MANIFEST, parse_manifest
from tests.helpers.places import ROOT
from train.paper.weights_table import fill, table


def test_the_readme_has_the_table_of_the_entries_in_the_package():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert fill(text) == text, "run python -m train.paper.weights_table"
    assert table() in text


def test_a_row_has_the_figure_of_the_entrys_card_and_its_size():
    _, _, *lines, last, end = table().split("\n")
    assert end == "" and len(lines) == len(shipped())
    for row, line in zip(shipped(), lines):
        measured = parse_manifest(row.packaged / MANIFEST).card.measured
        score = measured.get("miou", measured.get("top1"))
        size = sum(path.stat().st_size for path in row.packaged.iterdir())
        assert line.startswith(f"| `{row.name}` | ")
        assert f" {100 * score:.2f} %, {measured['samples']} " in line
        assert line.endswith(f"| {size / 1e6:.2f} MB |")
    assert last.startswith(f"| {len(releases())} of the authors'")


def test_only_what_stands_between_the_marks_is_written_and_a_page_without_them_is_refused():
    page = "a\n<!-- weights -->\nold\n<!-- /weights -->\nb\n"
    assert fill(page) == f"a\n<!-- weights -->\n{table()}<!-- /weights -->\nb\n"
    with pytest.raises(InputError, match="no <!-- weights --> and"):
        fill("a page\n")
