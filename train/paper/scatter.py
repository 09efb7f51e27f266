"""A scatter of accuracy against cost whose labels lie beside their marks and on nothing else.

The labels are placed by hand, thirty lines: adjustText, the library for it, would be a dependency
for one picture, and moves labels step by step from random starts where these are always the same.
"""

from dataclasses import dataclass
from typing import Optional

import numpy as np
from matplotlib.transforms import Bbox

STAR = 250  # square points; of a run, whatever its parameters
SMALLEST = 15
SIDES = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1))


@dataclass(frozen=True)
class Point:
    """A network, or a run of it: accuracy in per cent, its `deviation` over seeds.

    `units` is the kind of its units, "glore" or "nonlocal", None of a plain network. Points of a
    `group` have a color, and lines from the plain network to those with units.
    """

    label: str
    network: str
    units: Optional[str]
    group: str
    parameters: int
    macs: int
    accuracy: float
    deviation: float = 0.0
    run: bool = False

    def style(self, color):
        """How it is drawn: hollow without units, a star where it is a run."""
        return {
            "marker": "*" if self.run else "s" if self.units == "nonlocal" else "o",
            "facecolors": color if self.units else "white",
            "edgecolors": color,
            "linewidths": 1.5,
            "zorder": 2,
        }


@dataclass(frozen=True)
class Panel:
    """One scatter: `points` on matplotlib's `axes`, colors by group.

    `unit`: the multiply-adds that are 1 on the x-axis. `area`: square points for a parameter.
    """

    axes: object
    points: list
    colors: dict
    unit: float
    area: float

    def place(self, point):
        """Where a point lies: (x, y)."""
        return point.macs / self.unit, point.accuracy

    def size(self, point):
        """A mark's area in square points."""
        return STAR if point.run else max(self.area * point.parameters, SMALLEST)

    def draw(self):
        """Draw marks, deviations and lines; `label` follows when the layout is final."""
        for plain, point in self.lines():
            ends = zip(self.place(plain), self.place(point))
            self.axes.plot(*ends, color=self.colors[point.group], alpha=0.6, linewidth=1)
        for point in self.points:
            color = self.colors.get(point.group, "black")
            if point.deviation:
                bar = {"yerr": point.deviation, "color": color, "capsize": 3, "zorder": 1.5}
                self.axes.errorbar(*self.place(point), **bar)
            self.axes.scatter(*self.place(point), s=self.size(point), **point.style(color))
        self.axes.margins(0.2, 0.12)  # room for labels on the left
        self.axes.grid(alpha=0.3)

    def lines(self):
        """[(plain, with units)]: the pairs that a line connects."""
        plain = {p.group: p for p in self.points if not (p.units or p.run)}
        return [(plain[p.group], p) for p in self.points if p.units and p.group in plain]

    def label(self):
        """Write each label where no mark, line, legend or other label is; returns the texts."""
        renderer = self.axes.figure.canvas.get_renderer()
        taken = [self.axes.get_legend().get_window_extent(renderer)]
        taken += [self.box(point) for point in self.points]
        for ends in self.lines():
            ends = self.axes.transData.transform([self.place(point) for point in ends])
            on_line = np.linspace(*ends, num=100)
            taken += [Bbox.from_extents(*xy, *xy) for xy in on_line]
        texts = []
        for point in self.points:
            text = self.axes.annotate(
                point.label,
                self.place(point),
                xytext=(0, 0),
                textcoords="offset pixels",
                ha="center",
                va="center",
                fontsize=9,
            )
            text.set_in_layout(False)
            size = text.get_window_extent(renderer)
            text.set_position(self._free(size, self.box(point), taken))
            taken.append(text.get_window_extent(renderer))
            texts.append(text)
        return texts

    def box(self, point):
        """The box around a mark, in pixels."""
        x, y = self.axes.transData.transform(self.place(point))
        radius = (self.size(point) ** 0.5 + 2) / 2 * self.axes.figure.dpi / 72
        return Bbox.from_extents(x - radius, y - radius, x + radius, y + radius)

    def _free(self, text, mark, taken):
        """The least shift of a text, in pixels, that takes it off its mark to a free place."""
        inside = self.axes.bbox
        for away in range(2, 120, 4):
            for x, y in SIDES:
                dx = x * ((mark.width + text.width) / 2 + away)
                dy = y * ((mark.height + text.height) / 2 + away)
                box = text.translated(dx, dy)
                held = inside.contains(box.x0, box.y0) and inside.contains(box.x1, box.y1)
                if held and not box.count_overlaps(taken):
                    return dx, dy
        return 0, 0
