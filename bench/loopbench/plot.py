"""The picture of the results: a row a figure, a mark a tool, how many times worse than the floor on a logarithmic scale."""
import math
from html import escape

from .metric import METRICS
from .results import number

WIDTH, LEFT, RIGHT, TOP, ROW = 960, 330, 90, 74, 25
COLOURS = {"devloop": "#e4572e", "watchexec": "#4c8bf5", "watchexec, debounce 0": "#7fc4f0", "entr": "#2ca27a", "nodemon": "#b07cd8",
           "mprocs": "#c9a227", "concurrently": "#d8709b", "pitchfork": "#8a8f98"}

STYLE = """
.back { fill: #ffffff } .text { fill: #1f2328 } .quiet { fill: #656d76 } .line { stroke: #d0d7de } .floor { stroke: #1f2328 }
.stripe { fill: #f6f8fa }
@media (prefers-color-scheme: dark) {
.back { fill: #0d1117 } .text { fill: #e6edf3 } .quiet { fill: #8d96a0 } .line { stroke: #30363d } .floor { stroke: #e6edf3 }
.stripe { fill: #161b22 }
}
text { font: 12px system-ui, -apple-system, 'Segoe UI', sans-serif }
"""


def rows_of(results):
    """`(figure, devloop's median, [(tool, ratio, missed)])` for each figure that has a floor."""
    rows = []
    for metric in METRICS.values():
        for figure in metric.figures:
            if not figure.is_plotted:
                continue
            marks = [(tool, results.ratio(metric.name, tool, figure), results.count(metric.name, tool, "missed"))
                     for tool in results.tools(metric.name) if tool in COLOURS]
            marks = [mark for mark in marks if mark[1]]
            if marks:
                rows.append((figure, results.median(metric.name, "devloop", figure), marks))
    return rows


def draw(results):
    """The SVG as a text. It has a background of its own, so it can be read on any page, and follows a dark scheme."""
    rows = rows_of(results)
    ratios = [ratio for _, _, marks in rows for _, ratio, _ in marks] or [1]
    low, high = math.floor(math.log10(min(*ratios, 0.7)) * 2) / 2, math.ceil(math.log10(max(*ratios, 10)) * 2) / 2
    height = TOP + ROW * len(rows) + 34

    def x(ratio):
        return LEFT + (math.log10(ratio) - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">',
             "<title>How many times worse than the floor: devloop and others</title>", f"<style>{STYLE}</style>",
             f'<rect class="back" width="{WIDTH}" height="{height}" rx="6"/>', *legend(results)]
    parts += [f'<rect class="stripe" x="8" y="{TOP + ROW * at}" width="{WIDTH - 16}" height="{ROW}"/>' for at in range(0, len(rows), 2)]
    bottom = TOP + ROW * len(rows)
    for power in range(math.ceil(low), math.floor(high) + 1):
        kind = "floor" if power == 0 else "line"
        label = "floor" if power == 0 else f"{10 ** power:,g} ×"
        parts.append(f'<line class="{kind}" x1="{x(10 ** power):.1f}" x2="{x(10 ** power):.1f}" y1="{TOP}" y2="{bottom}" stroke-opacity="0.6"/>')
        parts.append(f'<text class="quiet" x="{x(10 ** power):.1f}" y="{bottom + 18}" text-anchor="middle">{label}</text>')
    for at, (figure, median, marks) in enumerate(rows):
        parts += row(at, figure, median, [(tool, x(ratio), ratio, missed) for tool, ratio, missed in marks])
    return "\n".join([*parts, "</svg>\n"])


def legend(results):
    used = {tool for metric in METRICS for tool in results.tools(metric)}
    parts = [f'<text class="text" x="16" y="26" style="font-size:15px;font-weight:600">Times the floor, less is better</text>',
             f'<text class="quiet" x="{WIDTH - 12}" y="26" text-anchor="end">medians; a hollow mark missed something; devloop\'s figure at the right</text>']
    at = 16
    for tool in (tool for tool in COLOURS if tool in used):
        parts += [f'<circle cx="{at + 5}" cy="48" r="5" fill="{COLOURS[tool]}"/>', f'<text class="text" x="{at + 15}" y="52">{escape(tool)}</text>']
        at += 34 + 7 * len(tool)
    return parts


def row(at, figure, median, marks):
    middle = TOP + ROW * at + ROW / 2
    title = figure.title.replace("`", "")
    parts = [f'<text class="text" x="16" y="{middle + 4}">{escape(title)}</text>']
    if median is not None:
        parts.append(f'<text class="text" x="{WIDTH - 14}" y="{middle + 4}" text-anchor="end">{number(median)} {escape(figure.unit)}</text>')
    # devloop last, so that nothing covers it.
    for tool, x, ratio, missed in sorted(marks, key=lambda mark: mark[0] == "devloop"):
        radius = 6.5 if tool == "devloop" else 4.5
        paint = f'fill="{"none" if missed else COLOURS[tool]}" stroke="{COLOURS[tool]}" stroke-width="1.6"'
        parts.append(f'<circle cx="{x:.1f}" cy="{middle}" r="{radius}" {paint}><title>{escape(tool)}: {number(ratio)} ×</title></circle>')
    return parts
