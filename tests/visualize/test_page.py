import base64
import re
import shutil

import numpy as np
import pytest

from gluon_glore.data.sources import Place
from gluon_glore.visualize.page import is_page_of, make_page, quantized
from gluon_glore.visualize.show import PictureView
from gluon_glore.visualize.signed_colors import COLORS
from gluon_glore.visualize.unit_view import UnitView

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)


def unit(name, nodes, layers, reverse, seeds):
    """A unit whose strengths fall with the number of the node, in a picture for each seed."""
    drawn = [np.random.RandomState(seed) for seed in seeds]
    maps, back = np.stack([r.normal(size=(2, nodes, 8, 8)).astype("float32") for r in drawn], 1)
    maps[:, 0], maps[:, 1] = 1, -1  # one color all over
    states = np.ones((len(seeds), nodes, 4), np.float32) * (0.1 ** np.arange(nodes))[:, None]
    graph = drawn[0].uniform(-1, 1, (layers, nodes, nodes)).astype("float32")
    return UnitView(name, maps, states, states, graph, back if reverse else None)


def page_of(names=("a.png", "b.png"), top=(("cat", 0.75), ("dog", 0.25)), colors="blue-orange"):
    """A page of pictures, black and grey, and units: one of 6 nodes, one of 5 and two layers."""
    pictures = [
        PictureView(
            Place(name, name), np.full((64, 64, 3), 90 * i, np.uint8), list(top), "probability"
        )
        for i, name in enumerate(names)
    ]
    seeds = range(len(names))
    views = [
        unit("conv3_B01_extra", 6, 1, False, seeds),
        unit("conv4_B01_extra", 5, 2, True, [9 + seed for seed in seeds]),
    ]
    shown = [[[0, 1, 2], [0, 1, 2]] for _ in names]
    return make_page("net", "12ab", pictures, views, shown, COLORS[colors])


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api")
    if BROWSER is None:
        pytest.skip("no Chromium on this machine")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser, tmp_path):
    """`visit(html, fragment)` opens a page; until the end it asks for nothing and has no error."""
    asked, errors, opened = [], [], []

    def visit(html=None, fragment="", width=1440, scheme="dark"):
        file = tmp_path / "index.html"
        file.write_text(html or page_of(), encoding="utf-8")
        page = browser.new_page(viewport={"width": width, "height": 1000}, color_scheme=scheme)
        opened.append(page)
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text))
        page.goto(f"{file.as_uri()}{fragment}")
        page.wait_for_selector("html[data-ready]")
        return page

    yield visit
    for page in opened:
        page.close()
    assert errors == []
    assert all(url.startswith(("file:", "data:")) for url in asked), asked


def pixel(page, canvas="map", x=0.5, y=0.5):
    """The color of a canvas at a share of its width and height."""
    script = """([id, x, y]) => { const c = document.getElementById(id);
        return [...c.getContext("2d").getImageData(x * c.width, y * c.height, 1, 1).data] }"""
    return page.evaluate(script, [canvas, x, y])[:3]


def shown(page):
    return page.inner_text("#node"), page.inner_text("#picture")


def test_the_page_opens_with_the_first_node_of_the_first_picture_and_its_classes(visit):
    page = visit()
    assert shown(page) == ("node 0", "a.png")
    red, _, blue = pixel(page)
    assert red > 200 > 100 > blue
    assert page.inner_text("#classes").split("\n") == ["cat", "75.0 %", "dog", "25.0 %"]
    assert page.inner_text("h1") == page.title() == "net"
    assert page.locator("#nodes button").count() == 3
    assert "99.0 % of the energy" in page.inner_text("#about")


def test_another_node_by_its_thumbnail_changes_the_picture(visit):
    page = visit()
    before = page.locator("#map").screenshot()
    page.click('#nodes [data-node="1"]')
    red, _, blue = pixel(page)
    assert blue > 180 > 100 > red
    assert shown(page)[0] == "node 1" and page.locator("#map").screenshot() != before
    assert page.get_attribute('#nodes [data-node="1"]', "aria-pressed") == "true"


