from gluon_glore import NetSpec, Stage, registry
from gluon_glore.complexity import StageCount
from gluon_glore.table import networks_table, stages_table


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
        Figure 12); of another (Table 3)."""
        return NetSpec(stages=(Stage(1, 256),), input_size=(8, 32, 64))

    monkeypatch.setitem(registry._ROWS, "video", video)
    # Stem 7x7x7, 64 wide; the pool halves again. One unit of 64, 64 and 256 channels, the stride
    # on its 3x3x3, a shortcut; the classifier.
    pixels = 8 * 32 * 64
    convolutions = 64 * 64 * 8 + 27 * 64 * 64 + 64 * 256 + 64 * 256
    macs = 3 * 343 * 64 * pixels // 8 + convolutions * pixels // 512 + 256 * 1000
    row = networks_table(["video"]).splitlines()[-1]
    assert row == f"| `video` | 8x32x64 | 1000 | 0.47 | {macs / 1e9:.3f} | – | Figure 12 |"
