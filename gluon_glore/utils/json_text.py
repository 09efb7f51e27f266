"""JSON, also a stranger's: what Python can't read of it is refused like what is none."""

import json

from .errors import InputError


def parse_json(text, **hooks):
    """What a text in JSON holds. Raises InputError where it is none, or nests too deep.

    `hooks` are those of `json.loads`; an InputError of theirs passes.
    """
    try:
        return json.loads(text, **hooks)
    except RecursionError:
        raise InputError("not JSON: too many levels within each other") from None
    except InputError:
        raise
    except ValueError as error:  # numbers of more than 4300 digits too
        raise InputError(f"not JSON: {error}") from None