def test_another_picture_and_another_unit_change_it_too(visit):
    page = visit()
    seen = [page.screenshot()]
    for button in ('[data-picture="1"]', '[data-unit="conv4_B01_extra"]'):
        page.click(button)
        seen.append(page.screenshot())
    assert len(set(seen)) == 3
    assert shown(page)[1] == "b.png" and page.inner_text("#all") == "all 5"


def test_keys_choose_node_picture_and_unit_and_bare_the_picture(visit):
    page = visit()
    for key, expected in (
        ("ArrowRight", ("node 1", "a.png")),
        ("ArrowLeft", ("node 0", "a.png")),
        ("ArrowLeft", ("node 2", "a.png")),
        ("ArrowDown", ("node 2", "b.png")),
        ("ArrowUp", ("node 2", "a.png")),
    ):
        page.keyboard.press(key)
        assert shown(page) == expected
    page.keyboard.press("Space")
    assert pixel(page) == [0, 0, 0]
    page.keyboard.press("ArrowDown")
    assert pixel(page) == [90, 90, 90]
    page.keyboard.press("u")
    assert page.get_attribute('[data-unit="conv4_B01_extra"]', "aria-pressed") == "true"


def test_the_focus_stays_on_the_button_that_a_key_pressed(visit):
    page = visit()
    page.focus('#nodes [data-node="2"]')
    page.keyboard.press("Enter")
    assert shown(page)[0] == "node 2"
    assert page.evaluate("document.activeElement.dataset.node") == "2"


def test_a_cell_of_the_matrix_picks_the_node_of_its_row_with_shift_of_its_column(visit):
    page = visit()
    box = page.locator("#matrix").bounding_box()
    cell = box["width"] / 6
    place = {"x": 1.5 * cell, "y": 4.5 * cell}  # row 4, column 1
    weight = unit("", 6, 1, False, [0]).adjacency[0][4, 1]
    page.hover("#matrix", position=place)
    said = page.inner_text("#edge").replace("−", "-")
    assert said.startswith("1 → 4") and float(said.split()[-1]) == pytest.approx(weight, abs=6e-4)
    page.click("#matrix", position=place)
    assert shown(page)[0] == "node 4"
    page.click("#matrix", position=place, modifiers=["Shift"])
    assert shown(page)[0] == "node 1"


def test_the_strongest_edges_of_the_chosen_node_are_listed_and_lead_to_the_other(visit):
    page = visit()
    weights = unit("", 6, 1, False, [0]).adjacency[0]
    for box, row in (("#receives", weights[0]), ("#gives", weights[:, 0])):
        listed = page.locator(f"{box} button").all_inner_texts()
        nodes = [int(text.split()[0]) for text in listed]
        assert nodes == sorted(range(1, 6), key=lambda node: -abs(row[node]))
    page.click("#gives button >> nth=0")
    assert shown(page)[0] == f"node {nodes[0]}"


def test_a_node_of_the_graph_can_be_picked(visit):
    page = visit()
    box = page.locator("#graph").bounding_box()
    assert shown(page)[0] == "node 0"
    lower_right = {"x": box["width"] * 0.83, "y": box["height"] * 0.69}  # second of three
    page.click("#graph", position=lower_right)
    assert shown(page)[0] == "node 1"


def test_all_nodes_the_way_back_and_layers_can_be_chosen(visit):
    page = visit(fragment="#unit=conv4_B01_extra&picture=1&node=3")
    assert shown(page) == ("node 3", "b.png")
    page.click("#all")
    nodes = [int(text.split()[0]) for text in page.locator("#nodes button").all_inner_texts()]
    strength = unit("", 5, 2, True, [10]).strength[0]
    assert nodes == sorted(range(5), key=lambda node: -strength[node])
    before = page.locator("#map").screenshot()
    page.click("text=way back")
    assert page.locator("#map").screenshot() != before
    before = page.locator("#matrix").screenshot()
    page.click("text=layer 2")
    assert page.locator("#matrix").screenshot() != before


