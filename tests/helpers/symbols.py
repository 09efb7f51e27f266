"""What two symbols have in common."""

import json
from collections import Counter


def nodes(symbol):
    return json.loads(symbol.tojson())["nodes"]


def operators(symbol):
    return Counter(node["op"] for node in nodes(symbol))


def shapes(symbol, **data):
    arguments, _, auxiliary = symbol.infer_shape(**data)
    return (
        list(zip(symbol.list_arguments(), arguments)),
        list(zip(symbol.list_auxiliary_states(), auxiliary)),
    )
