"""Whether a benchmark measured anything: structure, never speed."""
import math
import xml.etree.ElementTree

from . import plot
from .metric import METRICS
from .results import report

# The only figures that may be nought: what costs nothing.
MAY_BE_NOUGHT = {"cpu_ms", "read_cpu_ms", "read_switches", "switches", "cpu_us", "watches"}
# The instant at which a file stood still and the end of a burst may come after what they are compared with.
MAY_BE_NEGATIVE = {"last_start_ms", "step_ms"}


def problems(results, names):
    """What is missing or impossible among the samples of the floor and of devloop, a sentence each."""
    found = []
    for metric in (METRICS[name] for name in names):
        for tool in ("floor", "devloop"):
            samples = results.samples(metric.name, tool)
            if not samples:
                if tool == "devloop" or metric.how != "ignoring":
                    found.append(f"{metric.name}: {tool} has no sample")
                continue
            if all(sample.get("missed") for sample in samples):
                found.append(f"{metric.name}: {tool} missed everything")
            for figure in metric.figures:
                found += impossible(metric, tool, figure, results.values(metric.name, tool, figure))
        if not any(results.values(metric.name, "devloop", figure) for figure in metric.figures if figure.is_plotted):
            found.append(f"{metric.name}: devloop has no figure")
    page = report(results)
    found += [f"{name} is not in the table" for name in names if f"### {name}: " not in page]
    xml.etree.ElementTree.fromstring(plot.draw(results))
    return found


def impossible(metric, tool, figure, values):
    least = -math.inf if figure.key in MAY_BE_NEGATIVE else 0 if figure.key in MAY_BE_NOUGHT else math.ulp(0)
    wrong = [value for value in values if not math.isfinite(value) or value < least]
    return [f"{metric.name}: {tool} has an impossible '{figure.title}': {wrong[0]}"] if wrong else []
