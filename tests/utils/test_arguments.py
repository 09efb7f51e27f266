import argparse
import re

import pytest

from gluon_glore.utils import arguments

WORDS = {
    "whole": "a whole number",
    "share": "a number from 0 to 1",
    "positive_int": "a whole number above 0",
    "not_negative": "a whole number from 0",
    "finite": "a number",
    "amount": "a whole number above 0, as 16M",
    "numbers": "whole numbers with commas",
    "pixels": "pixels above 0, as 512 or 512x768",
    "port": "a port from 0 to 65535",
    "milliseconds": "milliseconds, 0 or above",
}


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("positive_int", "3", 3),
        ("whole", "-3", -3),
        ("share", "1", 1.0),
        ("not_negative", "0", 0),
        ("finite", "-0.5", -0.5),
        ("amount", "7", 7),
        ("amount", "2K", 2000),
        ("amount", "3m", 3_000_000),
        ("amount", "1G", 10**9),
        ("numbers", "0,3,7", (0, 3, 7)),
        ("pixels", "512", (512, 512)),
        ("pixels", "512x768", (512, 768)),
        ("port", "0", 0),
        ("port", "65535", 65535),
        ("milliseconds", "0", 0.0),
        ("milliseconds", "2.5", 2.5),
    ],
)
def test_an_options_text_becomes_its_value(kind, text, value):
    assert getattr(arguments, kind)(text) == value


@pytest.mark.parametrize(
    ("kind", "texts"),
    [
        ("whole", ["1.5", "", "x", "1" * 5001, "3000000000"]),
        ("share", ["1.5", "-0.1", "nan", "x"]),
        ("not_negative", ["-1", "1.5", "x", "1" * 5001]),
        ("finite", ["nan", "inf", "-inf", "x", "1" * 5001]),
        ("positive_int", ("0", "-1", "1.5", "", "1" * 5001, "1" * 20)),
        ("amount", ("1" * 5001, "1" * 5001 + "M", "0K", "K", "1T", "1.5K", "")),
        ("numbers", ("", "1,,2", "a", "1" * 5001)),
        ("pixels", ("", "x", "0", "64x0", "64x64x64", "1" * 5001)),
        ("port", ("-1", "65536", "http")),
        ("milliseconds", ("-0.1", "inf", "nan", "soon")),
    ],
)
def test_argparse_says_what_is_allowed_instead_and_what_was_given(kind, texts, capsys):
    parser = argparse.ArgumentParser()
    parser.add_argument("--option", type=getattr(arguments, kind))
    for text in texts:
        with pytest.raises(SystemExit) as ended:
            parser.parse_args([f"--option={text}"])
        assert ended.value.code == 2
        *_, line = capsys.readouterr().err.splitlines()
        told = re.fullmatch(".*: error: argument --option: (.*), given (.*)", line)
        allowed, given = told.groups()
        assert WORDS[kind] in allowed and "invalid" not in line
        assert given == f"'{text}'" if len(text) < 50 else given.endswith("111 ...")


def test_the_users_folder_is_written_out_behind_an_equals_sign_too(monkeypatch):
    monkeypatch.setenv("HOME", "/home/glore")
    parser = arguments.ArgumentParser()
    parser.add_argument("names", nargs="*")
    parser.add_argument_group("more").add_argument("--data")
    parser.add_argument("--set", action="append")
    parsed = parser.parse_args(["--data=~/a", "~/b", "c~", "--set", "data.train=~/d"])
    assert (parsed.data, parsed.names) == ("/home/glore/a", ["/home/glore/b", "c~"])
    assert parsed.set == ["data.train=~/d"]  # which `load_config` writes out
