import math

import numpy as np
import pytest

from gluon_glore import InputError
from gluon_glore.utils import kinds

TABLE = kinds.table({"a": kinds.whole(1, 3), "b": kinds.listed(kinds.LINE, 1, 2)}, optional=["b"])


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (kinds.whole(0, 3), [0, 3, np.int64(2)], [-1, 4, 1.0, True, "1", None, 10**5000]),
        (kinds.whole(), [-(10**30), 0, np.int64(2)], [1.0, True, "1", None, [1]]),
        (kinds.number(), [1, -2.5, np.float32(1)], [math.nan, math.inf, 10**400, True, "1", [1]]),
        (kinds.number(0, 1), [0, 1], [-0.1, 1.1]),
        (kinds.number(0, above=True), [0.1, 1e300], [0, -1]),
        (kinds.FLAG, [True, False], [0, 1, "true", None]),
        (kinds.LINE, ["", "a\tb", "x" * 1000], ["a\nb", "\x1b[2J", "\u2028", "x" * 1001, 1, ["a"]]),
        (
            kinds.FILE_NAME,
            ["a.params", "...", "ü"],
            ["", ".", "..", "a/b", "/", "a\\b", "\0", "a\n"],
        ),
        (kinds.FILE_NAME, ["x" * 200], ["x" * 201, 7, None, "..\n"]),
        (kinds.DIGEST, ["0a" * 32], ["0A" * 32, "0a", "0a" * 32 + "\n", 0]),
        (kinds.one_of("a", "b"), ["a"], ["c", 1, ["a"], None]),
        (kinds.optional(kinds.FLAG), [None, True], [1]),
        (kinds.either(kinds.FLAG, kinds.listed(kinds.FLAG)), [True, [True]], [1, [1], None]),
        (kinds.listed(kinds.FLAG), [[], [True], (False,)], [True, "ab", {True: 1}, [1]]),
        (kinds.listed(kinds.FLAG, 1, 2), [[True], [True, True]], [[], [True] * 3]),
        (kinds.named(kinds.FLAG), [{}, {"a": True}], [[], {"a": 1}, {1: True}, "a"]),
        (TABLE, [{"a": 1}, {"a": 3, "b": ["x"]}], [{}, {"a": 0}, {"a": 1, "c": 1}, [], "a", None]),
    ],
)
def test_a_kind_takes_its_values_and_no_others(kind, good, bad):
    for value in good:
        kind.check(value, "field")
    for value in bad:
        with pytest.raises(InputError) as refused:
            kind.check(value, "field")
        assert str(refused.value).startswith(("field", "a name in field"))
        assert len(str(refused.value).splitlines()) == 1 and len(str(refused.value)) < 200


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ({"a": 7}, "x.a: a whole number from 1 to 3, given 7"),
        ({"a": 1, "b": ["x", 2]}, "x.b[1]: a line of text, given 2"),
        ({"a": 1, "b": []}, "x.b: a list of 1 to 2 values, each a line of text, given []"),
        ({"b": ["x"]}, "x.a: missing"),
        ({"a": 1, "colour": 1}, "x.colour: unknown, known: a, b"),
        ({"a": 1, "\n": 1}, r"x.'\n': unknown, known: a, b"),
        (3, "x: the fields a, b, given 3"),
    ],
)
def test_a_line_names_the_field_and_what_is_allowed_and_given(value, line):
    with pytest.raises(InputError) as refused:
        TABLE.check(value, "x")
    assert str(refused.value) == line


def test_a_table_may_let_others_pass():
    kinds.table({"a": kinds.FLAG}, others=True).check({"a": True, "b": 1}, "")
    with pytest.raises(InputError, match="^a: true or false, given 1$"):
        kinds.table({"a": kinds.FLAG}, others=True).check({"a": 1}, "")
