import time

import pytest
import yaml

from gluon_glore import InputError, list_models
from gluon_glore.data.image import Preprocess
from gluon_glore.model_zoo.catalogue import (
    FILE,
    SHIPPED,
    add_to_catalogue,
    find_row,
    read_catalogue,
    releases,
    rows,
    shipped,
)
from gluon_glore.weights.card import Card
from gluon_glore.weights.manifest import MANIFEST, Manifest, parse_manifest
from tests.helpers.web_server import Answer, WebServer

AUTHORS = "https://dl.fbaipublicfiles.com/glore/"
# README of https://github.com/facebookresearch/GloRe: top-1 by file, single centre crop.
CLAIMED = {
    "imagenet/resnet50.tar": 76.2,
    "imagenet/resnet50_w-glore_0-3.tar": 78.4,
    "imagenet/resnet50_w-glore_2-3.tar": 78.2,
    "imagenet/resnet50_w-se.tar": 77.2,
    "imagenet/resnet50_w-se_w-glore_0-3.tar": 78.7,
    "imagenet/resnet200_w-glore_0-3.tar": 79.4,
    "imagenet/resnet200_w-glore_2-3.tar": 79.7,
    "imagenet/resnext101-32x4d_w-glore_2-3.tar": 79.8,
    "imagenet/dpn98_w-glore_2-3.tar": 80.2,
    "imagenet/dpn131_w-glore_2-3.tar": 80.3,
    "kinetics/resnet50-lite_3d_8x8_w-glore_2-3_ep-0000.pth": 68.0,
    "kinetics/resnet101-lite_3d_8x8_w-glore_2-3_ep-0000.pth": 69.2,
    "cityscapes/resnet50_w-glore.tar": 79.5,
    "cityscapes/resnet101_w-glore.tar": 80.9,
}


