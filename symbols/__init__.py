"""The networks as static symbols, spelled by hand from the plan: one file a family.

Each family has `get_symbol(num_classes, model=..., image_shape=...)`, in the tradition of MXNet's
own symbols folder. Argument and auxiliary names, shapes and outputs equal those of the traced
HybridBlocks, so parameters interchange.
"""
