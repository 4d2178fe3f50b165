"""The life of a session: start, rest, end; and the program by itself."""
import contextlib
import os
import select
import subprocess
import time

from . import figures
from .metric import Figure, metric
from .places import WORK, deep_tree, small
from .stage import Stage, ms, now
from .tools import size_mb

CHILDREN = 10


def gone_at(pids, seconds):
    """The instant at which each process was gone (pidfd_open(2)), for those that went in time."""
    waiting, at, end = select.poll(), {}, time.monotonic() + seconds
    descriptors = {os.pidfd_open(pid): pid for pid in pids}
    for descriptor in descriptors:
        waiting.register(descriptor, select.POLLIN)

    def wait():
        while len(at) < len(descriptors) and time.monotonic() < end:
            for descriptor, _ in waiting.poll(100):
                at[descriptors[descriptor]] = now()
                waiting.unregister(descriptor)
        for descriptor in descriptors:
            os.close(descriptor)
        return at

    return wait


@metric("start", "ten children that do nothing and end when they are told to", "supervise",
        [Figure("first_ms", "start → first child's `main`", "ms", target=6, is_plotted=True),
         Figure("tenth_ms", "start → tenth child's `main`", "ms", target=12, is_plotted=True),
         Figure("gone_ms", "SIGINT → all gone", "ms", target=4, is_plotted=True)], rounds=6, rival_rounds=3)
def start(tool, quick):
    with Stage(tool) as stage:
        stage.children = [stage.task(f"child{number}", "stay") for number in range(CHILDREN)]
        stage.start("supervise")
        children = stage.told("began", 10, CHILDREN)
        if len(children) < CHILDREN:
            return [{"missed": True}]
        at = sorted(child.at for child in children)
        sample = {"first_ms": ms(at[0] - stage.began), "tenth_ms": ms(at[-1] - stage.began), "missed": False}
        time.sleep(1)  # who ends a session has mostly looked at it
        wait = gone_at([stage.process.pid, *(child.pid for child in children)], 8)
        began = now()
        os.kill(stage.process.pid, 2)
        gone = wait()
        if len(gone) == CHILDREN + 1:
            sample["gone_ms"] = ms(max(gone.values()) - began)
        else:
            sample["missed"] = True
        return [sample]


def rest_sample(stage):
    pids = stage.own()
    return figures.cpu_ms(pids), figures.switches(pids), figures.memory_mb(pids)


@metric("idle", "nothing happens for 30 s: ten children and 10,000 watched files, or the half of it that a tool can; all tools "
                "at once", None,
        [Figure("cpu_ms", "CPU of 30 s at rest", "ms", target=1), Figure("switches", "wake-ups in 30 s", "", target=10),
         Figure("rss_mb", "memory at rest", "MB", target=12, is_plotted=True)], rounds=1, together=True)
def idle(tools, quick):
    files = 1000 if quick else 10_000
    samples = {}
    with contextlib.ExitStack() as stack:
        stages = []
        for tool in tools:
            how = "supervise" if tool.can("supervise") and not tool.is_floor else "watch"
            if tool.name.endswith("debounce 0") or not tool.can(how):
                continue
            source = WORK / f"tree{files}"
            deep_tree(source, files)
            stage = stack.enter_context(Stage(tool, name=f"rest-{len(stages)}", files=source))
            stage.children = [stage.task(f"child{number}", "stay") for number in range(CHILDREN)]
            stage.command = stage.task("run", 0)
            stage.start(how)
            stages.append(stage)
        time.sleep(2 if quick else 10)  # until those that are slow have started
        before = [rest_sample(stage) for stage in stages]
        time.sleep(1 if quick else 30)
        for stage, (cpu, switches, _) in zip(stages, before):
            cpu_after, switches_after, memory = rest_sample(stage)
            # A process that has ended meanwhile takes its counts with it.
            used, woken = max(0, cpu_after - cpu), max(0, switches_after - switches)
            samples[stage.tool.name] = [{"cpu_ms": used, "switches": woken, "rss_mb": memory,
                                         "missed": stage.process.poll() is not None}]
    return samples


@metric("program", "`--version`, from start to end; the floor is a program that does nothing", "version",
        [Figure("ms", "`--version`", "ms", target=1.2, is_plotted=True), Figure("size_mb", "size of the program", "MB", target=8)])
def program(tool, quick):
    words = tool.version()
    if not words:
        return []
    out = subprocess.run([small("cold"), "3" if quick else "15", *words], stdout=subprocess.PIPE, text=True, check=True).stdout
    return [{"ms": ms(int(line)), "size_mb": size_mb(tool), "missed": False} for line in out.split()[1:]]
