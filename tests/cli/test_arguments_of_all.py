"""What every command's options say of values that will not do."""

import argparse
import importlib
from pathlib import Path

import pytest

from gluon_glore import __main__ as package
from tests.helpers.places import ROOT

BAD = ("x", "1" * 5001, "nan")


class Caught(Exception):
    """A command's parser, before it parses."""


def commands():
    """The modules of `train` that are commands."""
    for path in sorted((ROOT / "train").rglob("*.py")):
        text = path.read_text()
        if "\ndef main(" in text and ("ArgumentParser" in text or "options(" in text):
            yield ".".join(path.relative_to(ROOT).with_suffix("").parts)


def parser_of(main, monkeypatch):
    """The parser of a command's `main`."""

    def caught(parser, *_):
        raise Caught(parser)

    with monkeypatch.context() as patch:
        patch.setattr(argparse.ArgumentParser, "parse_args", caught)
        with pytest.raises(Caught) as raised:
            main()
    return raised.value.args[0]


def typed(parser):
    """The options of a parser and of its commands that have a type, but for paths."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from typed(command)
        elif action.type not in (None, Path):
            yield parser, action


TRAIN = list(commands())


def test_the_commands_are_found():
    assert {"train.pack", "train.evaluate", "train.digit_pairs", "train.paper.study"} <= set(TRAIN)


@pytest.mark.parametrize("name", ["gluon_glore", *TRAIN])
def test_a_bad_value_is_told_by_option_with_what_is_allowed_and_given(name, monkeypatch):
    main = package.main if name == "gluon_glore" else importlib.import_module(name).main
    options = list(typed(parser_of(main, monkeypatch)))
    assert len(options) > 20 or name != "gluon_glore"
    for parser, action in options:
        for bad in BAD:
            with pytest.raises(argparse.ArgumentError) as refused:
                parser._get_value(action, bad)
            option, allowed = str(refused.value).split(": ", 1)
            assert option == f"argument {'/'.join(action.option_strings)}"
            words, given = allowed.split(", given ")
            assert given.startswith(f"'{bad[:50]}") and len(given) < 100
            assert len(words) > 10 and "invalid" not in words and "_" not in words


def untyped(parser):
    """The options of a parser and of its commands whose text is taken as it is."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from untyped(command)
        elif action.type is None and action.nargs != 0:
            yield parser, action


@pytest.mark.parametrize("name", ["gluon_glore", *TRAIN])
def test_a_path_may_begin_at_the_users_folder_in_every_option(name, monkeypatch):
    monkeypatch.setenv("HOME", "/home/glore")
    main = package.main if name == "gluon_glore" else importlib.import_module(name).main
    options = list(untyped(parser_of(main, monkeypatch)))
    for parser, action in options:
        assert parser._get_value(action, "~/x") == "/home/glore/x", action.dest
    assert len(options) > 20 or name != "gluon_glore"
