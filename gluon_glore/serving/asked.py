"""What the query of a request asks for."""

from .limits import Refusal


def number(query, name, default, most, strict=True):
    """A whole number from 1 to `most`. Raises Refusal, 400, where another is given.

    Where that is not `strict`, more than `most` are as good as `most`.
    """
    text = query.get(name, str(default))
    written = text.isascii() and text.isdigit() and len(text) < 10
    if written and 0 < int(text) <= (most if strict else int(text)):
        return int(text)
    raise Refusal(400, f"{name} is a whole number from 1 to {most}, given {text[:20]!r}")
