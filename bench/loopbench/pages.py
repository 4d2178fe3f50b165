"""The table of figures in pages of the repository: worked out of the samples, between two marks, never by hand."""
from .metric import METRICS
from .results import grid, number

BEGIN, END = "<!-- figures -->", "<!-- /figures -->"
PAGES = ["README.md", "docs/comparison.md"]

FOOT = """
Medians, of {machine}, {at}; less is better, but for what is counted a second.
The floor is a small C program that does only the thing itself; – is what a tool does not do, or what was not measured.
"""


def table(results):
    """A row for each figure that is drawn, a column for each tool that has one."""
    rows = [(metric, figure) for metric in METRICS.values() for figure in metric.figures
            if figure.is_plotted and results.median(metric.name, "devloop", figure) is not None]
    measured = {tool for metric, figure in rows for tool in results.tools(metric.name) if results.values(metric.name, tool, figure)}
    others = sorted(measured - {"floor", "devloop"})
    lines = []
    for metric, figure in rows:
        unit = f", {figure.unit}" if figure.unit else ""
        lines.append([figure.title + unit, *(number(results.median(metric.name, tool, figure)) for tool in ("devloop", "floor", *others))])
    return grid(["measured", "devloop", "floor", *others], lines) + FOOT.format(**results.content)


def refreshed(results, page):
    """A page with its table as it has to be; the page as it is where it has no marks."""
    before, mark, rest = page.partition(BEGIN)
    if not mark:
        return page
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"{BEGIN} has no {END}")
    return f"{before}{BEGIN}\n\n{table(results)}\n{END}{after}"


def refresh(results, root):
    """Writes the table into the pages; the names of those that were not as they have to be."""
    changed = []
    for name in PAGES:
        page = (root / name).read_text()
        if BEGIN not in page:
            raise ValueError(f"{name} has no {BEGIN}")
        new = refreshed(results, page)
        if new != page:
            (root / name).write_text(new)
            changed.append(name)
    return changed
