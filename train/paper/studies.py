"""The studies of `make study`: which networks train, and which of them a table sets side by side.

The ablations are the counterpart of the paper's Table 1 and section 4.2, small enough for two
cores: `mini` with units that cost alike, on pictures that only a network which relates distant
places can tell apart. `inserted` is the same of a network of others. All that differs between two
rows of a table is what its title says.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Dict, Optional, Tuple

from ..reporting.size import run_size
from . import gluoncv_network, study_examples

NODES = 32  # of a unit: as many as the network has channels there
INNER = 48  # a non-local block's width at which it costs what a unit of 32 nodes does
# Where one to five units stand: as in the paper's networks, behind Res3 and Res4's residual units.
PLACES = {
    1: {"res4": [2]},
    2: {"res4": [1, 2]},
    3: {"res4": [1, 2, 3]},
    4: {"res3": [2], "res4": [1, 2, 3]},
    5: {"res3": [1, 2], "res4": [1, 2, 3]},
}


@dataclass(frozen=True)
class Variant:
    """A row of a table: its label, a network by name, the units added to it, and `settings`.

    These are keys of the configuration as `--set` takes them, where the recipe is what differs.
    """

    label: str
    model: str = "mini"
    units: Dict[str, object] = field(default_factory=dict)
    settings: Tuple[str, ...] = ()


@dataclass(frozen=True)
class Ablation:
    """A table of variants by name; each is tested against the first, or against `against`."""

    title: str
    rows: Tuple[str, ...]
    against: str = ""

    @property
    def reference(self) -> str:
        """The variant that the others are tested against."""
        return self.against or self.rows[0]


@dataclass(frozen=True)
class Study:
    """`trainer` is the module that trains the `variants` with the `config`, on `seeds` seeds each.

    `question` is what the networks have to answer, `unseen` what they are measured on;
    `draw_examples(run, path)`, where there is one, draws a few examples with the answers of the
    variant `shown`. `size(config)` is (parameters, multiply-adds) of a run's network.
    """

    question: str
    trainer: str
    config: str
    variants: Dict[str, Variant]
    tables: Dict[str, Ablation]
    shown: str
    draw_examples: Optional[Callable[[Path, Path], None]]
    seeds: int = 5
    size: Callable[[dict], Tuple[int, int]] = run_size
    unseen: str = "unseen digits"


def glore(label, places=PLACES[1], **options):
    """A row with GloRe units, pre-activation ones of NODES nodes unless told otherwise."""
    units = {"kind": "glore", "mid_channels": NODES, **places, **options}
    return Variant(label, units=units)


def non_local(label, places=PLACES[1], **options):
    """A row with non-local blocks of INNER channels that don't start as the identity."""
    units = {"kind": "nonlocal", "mid_channels": INNER, "zero_gamma": False, **places, **options}
    return Variant(label, units=units)


VARIANTS = {
    "plain": Variant("plain"),
    "wide": Variant("plain, wider Res4", "mini_wide"),
    "glore_1": glore("GloRe, one unit"),
    "nonlocal_1": non_local("non-local, one block"),
    "glore_res3": glore("one unit in Res3", {"res3": [2]}),
    "glore_g2": glore("two graph layers", graph_layers=2),
    "glore_g3": glore("three graph layers", graph_layers=3),
    "glore_own": glore("its own reverse projection", shared_projection=False),
    "glore_post": glore("post-norm, gamma starts at one", arrangement="post", zero_gamma=False),
    "glore_post_zero": glore("post-norm, gamma starts at zero", arrangement="post"),
    "nonlocal_zero": non_local("non-local, gamma starts at zero", zero_gamma=True),
    **{f"glore_{n}": glore(f"GloRe, {n} units", PLACES[n]) for n in range(2, 6)},
    **{f"nonlocal_{n}": non_local(f"non-local, {n} blocks", PLACES[n]) for n in range(2, 6)},
}
ABLATIONS = {
    "kind": Ablation(
        "plain, non-local and GloRe at equal multiply-adds",
        ("plain", "wide", "nonlocal_1", "glore_1"),
        against="glore_1",
    ),
    "units": Ablation("one to five units", tuple(f"glore_{n}" for n in range(1, 6))),
    "blocks": Ablation("one to five non-local blocks", tuple(f"nonlocal_{n}" for n in range(1, 6))),
    "stage": Ablation("a unit in Res4 and in Res3", ("glore_1", "glore_res3")),
    "layers": Ablation("graph layers", ("glore_1", "glore_g2", "glore_g3")),
    "arrangement": Ablation("pre-activation and post-norm", ("glore_1", "glore_post")),
    "reverse": Ablation("shared and own reverse projection", ("glore_1", "glore_own")),
    "gamma": Ablation("gamma at first, GloRe", ("glore_post", "glore_post_zero")),
    "gamma_nonlocal": Ablation("gamma at first, non-local", ("nonlocal_1", "nonlocal_zero")),
}


def digits(question, config, tables):
    """A study of pictures of digits: the ablations in `tables`, and the networks they are of."""
    ablations = {table: ABLATIONS[table] for table in tables}
    names = dict.fromkeys(name for ablation in ablations.values() for name in ablation.rows)
    return Study(
        question,
        "train.imagenet",
        config,
        {name: VARIANTS[name] for name in names},
        ablations,
        "glore_1",
        study_examples.draw_pictures,
    )


STUDIES = {
    "pairs": digits("are two distant digits the same?", "configs/study/pairs.yaml", ABLATIONS),
    "triples": digits(
        "how many of three distant digits are alike?",
        "configs/study/triples.yaml",
        ("kind", "units"),
    ),
    "moving_digits": Study(
        "do two distant digits move the same way?",
        "train.kinetics",
        "configs/moving_digits.yaml",
        {
            "plain": Variant("plain", "tiny_3d"),
            "nonlocal": Variant("non-local", "tiny_3d_nl_0_1"),
            "glore": Variant("GloRe", "tiny_3d_glore_0_1"),
        },
        {"kind": Ablation("plain, non-local and GloRe", ("plain", "nonlocal", "glore"), "glore")},
        "glore",
        study_examples.draw_videos,
        seeds=3,
    ),
    "inserted": Study(
        "are two distant digits the same?",
        "train.inserted_units",
        "configs/study/inserted.yaml",
        {
            "plain": Variant("plain", "cifar_resnet20_v1"),
            "res4": Variant(
                "a unit in Res4", "cifar_resnet20_v1", {"after": {"res4": [2]}, "mid_channels": 16}
            ),
        },
        {"kind": Ablation("GluonCV's ResNet-20 for CIFAR", ("plain", "res4"))},
        "res4",
        draw_examples=None,
        seeds=3,
        size=gluoncv_network.run_size,
    ),
}
