"""Cost by the size of the input: what is measured, fitted, left out and shown."""

import json
import math
from dataclasses import replace

import pytest

from benchmarks import report, scaling
from benchmarks.paired import RESULTS
from benchmarks.scaling import (
    BASE,
    BLOCKS,
    CHANNELS,
    CONV,
    NETWORKS,
    NON_LOCAL,
    SERIES,
    SUBSAMPLED,
    UNIT,
    WITH_NON_LOCAL,
    Series,
    attention_bytes,
    exponents,
    macs_of,
    make,
)
from benchmarks.scaling_page import PICTURE, scaling_section
from tests.helpers.without_mxnet import needs_mxnet

MEASURED = RESULTS / "scaling.json"
SMALL = Series((UNIT, NON_LOCAL), {"4x4": (4, 4), "8x8": (8, 8), "16x16": (16, 16)}, "4x4")


def test_the_convolution_has_a_units_multiply_adds():
    for ndim in (2, 3):
        space = (1,) * (ndim - 2) + BASE
        unit, conv = (macs_of(make(name, ndim)[0], CHANNELS, space) for name in (UNIT, CONV))
        assert conv == pytest.approx(unit, rel=0.02)


def test_multiply_adds_grow_as_the_locations_and_those_of_attention_as_their_square():
    def growth(name):
        block = make(name, 2)[0]
        return macs_of(block, CHANNELS, (224, 224)) / macs_of(block, CHANNELS, (112, 112))

    assert growth(UNIT) == pytest.approx(4, rel=0.01) and growth(CONV) == 4
    assert growth(NON_LOCAL) > 14 and growth(SUBSAMPLED) > 12


def test_attention_takes_the_square_of_the_locations():
    assert attention_bytes(NON_LOCAL, (224, 224), False) == 4 * 224**4
    assert attention_bytes(NON_LOCAL, (224, 224), True) == 3 * 4 * 224**4
    assert attention_bytes(SUBSAMPLED, (32, 28, 28), False) == 4 * 32 * 784 * 32 * 196
    assert attention_bytes(SUBSAMPLED, (7, 7), False) == 4 * 49 * 16
    assert attention_bytes(WITH_NON_LOCAL, (1024, 2048), False) == 4 * (128 * 256) ** 2
    for name in (UNIT, CONV, *NETWORKS[:2]):
        assert attention_bytes(name, (224, 224), True) == 0


def test_powers_are_slopes_of_logarithms_from_the_place_named():
    series = Series((UNIT, CONV), {f"{n}": (n,) for n in (1, 10, 100, 1000)}, "10")
    points = [
        {"name": UNIT, "locations": n, "seconds": seconds, "mib": None}
        for n, seconds in ((1, 77.0), (10, 2.0), (100, 200.0), (1000, 20000.0))
    ]
    points += [{"name": CONV, "locations": 1000, "seconds": 1.0, "mib": 1.0}]
    assert exponents(series, points, "seconds") == {UNIT: pytest.approx(2), CONV: None}
    assert exponents(series, points, "mib") == {UNIT: None, CONV: None}


@needs_mxnet
@pytest.mark.parametrize("backward", [False, True])
def test_points_are_measured_and_what_needs_too_much_is_left_out_and_shown(
    tmp_path, monkeypatch, backward
):
    series = replace(SMALL, backward=backward)
    monkeypatch.setattr(scaling, "SERIES", {"pictures": series})
    least = attention_bytes(NON_LOCAL, (8, 8), backward) / 2**30
    options = ["--only", "pictures", "--most-gib", str(least), "--threads", "1"]
    scaling.main([*options, "--out", str(tmp_path)])
    result = json.loads((tmp_path / "scaling.json").read_text())
    points = result["series"]["pictures"]["points"]
    assert [(p["name"], p["place"]) for p in points] == [
        (name, place) for name in (UNIT, NON_LOCAL) for place in SMALL.places
    ]
    *run, left_out = points
    for point in run:
        assert point["seconds"] > 0 and point["macs"] > 0 and point["passes"] >= 3
    assert "seconds" not in left_out
    assert left_out["needed"] == attention_bytes(NON_LOCAL, (16, 16), backward)
    text = scaling_section(result, report.table, report.machines([result]))
    assert "not run: would need 0.0 GB" in text
    assert f"{NON_LOCAL} / {UNIT} at 8x8: " in text
    assert text.count("power, from 4x4") == 1
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    monkeypatch.setattr(report, "PAGE", tmp_path / "page.md")
    report.main()
    assert text in (tmp_path / "page.md").read_text()
    assert (tmp_path / PICTURE).read_bytes().startswith(b"\x89PNG")


def test_memory_is_what_a_pass_adds(capsys):
    """A unit on 64x64 locations: an output at the least, and not the libraries."""
    scaling.work(UNIT, (64, 64), False)
    mib = json.loads(capsys.readouterr().out)["mib"]
    if mib is None:
        pytest.skip("Linux does not count the peak anew")
    output = CHANNELS * 64 * 64 * 4 / 2**20
    assert output <= mib < 20 * output


def test_what_linux_does_not_tell_is_a_dash():
    points = [
        {"name": UNIT, "place": "1x1", "locations": 1, "macs": 1, "seconds": 1.0, "mib": None},
        {"name": CONV, "place": "1x1", "locations": 1, "needed": 2.5e9},
    ]
    powers = {key: {UNIT: None, CONV: None} for key in ("seconds", "mib")}
    series = {"fit": "1x1", "points": points, "exponents": powers}
    text = scaling_section(
        {"command": "it", "series": {"pictures": series}}, report.table, "Measured on: it."
    )
    assert "| 1x1 | 1000.0 | not run: would need 2.5 GB | – | – |" in text
    assert "| power, from 1x1 | – | – | – | – |" in text


def test_series_that_were_measured_before_stay_where_the_machine_is_the_same(tmp_path, monkeypatch):
    one = replace(SMALL, competitors=(UNIT,))
    monkeypatch.setattr(scaling, "SERIES", {"first": one, "second": one})
    measured = {
        "name": UNIT,
        "place": "4x4",
        "locations": 16,
        "macs": 1,
        "seconds": 1.0,
        "mib": 1.0,
    }
    monkeypatch.setattr(scaling, "measure", lambda *_: [measured])

    def titles(title, *more):
        scaling.main(["--only", title, "--out", str(tmp_path), *more])
        return list(json.loads((tmp_path / "scaling.json").read_text())["series"])

    assert titles("second") == ["second"]
    assert titles("first") == ["first", "second"]
    assert titles("first", "--most-gib", "1") == ["first"]


@pytest.mark.parametrize("title", SERIES)
def test_every_series_names_what_can_be_built(title):
    series = SERIES[title]
    assert series.fit in series.places and len(series.places) > 2
    assert series.competitors in (BLOCKS, NETWORKS)
    sizes = [series.locations(label) for label in series.places]
    assert sizes == sorted(sizes) and all(map(math.isfinite, sizes))


@pytest.mark.skipif(not MEASURED.is_file(), reason="growth was not measured yet")
def test_a_unit_grows_linearly_and_a_non_local_block_faster():
    for title in ("pictures, forward", "videos, forward"):
        powers = json.loads(MEASURED.read_text())["series"][title]["exponents"]
        for key in ("seconds", "mib"):
            assert powers[key][UNIT] < 1.2 < 1.5 < powers[key][NON_LOCAL]
