"""Every command and example of the documentation runs, or says why it can't; links lead somewhere.

`docs_world.py` has the pages' blocks and the world that they run in.
"""

import functools
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from xml.etree import ElementTree

import pytest

from tests.docs.docs_checks import CHECKS
from tests.docs.docs_world import PAGES, REASONS, RUN, World, blocks
from tests.helpers.places import ROOT
from train.config.cityscapes import SceneConfig
from train.config.kinetics import VideoConfig
from train.config.load import load_config
from train.config.sections import Config

ALL = [block for page in PAGES for block in blocks(page)]
COMMANDS = [block for block in ALL if block.language == "sh"]
EXAMPLES = [block for block in ALL if block.language == "python" and not block.mark]
LINKING = [*PAGES, "CHANGELOG.md"]
CONFIGS = {
    "train.imagenet": Config,
    "train.cityscapes": SceneConfig,
    "train.kinetics": VideoConfig,
}
# What is needed beside the project, by what a block says.
OPTIONAL = {
    "horovodrun": "horovod",
    "evaluate_cityscapes": "cityscapesscripts",
    "--onnx": "onnx",
    "gluoncv": "gluoncv",
    "kinetics": "av",
    "pack_video": "av",
    "video.mp4": "av",
    " serve ": "aiohttp",
    "localhost:8080": "aiohttp",
    "pytorch": "torch",
}


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("docs"))


def prepare(world, page, text):
    """Write the files of a page. Skips where something optional is not installed."""
    for word, module in OPTIONAL.items():
        if word in text and importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    for block in blocks(page):
        if block.mark == "file":
            (world.folder / block.what).write_text(block.text, encoding="utf-8")


def text_of(page):
    return (ROOT / page).read_text(encoding="utf-8")


def test_every_block_is_run_or_says_what_it_needs():
    for page in PAGES:
        text, found = text_of(page), blocks(page)
        assert text.count("```") == 2 * len(found), f"{page}: a block is not closed"
        marks = re.findall(r"^\s*<!-- (?:needs|file):", text, re.M)
        assert len(marks) == sum(bool(block.mark) for block in found), f"{page}: a mark, no block"
    for block in ALL:
        files = ("yaml",) if block.mark == "file" else ()
        assert block.language in (*RUN, *files, "json", ""), f"{block}: neither run nor output"
        assert block.needs <= REASONS, f"{block}: needs one of {sorted(REASONS)}"
        if block.language not in RUN:  # a command must not hide in what is taken for output
            assert not re.search(r"^(\$|python|make|horovodrun|pip)\s", block.text, re.M), block
    marked = [block for block in ALL if block.needs]
    assert len(marked) < len(COMMANDS) / 3 and len(EXAMPLES) > 12


@pytest.mark.parametrize("block", [b for b in COMMANDS if not b.needs], ids=str)
def test_commands_run(block, world):
    prepare(world, block.page, block.text)
    world.run(block.lines)


@pytest.mark.parametrize("page", dict.fromkeys(block.page for block in EXAMPLES))
def test_python_examples_run(page, world):
    parts = [block.text for block in EXAMPLES if block.page == page]
    prepare(world, page, "".join(parts))
    program = ["after = []", *(f"{part}\nafter.append(dict(globals()))" for part in parts)]
    if page in CHECKS:
        program.append(
            f"import tests.docs.docs_checks as docs_checks\ndocs_checks.CHECKS[{page!r}](after)"
        )
    world.script("\n".join(program))


@pytest.mark.parametrize("block", [b for b in ALL if b.needs], ids=str)
def test_what_can_not_run_could(block):
    """Modules, options and files of a block that needs what can't be shipped."""
    if block.language == "python":
        compile(block.text, str(block), "exec")
        return
    for line in block.lines:
        for command in line.split(" | "):
            check_command(shlex.split(command, comments=True))


