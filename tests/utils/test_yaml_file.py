import time

import pytest
import yaml

from gluon_glore import InputError
from gluon_glore.utils.yaml_file import DEEPEST, parse_yaml, read_yaml


def test_words_numbers_and_lists_come_back(tmp_path):
    content = {"a": [1, 2.5, "x"], "b": {"c": None, "d": True}}
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(content))
    assert read_yaml(tmp_path / "a.yaml") == content


def test_aliases_are_followed_unless_they_are_not_allowed(tmp_path):
    (tmp_path / "a.yaml").write_text("a: &x [1]\nb: *x\n")
    assert read_yaml(tmp_path / "a.yaml") == {"a": [1], "b": [1]}
    with pytest.raises(ValueError):
        read_yaml(tmp_path / "a.yaml", aliases=False)


def test_deep_nesting_is_refused_at_once(tmp_path):
    (tmp_path / "a.yaml").write_text("[" * DEEPEST + "]" * DEEPEST)
    read_yaml(tmp_path / "a.yaml")
    (tmp_path / "a.yaml").write_text("[" * 100_000)
    start = time.process_time()
    with pytest.raises(ValueError):
        read_yaml(tmp_path / "a.yaml")
    assert time.process_time() - start < 10  # what is built of it takes hours


def test_a_file_holding_code_is_none(tmp_path):
    (tmp_path / "a.yaml").write_text("!!python/object/apply:os.system ['true']")
    with pytest.raises(InputError, match="a.yaml: tag .*os.system', only words, numbers, lists"):
        read_yaml(tmp_path / "a.yaml")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: [1", r"not YAML: did not find expected ',' or '\]', line "),
        (
            "a: 1\n\tb: 2",
            "not YAML: found a tab character that violates indentation, line 2",
        ),
        ("a: \x00", "not YAML: control characters are not allowed"),
        ("a: 1\n---\nb: 2", "not YAML: but found another document, line 2, column 1"),
        ("a: *b", "not YAML: found undefined alias, line 1, column 4"),
        ("%TAG !a! b\n" * 11 + "--- a", "not YAML: more than 10 lines begin with %"),
        ("[" * 100_000, "more than 20 levels within each other, line 1, column 21"),
        ("- " * 100_000, "more than 20 levels within each other, line 1, column 41"),
        ("&a [*a]", "more than 20 levels within each other, line 1, column 1"),
        ("[" + "x," * 300_000, "more than 100000 values, line 1, column "),
        ("a: 1\nb: 2\na: 3", "key 'a' is there twice, line 3, column 1"),
        ("1: 1\n0x1: 2", "key 1 is there twice, line 2, column 1"),
        ("{[1]: 2}", "a key is a word or a number, line 1, column 2"),
        ("a: {<<: 3}", "<< takes keys with values, line 1, column 9"),
        ("a: " + "1" * 5001, "a number of 5001 characters, at most 1000, line 1, column 4"),
        ("a: !!int x", "'x' is not a whole number, line 1, column 4"),
        ('a: !!int ""', "'' is not a whole number, line 1, column 4"),
        ("a: 0b_", "'0b_' is not a whole number, line 1, column 4"),
        ("a: !!float", "'' is not a number, line 1, column 4"),
        ("a: !!bool x", "'x' is not true or false, line 1, column 4"),
        ("a: !!set {b}", "tag 'tag:yaml.org,2002:set', only words, numbers, lists and keys"),
        ("!foo x", "tag '!foo', only words"),
    ],
    ids=range(22),
)
def test_what_is_no_yaml_here_is_told_in_a_line_with_its_place(text, line):
    with pytest.raises(InputError, match=f"^{line}") as refused:
        parse_yaml(text)
    assert len(str(refused.value).splitlines()) == 1 and len(str(refused.value)) < 200


def bomb(last, first="[x, x, x, x, x, x, x, x, x, x]"):
    """A text of a few hundred bytes, each line with ten aliases of the line before."""
    lines = [f"a0: &a0 {first}"]
    lines += [f"a{i}: &a{i} {last.format(', '.join([f'*a{i - 1}'] * 10))}" for i in range(1, 9)]
    return "\n".join(lines)


@pytest.mark.parametrize("text", [bomb("[{}]"), bomb("{{<<: [{}]}}", "{x: 1}")], ids=[0, 1])
def test_aliases_of_aliases_are_refused_at_once(text):
    start = time.process_time()
    with pytest.raises(InputError, match="^aliases stand for more than 100000 values, line"):
        parse_yaml(text)
    assert time.process_time() - start < 2


def test_merged_keys_give_way_to_own_ones_and_to_those_before():
    text = "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: {<<: [*a, {x: 5, z: 6}]}"
    assert parse_yaml(text)["b"] == {"x": 1, "y": 3}
    assert parse_yaml(text)["c"] == {"x": 1, "y": 2, "z": 6}


def test_what_aliases_stand_for_is_made_anew():
    one, two = parse_yaml("[&a [1], *a]")
    one.append(2)
    assert two == [1]


def test_dates_and_signs_are_words():
    text = "[2001-99-99, 2001-01-01, =, <<, 1e5, yes, 0x10, ~]"
    expected = ["2001-99-99", "2001-01-01", "=", "<<", "1e5", True, 16, None]
    assert parse_yaml(text) == expected


def test_the_file_is_named(tmp_path):
    (tmp_path / "a.yaml").write_text("a: 1\na: 2")
    with pytest.raises(InputError, match=f"^{tmp_path}/a.yaml: key 'a' is there twice, line 2"):
        read_yaml(tmp_path / "a.yaml")
