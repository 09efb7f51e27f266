import argparse

import pytest

from gluon_glore.utils import arguments


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("positive_int", "3", 3),
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
        ("not_negative", ["-1", "1.5", "x"]),
        ("finite", ["nan", "inf", "-inf", "x"]),
        ("positive_int", ("0", "-1", "1.5", "")),
        ("amount", ("0K", "K", "1T", "1.5K", "")),
        ("numbers", ("", "1,,2", "a")),
        ("pixels", ("", "x", "0", "64x0", "64x64x64")),
        ("port", ("-1", "65536", "http")),
        ("milliseconds", ("-0.1", "inf", "nan", "soon")),
    ],
)
def test_argparse_refuses_other_texts_by_the_name_of_the_type(kind, texts, capsys):
    parser = argparse.ArgumentParser()
    parser.add_argument("--option", type=getattr(arguments, kind))
    for text in texts:
        with pytest.raises(SystemExit):
            parser.parse_args([f"--option={text}"])
        assert f"argument --option: invalid {kind} value: '{text}'" in capsys.readouterr().err