def test_the_address_keeps_what_is_shown(visit):
    page = visit()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    page.reload()
    page.wait_for_selector("html[data-ready]")
    assert shown(page) == ("node 1", "b.png")
    for fragment in ("#node=99&picture=-1&unit=x", "#node=x&picture=7"):
        assert visit(fragment=fragment).inner_text("h1") == "net"


def test_the_papers_colors_are_red_and_green(visit):
    page = visit(page_of(colors="paper"))
    red, green, _ = pixel(page)
    assert red > 200 > 100 > green
    page.click('#nodes [data-node="1"]')
    red, green, _ = pixel(page)
    assert green > 180 > 100 > red


def backdrop(page):
    """How bright the page is behind all, 0 to 255."""
    color = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return sum(map(int, re.findall(r"\d+", color)[:3])) / 3


def test_the_page_is_light_or_dark_as_the_system_is_until_it_is_switched(visit):
    assert backdrop(visit(scheme="dark")) < 60
    page = visit(scheme="light")
    assert backdrop(page) > 200 and page.inner_text("#theme") == "dark"
    light = page.locator("#graph").screenshot()
    page.click("#theme")
    assert backdrop(page) < 60 and page.inner_text("#theme") == "light"
    assert page.locator("#graph").screenshot() != light
    page.reload()
    page.wait_for_selector("html[data-ready]")
    assert backdrop(page) < 60  # the address keeps it
    page.click("#theme")
    assert backdrop(page) > 200


def test_how_to_read_folds_out_by_click_and_by_key(visit):
    page = visit()
    text = page.locator("#how ul")
    assert not text.is_visible()
    page.click("#how summary")
    assert text.is_visible() and "energy that all nodes give back" in text.inner_text()
    page.keyboard.press("Space")  # on the summary, which has the focus
    assert not text.is_visible() and pixel(page) != [0, 0, 0]
    page.keyboard.press("h")
    assert text.is_visible()


def test_a_wide_screen_is_used_and_a_narrow_one_is_enough(visit):
    widths = {}
    for width in (700, 1440, 2400):
        page = visit(width=width)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        boxes = [page.locator(f"#{name}").bounding_box() for name in ("map", "graph", "matrix")]
        assert all(box["height"] == pytest.approx(box["width"], abs=2) for box in boxes)
        widths[width] = sum(box["width"] for box in boxes)
    assert widths[2400] > 1.3 * widths[1440]


def test_names_are_text_whatever_is_in_them(visit):
    name = "</script><b>x</b> \u2028 \U0001f600"
    page = visit(page_of(names=(name, "b"), top=((name, 1.0),)))
    assert shown(page)[1] == page.inner_text("#picture") and "<b>x</b>" in shown(page)[1]
    assert page.locator("#classes b").count() == 0


def test_the_page_names_nothing_outside_itself():
    page = page_of()
    assert not re.search(r"https?://|src=|@import|url\(", page)
    assert "default-src 'none'" in page
    assert not re.search(r"/\*page\.\w+\*/|/\*DATA", page)  # all parts are in their places


def test_a_page_says_which_networks_it_is(tmp_path):
    file = tmp_path / "index.html"
    file.write_text(page_of(), encoding="utf-8")
    assert is_page_of(file, "12ab")
    for other in ("12a", "", "34cd"):
        assert not is_page_of(file, other)
    file.write_bytes(b"\xff" * 9000)
    assert not is_page_of(file, "12ab")


@pytest.mark.parametrize("kind", [np.int8, np.int16])
def test_numbers_are_packed_to_half_a_step_of_their_largest(kind):
    values = np.random.RandomState(0).normal(size=(3, 4, 5)) * [[[1]], [[1000]], [[0]]]
    for each in (True, False):
        packed = quantized(values, kind, each)
        whole = np.frombuffer(base64.b64decode(packed["base64"]), np.dtype(kind).newbyteorder("<"))
        scale = np.reshape(packed["scale"], (-1, 1, 1))
        difference = np.abs(whole.reshape(values.shape) * scale - values)
        assert (difference <= 0.501 * scale + 1e-5 * np.abs(values)).all()
        assert scale.shape == ((3, 1, 1) if each else (1, 1, 1))