@pytest.fixture(autouse=True)
def no_mirror(monkeypatch):
    monkeypatch.delenv("GLORE_MIRROR", raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def test_every_name_is_a_registered_network():
    names = [row.name for row in (*shipped(), *releases())]
    assert len(set(names)) == len(names)
    assert set(names) <= set(list_models())


def test_every_release_lies_under_the_authors_address_with_the_figure_they_claim(monkeypatch):
    found = releases()
    for row in found:
        assert row.url == row.source and row.url.startswith(AUTHORS)
        assert (row.is_entry, row.packaged, row.origin, row.licence) == (
            False,
            None,
            "the authors",
            "MIT",
        )
        figure = CLAIMED.get(row.url[len(AUTHORS) :])
        assert f" {figure} %" in row.claimed or row.claimed.startswith("none") and figure is None
    assert {row.source[len(AUTHORS) :] for row in found} >= set(CLAIMED)
    for address in ("https://mirror.org/glore", "https://mirror.org/glore/"):
        monkeypatch.setenv("GLORE_MIRROR", address)
        for row in releases():
            assert row.url == row.source.replace(AUTHORS, "https://mirror.org/glore/")


def test_what_is_shipped_is_in_the_package_as_its_row_says():
    for row in shipped():
        assert row.packaged.parent == SHIPPED and row.is_entry
        manifest = parse_manifest(row.packaged / MANIFEST)
        assert row.sha256 == manifest.sha256[f"{row.name}-0000.params"]
        assert row.packaged.name == f"{row.name}-{row.sha256[:8]}"
        assert row.preprocess == manifest.preprocess
        assert manifest.card.measured_text in row.checked


@pytest.mark.parametrize(
    ("url", "entry"),
    [
        ("https://a.org/x.tar", False),
        ("https://a.org/x.tar?token=a/b", False),
        ("https://a.org/x.tar.gz", False),
        ("file:///a/x.pth", False),
        ("https://a.org/x-12345678", True),
        ("https://tar.org/x?file=.tar", True),
    ],
)
def test_archives_and_pytorch_files_are_releases_and_all_else_is_an_entry(url, entry):
    (row, *_) = shipped()
    assert type(row)(**{**vars(row), "url": url}).is_entry is entry


GOOD = {
    "origin": "testers",
    "licence": "MIT",
    "claimed": "top-1 {} %",
    "checked": "no",
    "input": {"size": [64, 64], "resize": 0, "mean": [22.0], "scale": 0.0167},
    "files": {"tiny": {"path": "files/tiny.tar", "figure": 91.5, "sha256": "ab" * 32}},
}


def write(folder, text):
    (folder / FILE).write_text(text)
    return folder / FILE


def test_a_row_has_all_that_its_release_says(tmp_path):
    text = yaml.safe_dump({"releases": [GOOD, {**GOOD, "base": "https://b.org"}]})
    first, second = read_catalogue(write(tmp_path, text), base="https://a.org/")
    assert first.url == first.source == "https://a.org/files/tiny.tar"
    assert second.url == "https://b.org/files/tiny.tar"
    assert (first.name, first.origin, first.licence) == ("tiny", "testers", "MIT")
    assert (first.claimed, first.checked, first.sha256) == ("top-1 91.5 %", "no", "ab" * 32)
    assert first.preprocess == Preprocess((64, 64), 0, (22.0,), 0.0167)


def test_all_that_a_mirror_lists_lies_on_the_mirror(tmp_path, monkeypatch):
    strangers = [{**GOOD, "base": base} for base in ("https://b.org/", "/etc", "file:///etc")]
    write(tmp_path, yaml.safe_dump({"releases": strangers}))
    with WebServer(tmp_path) as server:
        monkeypatch.setenv("GLORE_MIRROR", server.url())
        found = [row for row in rows() if row.name == "tiny"]
        assert [row.url for row in found] == [server.url("files/tiny.tar")] * 3
        assert find_row(rows(), "tiny_glore_0_1").packaged  # what is shipped goes first
        assert find_row(rows(), "resnet50").origin == "the authors"
        own = {**GOOD, "files": {"resnet50": {"path": "r.tar"}, "tiny_glore_0_1": {"path": "t"}}}
        write(tmp_path, yaml.safe_dump({"releases": [own]}))
        assert find_row(rows(), "resnet50").origin == "testers"  # the mirror's own before others
        count = len(server.requests[FILE])
        assert find_row(rows(), "tiny_glore_0_1").packaged
        assert len(server.requests[FILE]) == count  # nobody was asked


def changed(**fields):
    return yaml.safe_dump({"releases": [{**GOOD, **fields}]})


def one_file(name="tiny", **fields):
    return changed(files={name: {"path": "a.tar", **fields}})


def bomb(field):
    """A field of 9 to the 12th words, of a few hundred bytes."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    return "\n".join([*lines, changed(**{field: "HERE"}).replace("HERE", "*a11")])


FILES = ", ".join(f"n{i}: {{path: a}}" for i in range(1000))
FLOOD = (
    f"r: &r {{files: {{{FILES}}}, origin: a, licence: b, claimed: c, checked: d, input: {{}}}}\n"
)


@pytest.mark.parametrize(
    "text",
    [
        "a: [1",
        "\x00",
        "",
        "- a",
        "releases: 7",
        "releases: [7]",
        "releases: [{}]",
        "[" * 100_000,
        FLOOD + f"releases: [{', '.join(['*r'] * 10_000)}]",
        bomb("origin"),
        bomb("base"),
        changed(claimed=None),
        changed(licence=["MIT"]),
        changed(input={"size": [64, "x"]}),
        changed(input={"size": [[64]]}),
        changed(input={"colour": 1}),
        changed(files=["tiny"]),
        one_file("../tiny"),
        one_file("a/b"),
        one_file(""),
        one_file(7),
        one_file(path="../a.tar"),
        one_file(path="a/../../b.tar"),
        one_file(path="/etc/a.tar"),
        one_file(path="https://b.org/a.tar"),
        one_file(path="a//b"),
        one_file(path="a\n"),
        one_file(path=7),
        one_file(sha256="ab"),
        one_file(sha256=7),
        one_file(sha256="AB" * 32),
        one_file(figure=[1]),
    ],
    ids=range(32),
)
def test_a_damaged_or_hostile_catalogue_is_said_in_a_line_and_at_once(tmp_path, monkeypatch, text):
    path = write(tmp_path, text)
    started = time.monotonic()
    with pytest.raises(InputError) as caught:
        read_catalogue(path)
    assert str(caught.value) == f"{path}: damaged catalogue"
    assert time.monotonic() - started < 5
    monkeypatch.setenv("GLORE_MIRROR", f"file://{tmp_path}")
    with pytest.raises(InputError) as caught:
        list(rows())
    assert str(caught.value) == f"file://{tmp_path}/{FILE}: damaged catalogue"


def test_a_mirror_needs_no_catalogue_but_must_answer(tmp_path, monkeypatch):
    with WebServer(tmp_path) as server:
        monkeypatch.setenv("GLORE_MIRROR", server.url())
        pages = (Answer(status=404), Answer(status=403), Answer(body=b"<html>no"))
        server.answer(FILE, *pages, then=Answer(status=500))
        for _ in pages:
            assert list(rows()) == [*shipped(), *releases()]
        with pytest.raises(InputError, match=f"{server.url(FILE)}: status 500"):
            list(rows())
    monkeypatch.setenv("GLORE_MIRROR", f"file://{tmp_path}")
    assert list(rows()) == [*shipped(), *releases()]
    monkeypatch.setenv("GLORE_MIRROR", "mirror.org")
    with pytest.raises(InputError, match="GLORE_MIRROR must begin with https://, http:// or file"):
        list(rows())


def test_an_entry_is_added_in_the_place_of_its_older_one_and_of_nothing_else(tmp_path):
    both = {"tiny": {"path": "a"}, "resnet18": {"path": "b"}}
    write(tmp_path, yaml.safe_dump({"releases": [{**GOOD, "files": both}]}))
    manifest = Manifest("tiny", ("a",), Preprocess((64, 64), 0, (22.0,)), card=Card("here"))
    add_to_catalogue(tmp_path, "tiny", "tiny-00000000", manifest, "0" * 64)
    found = read_catalogue(tmp_path / FILE)
    assert [(row.name, row.url) for row in found] == [
        ("tiny", "/tiny-00000000"),
        ("resnet18", "/b"),
    ]
    assert (found[0].sha256, found[0].preprocess) == ("0" * 64, manifest.preprocess)
    write(tmp_path, "a: [1")
    with pytest.raises(InputError, match="damaged catalogue"):
        add_to_catalogue(tmp_path, "tiny", "x", manifest, "0" * 64)
    assert (tmp_path / FILE).read_text() == "a: [1"
