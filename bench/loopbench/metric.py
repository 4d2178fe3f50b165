"""What a metric is: how a sample is taken, and which figures of it are told."""
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """A number of a sample. `target` is what devloop's median should not be worse than (in the figure's unit)."""
    key: str
    title: str
    unit: str
    more_is_better: bool = False
    target: float = None
    is_plotted: bool = False


@dataclass(frozen=True)
class Metric:
    """`measure(tool, quick)` takes samples of one tool on a stage of its own; the rounds go from tool to tool."""
    name: str
    title: str
    how: str             # what a tool has to be able to do (see tools.py); None: everything is measured
    figures: list
    measure: object
    rounds: int = 3
    rival_rounds: int = 2   # the floor and devloop are what has to be known best, and rivals take most of the time
    together: bool = False  # all tools at once: `measure(tools, quick)` gives samples by the tool's name

    def rounds_of(self, tool, rounds):
        return rounds if tool.is_floor or tool.name == "devloop" else min(rounds, self.rival_rounds)


METRICS = {}


def metric(name, title, how, figures, **more):
    """Registers the function below it."""
    def register(measure):
        METRICS[name] = Metric(name, title, how, figures, measure, **more)
        return measure
    return register