def check_command(words):
    """Modules exist, options are known to them, extras to pyproject, and files are there."""
    while re.match(r"[A-Z_]+=", words[0]):
        words = words[1:]
    if words[0] == "horovodrun":
        if importlib.util.find_spec("horovod") is None:
            return
        launched = words.index("python")
        horovodrun = shutil.which("horovodrun", path=os.path.dirname(sys.executable))
        check_options(words[:launched], (horovodrun,))
        words = words[launched:]
    if words[:2] == ["python", "-m"]:
        module = words[2]
        assert importlib.util.find_spec(module), f"there is no module {module}"
        subcommand = words[3:4] if module == "gluon_glore" else []
        check_options(words[3:], (sys.executable, "-m", module, *subcommand))
    for extras in re.findall(r"\.\[(.*?)\]", " ".join(words)):
        for extra in extras.split(","):
            assert re.search(rf"^{extra} = \[", text_of("pyproject.toml"), re.M), extra
    for word in words:
        if re.match("(configs|tools|docs|train|symbols|tests)/", word):
            assert (ROOT / word).exists(), word


def check_options(words, command):
    options = [word.partition("=")[0] for word in words if re.match("--?[a-zA-Z]", word)]
    if options:
        known = help_of(command)
        for option in options:
            assert re.search(rf"(?<![\w-]){option}(?![\w-])", known), f"{command}: no {option}"


@functools.cache
def help_of(command):
    done = subprocess.run([*command, "--help"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_configurations_are_those_of_the_repository_and_know_their_keys():
    """With what each command sets; the world has small ones in their places."""
    seen = 0
    for block in COMMANDS:
        for line in block.lines:
            words = shlex.split(line, comments=True)
            given = {"--config": [], "--set": []}
            for option, value in zip(words, words[1:]):
                given.get(option, []).append(value)
            module = next((word for word in words if word in CONFIGS), None)
            for path in given["--config"]:
                if module and path.startswith("configs/"):
                    load_config(ROOT / path, given["--set"], CONFIGS[module])
                    seen += 1
    assert seen > 5


def test_commands_within_the_text_exist():
    for page in PAGES:
        for code in re.findall(r"(?<!`)`([^`]+)`(?!`)", text_of(page)):
            words = code.replace("[", " ").replace("]", " ").split()
            if words[:2] == ["python", "-m"] and words[2:]:
                assert importlib.util.find_spec(words[2]), f"{page}: {code}"
                if words[2] != "pytest" and any(word.startswith("--") for word in words):
                    check_command(words)


def test_targets_of_make_exist():
    makefile = text_of("Makefile")
    targets = {t for page in PAGES for t in re.findall(r"`?make\s([a-z][\w-]+)`", text_of(page))}
    targets |= {line.split()[1] for b in COMMANDS for line in b.lines if line.startswith("make ")}
    assert {"train", "test", "study", "setup", "moving-digits", "bench"} <= targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.M), target


def test_every_link_and_picture_is_there():
    for page in LINKING:
        for target in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
            if re.match("[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            place = (ROOT / page).parent / path if path else ROOT / page
            assert place.exists(), f"{page} links to {target}"
            if anchor:
                assert anchor in anchors(place.read_text(encoding="utf-8")), f"{page}: {target}"


def test_drawings_are_whole():
    drawings = sorted(ROOT.glob("docs/*.svg"))
    assert drawings
    for path in drawings:
        assert ElementTree.parse(path).getroot().get("viewBox"), path


def anchors(text):
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", text, re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_index_has_every_page():
    index = text_of("docs/README.md")
    for page in PAGES:
        if page.startswith("docs/") and page != "docs/README.md":
            assert f"]({page.removeprefix('docs/')})" in index, page


def test_the_readme_is_read_in_three_minutes():
    """At 260 words a minute; code, tables and what pictures and links say to machines aside."""
    text = text_of("README.md")
    for aside in (r"```.*?```", r"^\|.*?$", r"<!--.*?-->", r"!\[.*?\]\(.*?\)"):
        text = re.sub(aside, "", text, flags=re.M | re.S)
    assert len(text.split()) <= 3 * 260


@pytest.mark.parametrize("page", PAGES)
def test_python_files_that_a_page_names_are_there(page):
    named = set(re.findall(r"`([\w/]+\.py)`", (ROOT / page).read_text(encoding="utf-8")))
    folders = ("gluon_glore", "train", "symbols", "benchmarks", "tests")
    files = (path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    there = [f"/{path.relative_to(ROOT).as_posix()}" for path in files]
    examples = {block.what for block in ALL if block.mark == "file"}
    assert not [n for n in named - examples if not any(t.endswith(f"/{n}") for t in there)]
