"""The command line of `bench/run`."""
import argparse
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from . import saves, trees, servers, events, lines, life  # in the order of the table
from . import figures, pages, plot, rivals
from .checks import problems
from .metric import METRICS
from .places import REPOSITORY, WORK, build_devloop, build_small_programs
from .results import Results, metric_table, report
from .tools import Devloop, Floor

ROOMS = (saves, trees, servers, events, lines, life)  # importing them has registered their metrics

USAGE = """Measures devloop, the programs of its kind that are installed, and the floor, in turn (A B A B).

  bench/run                     everything, with a release build of this repository
  bench/run save restart        these metrics; what is measured again replaces what is there
  bench/run --quick             everything once, with small numbers: whether it works, not how fast it is
  bench/run --draw              table and plot once more, from the samples that are there
  bench/run --draw --out bench  also the tables of the README and of docs/comparison.md, which are of these samples

Metrics: """


def words(arguments):
    parser = argparse.ArgumentParser(prog="bench/run", description=USAGE + " ".join(METRICS), formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("metrics", nargs="*", metavar="METRIC", choices=[*METRICS, []])
    parser.add_argument("--devloop", type=Path, metavar="PATH", help="a program that is built already (default: builds a release)")
    parser.add_argument("--tools", metavar="A,B", help="only these: floor, devloop, names of rivals")
    parser.add_argument("--rounds", type=int, default=0, help="rounds of each metric (default: as many as it needs)")
    parser.add_argument("--quick", action="store_true", help="small numbers, one round")
    parser.add_argument("--check", action="store_true", help="fail when the floor or devloop has no usable sample of a metric")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "target/bench", metavar="FOLDER",
                        help="where results.json, RESULTS.md and plot.svg go (default: target/bench; those of the README: bench)")
    parser.add_argument("--draw", action="store_true", help="measure nothing")
    return parser.parse_args(arguments)


def version(tool):
    if tool.name in ("floor",) or not tool.version():
        return None
    told = subprocess.run(tool.version(), capture_output=True, text=True, timeout=30, check=False)
    numbers = [line for line in (told.stdout + told.stderr).splitlines() if re.search(r"\d+\.\d+", line)]
    return re.search(r"\d+(\.\d+)+", numbers[0])[0] if numbers else "unknown"


def measure(metric, tools, options, results):
    """The rounds of one metric, from tool to tool."""
    able = [tool for tool in tools if metric.how is None or tool.can(metric.how)]
    for tool in able:
        results.forget(metric.name, tool.name)
    rounds = 1 if options.quick else options.rounds or metric.rounds
    for number in range(rounds):
        if metric.together:
            for name, samples in metric.measure(able, options.quick).items():
                results.add(metric.name, name, samples)
            continue
        for tool in able:
            if number < metric.rounds_of(tool, rounds):
                busy = {} if options.quick else {"busy": figures.wait_for_quiet(limit=5)}
                results.add(metric.name, tool.name, [{**sample, **busy} for sample in metric.measure(tool, options.quick)])


def main(arguments):
    options = words(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what is on a stage is stopped then, too
    results = Results(options.out / "results.json")
    if not options.draw:
        build_small_programs()
        tools = [Floor(), Devloop(options.devloop.resolve() if options.devloop else build_devloop()), *rivals.found()]
        if options.tools:
            tools = [tool for tool in tools if tool.name in options.tools.split(",")]
        results.content.update(machine=figures.machine(), at=time.strftime("%Y-%m-%d"))
        results.content["versions"].update({tool.name: told for tool in tools if (told := version(tool))})
        for name in options.metrics or METRICS:
            began = time.monotonic()
            measure(METRICS[name], tools, options, results)
            results.save()
            if results.tools(name):
                print(metric_table(results, METRICS[name]), flush=True)
            print(f"({time.monotonic() - began:.0f} s)\n", file=sys.stderr, flush=True)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "RESULTS.md").write_text(report(results))
    (options.out / "plot.svg").write_text(plot.draw(results))
    if options.out.resolve() == REPOSITORY / "bench":
        for name in pages.refresh(results, REPOSITORY):
            print(f"bench: {name} has the new figures", file=sys.stderr)
    if options.check:
        found = problems(results, options.metrics or METRICS)
        for problem in found:
            print(f"bench: {problem}", file=sys.stderr)
        return 1 if found else 0
    return 0
