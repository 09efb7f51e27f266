"""What the tests of units walk through."""

SPACES = {1: (17,), 2: (9, 7), 3: (3, 5, 4)}


OPTIONS = [
    {},
    {"normalize": True},
    {"graph_layers": 3},
    {"shared_projection": False},
    {"pool_stride": 2},
    {"normalize": True, "graph_layers": 2, "shared_projection": False, "pool_stride": 2},
]
