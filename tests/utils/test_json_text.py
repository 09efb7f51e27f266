import pytest

from gluon_glore import InputError
from gluon_glore.utils.json_text import parse_json

DEEP = "[" * 100_000
NONE = ["", "{", DEEP, '{"a": ' * 100_000, "1" * 5001, b"\xff"]


def test_json_is_read():
    assert parse_json('{"a": [1, 2.5, null]}') == {"a": [1, 2.5, None]}


@pytest.mark.parametrize("text", NONE, ids=range(len(NONE)))
def test_what_python_cannot_read_is_none(text):
    with pytest.raises(InputError, match="^not JSON: ") as refused:
        parse_json(text)
    assert len(str(refused.value).splitlines()) == 1
