"""The result of `benchmarks.scaling` as a section of docs/benchmarks.md and as a picture."""

from train.reporting.curves import pyplot, save

ABOUT = """Time and memory of a pass at batch 1 as the input grows, each figure from a process of
its own: the median of its passes, and the most memory that it held less what it held before
(weights, input, libraries). The unit and the blocks are those of Res3 (512 channels; 128 nodes, 256
inner channels), the convolution (3x3x3 in videos) has the unit's multiply-adds at 14x14, the whole
network's non-local block stands behind Res3, as wide as the head with the unit and on as many
locations. *Power* is the slope of a straight line through the logarithms of figure and locations,
by least squares, from the place that the row names on: 1 is linear, 2 quadratic."""
PICTURE = "scaling.png"  # beside the page
LOST = "what attention alone would need"


def scaling_section(result, table, machine):
    """The section as Markdown; `table` makes one of columns and rows, `machine` is a line."""
    parts = ["## As the input grows", machine, f"`{result['command']}`.", ABOUT]
    parts.append(f"![time and memory as the locations grow]({PICTURE})")
    for title, series in result["series"].items():
        parts += [f"### {title[0].upper()}{title[1:]}", _table(series, table), _sentences(series)]
    return "\n\n".join(filter(None, parts))


def _table(series, table):
    """Milliseconds and MiB of all competitors by place, and below them the powers."""
    names, points = _names(series), series["points"]
    rows = []
    for place in dict.fromkeys(point["place"] for point in points):
        here = {point["name"]: point for point in points if point["place"] == place}
        times = [_milliseconds(here[name]) for name in names]
        memory = [_rounded(here[name].get("mib"), 0) for name in names]
        rows.append([place, *times, *memory])
    powers = [
        _rounded(series["exponents"][key][name], 2) for key in ("seconds", "mib") for name in names
    ]
    rows.append([f"power, from {series['fit']}", *powers])
    columns = [f"{name}, {unit}" for unit in ("ms", "MiB") for name in names]
    return table(["", *columns], rows)


def _sentences(series):
    """How many times the first competitor's time and memory each other takes, as far as it ran."""
    first, *others = _names(series)
    lines = []
    for name in others:
        both = [
            (own, other)
            for own in _measured(series, first)
            for other in _measured(series, name)
            if own["place"] == other["place"]
        ]
        if not both:
            continue
        own, other = max(both, key=lambda pair: pair[0]["locations"])
        line = f"{name} / {first} at {own['place']}: {other['seconds'] / own['seconds']:.2f} times"
        line += f" the time, {other['macs'] / own['macs']:.2f} times the multiply-adds"
        if own["mib"] and other["mib"]:
            line += f", {other['mib'] / own['mib']:.2f} times the memory"
        lines.append(f"- {line}.")
    return "\n".join(lines)


def _names(series):
    """The competitors, in order."""
    return list(dict.fromkeys(point["name"] for point in series["points"]))


def _measured(series, name):
    """The points of a competitor that were run."""
    return [p for p in series["points"] if p["name"] == name and "seconds" in p]


def _milliseconds(point):
    """A point's time as text, or why it has none."""
    if "needed" in point:
        return f"not run: would need {point['needed'] / 1e9:.1f} GB"
    return _rounded(1000 * point["seconds"], 1)


def _rounded(value, digits):
    """A figure as text, a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}"


def draw(result, path):
    """Draw time and memory by locations, a column a series, both axes logarithmic, as PNG.

    Raises InputError where matplotlib is not installed.
    """
    count = len(result["series"])
    figure, rows = pyplot().subplots(2, count, figsize=(4.2 * count, 8), dpi=100, squeeze=False)
    for (title, series), axes in zip(result["series"].items(), zip(*rows)):
        for panel, key, scale in zip(axes, ("seconds", "mib"), (1000, 1)):
            _panel(panel, series, key, scale)
        axes[0].set(title=title, ylabel="ms")
        axes[1].set(ylabel="MiB", xlabel="pixels" if "networks" in title else "locations")
    save(figure, path)


def _panel(panel, series, key, scale):
    """Draw one figure of a series; hollow marks are what could not be run."""
    for number, name in enumerate(_names(series)):
        known = [point for point in _measured(series, name) if point[key]]
        power = series["exponents"][key][name]
        label = name if power is None else f"{name}: power {power:.2f}"
        x, y = [p["locations"] for p in known], [scale * p[key] for p in known]
        panel.plot(x, y, "o-", color=f"C{number}", label=label)
        lost = [p for p in series["points"] if p["name"] == name and "needed" in p]
        if key == "mib" and lost:
            x, y = [p["locations"] for p in lost], [p["needed"] / 2**20 for p in lost]
            panel.plot(x, y, "o", color=f"C{number}", fillstyle="none", label=LOST)
    panel.set(xscale="log", yscale="log")
    panel.grid(alpha=0.3)
    panel.legend(fontsize=7)
