import shutil

from gluon_glore import NetSpec, Stage, get_model, list_models, save_weights
from gluon_glore.cli.tables import networks_table, stages_table, weights_table
from gluon_glore.model_zoo.catalogue import FILE
from gluon_glore.networks import registry
from gluon_glore.plan.complexity import StageCount
from tests.helpers.exports import TINY
from tests.helpers.zoo import ENTRY, TAR, write_published


def test_stages_are_aligned_under_the_scale_of_the_sum():
    rows = [StageCount("stem", 1_500_000, 4_000_000), StageCount("Res2", 260_000, 1_000_000)]
    assert stages_table(rows).splitlines() == [
        "           parameters  multiply-adds",
        "stem           1.50 M         4.00 M",
        "Res2           0.26 M         1.00 M",
        "network        1.76 M         5.00 M",
    ]


def test_extra_units_have_their_share_of_the_networks_multiply_adds():
    rows = [
        StageCount("stem", 100, 600_000_000),
        StageCount("Res2", 1_400, 1_400_000_000, 250, 500_000_000),
    ]
    assert stages_table(rows).splitlines() == [
        "           parameters  multiply-adds  of which extra units (% of all multiply-adds)",
        "stem           0.10 k         0.60 G",
        "Res2           1.40 k         1.40 G      0.25 k      0.50 G    25.0 %",
        "network        1.50 k         2.00 G      0.25 k      0.50 G    25.0 %",
    ]


def test_networks_have_figures_placement_and_place_in_the_paper():
    lines = networks_table(["resnet50_glore_2_3", "tiny"]).splitlines()
    units = "glore: Res3 1,3; Res4 1,3,5"
    assert lines[-2:] == [
        f"| `resnet50_glore_2_3` | 224x224 | 1000 | 31.31 | 5.958 | {units} | Table 2 |",
        "| `tiny` | 64x64 | 2 | 0.39 | 0.029 | – | – |",
    ]
    columns = {line.count("|") for line in lines if line.startswith("|")}
    assert columns == {8}


def test_networks_of_other_dimensions_are_counted_at_their_own_input(monkeypatch):
    def video():
        """A network of ours (paper,
        Figure 12); of another (Table 3)."""  # noqa: D205, D209 - folded, as some are
        return NetSpec(stages=(Stage(1, 256),), input_size=(8, 32, 64))

    monkeypatch.setitem(registry._ROWS, "video", video)
    # Stem 7x7x7, 64 wide; the pool halves again. One unit of 64, 64 and 256 channels, the stride
    # on its 3x3x3, a shortcut; the classifier.
    pixels = 8 * 32 * 64
    convolutions = 64 * 64 * 8 + 27 * 64 * 64 + 64 * 256 + 64 * 256
    macs = 3 * 343 * 64 * pixels // 8 + convolutions * pixels // 512 + 256 * 1000
    row = networks_table(["video"]).splitlines()[-1]
    assert row == f"| `video` | 8x32x64 | 1000 | 0.47 | {macs / 1e9:.3f} | – | Figure 12 |"


def weights_lines(pattern="*"):
    """The line of each network without its name."""
    return {
        line.split()[0]: line.split(maxsplit=1)[1] for line in weights_table(pattern).splitlines()
    }


def test_weights_are_said_to_be_where_get_model_takes_them_from(
    made,
    server,
    root,
):
    write_published(server.folder, made.published, "mine")
    lines = weights_lines()
    assert lines.keys() - list_models() == {"mine", "network"}
    for name in ("mine", ENTRY, "tiny"):
        assert lines[name].startswith("testers, to download  ")
    assert (lines["resnet18"], lines["resnet50"].split(",")[0]) == ("none", "the authors")
    get_model("tiny", pretrained=True)
    shutil.copytree(made.folder / made.entry, root / made.entry)
    save_weights(made.tiny, root / "resnet18-0000.params")
    lines = weights_lines()
    (place,) = root.glob("tiny-*")
    assert lines["tiny"].startswith(f"testers, in {place}  ")
    assert "every layer has its counterpart" in lines["tiny"]
    assert lines["tiny"].endswith("; not measured")
    assert lines[ENTRY].startswith("testers, to download  ")  # another may have put it there
    assert lines["resnet18"].split() == [str(root / "resnet18-0000.params"), "not"]


def test_without_its_mirror_what_is_here_is_listed_and_the_mirror_named(
    made,
    server,
    root,
):
    get_model(ENTRY, pretrained=True)
    get_model("tiny", pretrained=made.folder / TAR, preprocess=TINY)
    (server.folder / FILE).write_text("a: [1")
    *_, last = weights_table().splitlines()
    damaged = f"{server.url(FILE)}: damaged catalogue"
    assert last == f"the mirror's own weights are not listed: {damaged}"
    server.__exit__()
    lines = weights_lines()
    assert "Connection refused" in lines.pop("the")
    assert set(list_models()) | {"network"} == set(lines)
    assert lines[ENTRY].startswith(f"testers, in {root / made.entry}  ")
    (place,) = root.glob("tiny-*")
    assert lines["tiny"].startswith(f"not said, in {place}, by path or hash only  ")
    assert weights_table("vgg*") == ""
