"""Samples, kept as they are; medians and ratios, worked out of them; the table."""
import json
import statistics
from pathlib import Path

from .metric import METRICS

HEAD = """# Results

Written by `bench/run`; the raw samples are in [results.json](results.json), and every line of it is one sample.

All tools ran in turn on one machine: {machine}. Measured {at}.
A ratio to the floor travels to another machine, a time does not.
The floor is a small C program that does only the thing itself (`bench/c`).
A *miss* is a change, a value, a line or a start that the tool lost or that did not come in time; a *double run* is a second run for one save.
Rivals have their defaults; `watchexec, debounce 0` shows what their smallest wait costs in runs.
"""


class Results:
    """`{metric: {tool: [sample, …]}}`, beside the machine and the versions."""
    def __init__(self, path):
        self.path = Path(path)
        self.content = {"machine": "", "at": "", "versions": {}, "metrics": {}}
        if self.path.exists():
            self.content = json.loads(self.path.read_text())

    def forget(self, metric, tool):
        self.content["metrics"].setdefault(metric, {})[tool] = []

    def add(self, metric, tool, samples):
        rounded = [{key: round(value, 4) if isinstance(value, float) else value for key, value in sample.items()} for sample in samples]
        self.content["metrics"][metric][tool] += rounded

    def save(self):
        """A sample a line, so that two versions of the file can be compared."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        head = {key: value for key, value in self.content.items() if key != "metrics"}
        blocks = []
        for metric, tools in self.content["metrics"].items():
            for tool, samples in tools.items():
                lines = ",\n".join("   " + json.dumps(sample) for sample in samples)
                blocks.append((metric, f"  {json.dumps(tool)}: [\n{lines}\n  ]"))
        metrics = ",\n".join(f" {json.dumps(name)}: {{\n" + ",\n".join(block for metric, block in blocks if metric == name) + "\n }"
                             for name in self.content["metrics"])
        begin = json.dumps(head, indent=1).removesuffix("\n}")
        new = self.path.with_suffix(".new")
        new.write_text(f"{begin},\n \"metrics\": {{\n{metrics}\n }}\n}}\n")
        json.loads(new.read_text())
        new.rename(self.path)

    def samples(self, metric, tool):
        return self.content["metrics"].get(metric, {}).get(tool, [])

    def tools(self, metric):
        return [tool for tool, samples in self.content["metrics"].get(metric, {}).items() if samples]

    def values(self, metric, tool, figure):
        return sorted(sample[figure.key] for sample in self.samples(metric, tool) if sample.get(figure.key) is not None)

    def median(self, metric, tool, figure):
        values = self.values(metric, tool, figure)
        return statistics.median(values) if values else None

    def bad_end(self, metric, tool, figure):
        """The 95th percentile from the good end; with few samples the worst one."""
        values = self.values(metric, tool, figure)
        if figure.more_is_better:
            values.reverse()
        return values[min(len(values) - 1, int(len(values) * 0.95))] if values else None

    def ratio(self, metric, tool, figure):
        """How many times worse than the floor."""
        floor, own = self.median(metric, "floor", figure), self.median(metric, tool, figure)
        if not floor or not own or min(floor, own) < 0:
            return None
        return floor / own if figure.more_is_better else own / floor

    def count(self, metric, tool, key):
        return sum(bool(sample.get(key)) for sample in self.samples(metric, tool))


def number(value):
    """Three digits that count."""
    if value is None:
        return "–"
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def times(ratio):
    return f"{number(ratio)} ×" if ratio else "–"


def is_met(figure, value):
    return value >= figure.target if figure.more_is_better else value <= figure.target


def metric_table(results, metric):
    """All figures of one metric: a row a tool."""
    tools = results.tools(metric.name)
    told = [figure for figure in metric.figures if any(results.values(metric.name, tool, figure) for tool in tools)]
    columns = ["tool"]
    for figure in told:
        title = figure.title + (f", {figure.unit}" if figure.unit else "")
        columns += [title, "p95", "to the floor"] if figure.is_plotted else [title]
    columns += ["samples", "misses", "double runs"]
    rows = []
    for tool in tools:
        row = [f"**{tool}**" if tool == "devloop" else tool]
        for figure in told:
            row.append(number(results.median(metric.name, tool, figure)))
            if figure.is_plotted:
                row += [number(results.bad_end(metric.name, tool, figure)), times(results.ratio(metric.name, tool, figure))]
        rows.append(row + [str(len(results.samples(metric.name, tool))), *(str(results.count(metric.name, tool, key)) for key in ("missed", "double"))])
    return f"### {metric.name}: {metric.title}\n\n" + grid(columns, rows)


def grid(columns, rows):
    lines = [columns, ["---"] + ["---:"] * (len(columns) - 1), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def summary(results):
    """Every figure that has a target or is drawn: the floor, devloop, its target, the best of the others."""
    rows = []
    for metric in METRICS.values():
        for figure in metric.figures:
            own = results.median(metric.name, "devloop", figure)
            if own is None or not (figure.is_plotted or figure.target):
                continue
            rivals = [(results.median(metric.name, tool, figure), tool) for tool in results.tools(metric.name) if tool not in ("floor", "devloop")]
            rivals = sorted((pair for pair in rivals if pair[0] is not None), reverse=figure.more_is_better)
            unit = f" {figure.unit}" if figure.unit else ""
            sign = "≥" if figure.more_is_better else "≤"
            target = f"{sign} {number(figure.target)}" if figure.target else "–"
            met = ("yes" if is_met(figure, own) else "**no**") if figure.target else "–"
            best = f"{number(rivals[0][0])} ({rivals[0][1]})" if rivals else "–"
            rows.append([metric.name, figure.title, number(results.median(metric.name, "floor", figure)), f"{number(own)}{unit}",
                         times(results.ratio(metric.name, "devloop", figure)), target, met, best])
    return grid(["metric", "measured (median)", "floor", "devloop", "to the floor", "target", "met", "best of the others"], rows)


def disturbance(results):
    """How much of the machine others used: figures from a busy one say little."""
    shares = [sample.get("busy") for tools in results.content["metrics"].values() for samples in tools.values() for sample in samples]
    known = sorted(share for share in shares if share is not None)
    if not known:
        return "How busy the machine was otherwise is not known: do not trust these figures.\n"
    warning = "" if statistics.median(known) <= 0.1 else " That is too much to trust these figures."
    return f"Just before the samples others used {statistics.median(known):.0%} of it (median; {known[-1]:.0%} at most).{warning}\n"


def report(results):
    """The whole page."""
    content = results.content
    versions = "".join(f"- {tool}: {version}\n" for tool, version in content["versions"].items())
    tables = [metric_table(results, METRICS[name]) for name in METRICS if results.tools(name)]
    return "\n".join([HEAD.format(**content), disturbance(results), "![ratios to the floor](plot.svg)\n", summary(results), "## All figures\n", *tables,
                      "## Versions\n", versions])
