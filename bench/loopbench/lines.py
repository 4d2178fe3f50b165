"""How many lines a second go from a child through a tool into a file."""
import json
import os
import subprocess
import time
from pathlib import Path

from . import figures
from .metric import Figure, metric
from .places import WORK, small
from .stage import Stage, ms, now

LENGTH = 100
MEMORY_FOLDER = Path("/dev/shm")  # so that no disk is measured


def sink():
    folder = MEMORY_FOLDER if os.access(MEMORY_FOLDER, os.W_OK) else WORK
    return folder / f"devloop-bench-lines-{os.getpid()}"


def watch_until_written(stage, path):
    """Looks at the file until it stands still after the child has ended. Returns when it was whole, CPU, and memory."""
    size, at, used, memory, is_ended, pids = 0, now(), 0, 0, False, stage.own()
    while now() - at < 20e9:
        new, used = os.path.getsize(path), max(used, figures.cpu_ms(pids))
        memory = max(memory, figures.status(pids, "VmHWM") / 1024)
        if new != size:
            size, at = new, now()
        is_ended = is_ended or any(r.what == "ended" for r in stage.pipe.read(0))
        if stage.process.poll() is not None or (is_ended and now() - at > 400e6):
            break
        time.sleep(0.002)
    return at, used, memory


@metric("lines", "one child writes numbered lines of 100 bytes; devloop with its session log", "forward",
        [Figure("per_s", "lines a second, labelled, to a file", "M/s", more_is_better=True, target=5, is_plotted=True),
         Figure("cpu_us", "CPU a line", "µs", target=0.25), Figure("rss_mb", "memory", "MB", target=30)])
def lines(tool, quick):
    count = tool.lines // (20 if quick else 1)
    path = sink()
    try:
        with Stage(tool) as stage, open(path, "wb") as out:
            stage.command = [small("speak"), stage.pipe.path, str(count), str(LENGTH), *(["stay"] if not tool.is_floor else [])]
            if tool.name == "concurrently":
                stage.command.pop()  # it ends with its children
            stage.start("forward", stdout=out)
            began = stage.told("began", 10)
            if not began:
                return [{"missed": True}]
            at, used, memory = watch_until_written(stage, path)
        checked = subprocess.run([small("check"), path, str(count), str(LENGTH)], stdout=subprocess.PIPE, text=True, check=True)
        whole = json.loads(checked.stdout)
        seconds = ms(at - began[0].at) / 1000
        return [{"per_s": count / seconds / 1e6, "cpu_us": used * 1000 / count, "rss_mb": memory, **whole,
                 "missed": any(whole.values())}]
    finally:
        path.unlink(missing_ok=True)
