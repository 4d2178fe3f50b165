"""What a save, a burst and a branch switch start, how soon, and how often."""
import subprocess

from . import figures
from .metric import Figure, metric
from .places import flat_tree, small
from .stage import Stage, ms, now, pause, save, word

RUNS = Figure("runs", "runs", "")
QUIET = 0.3  # longer than devloop's debounce, so every save comes after calm


def runs(records):
    return [record for record in records if record.what == "began" and record.words[0] == "run"]


def is_awake(stage, file):
    """Saves until the tool reacts, and waits until it is silent again."""
    for _ in range(8):
        save(file, word())
        if stage.pipe.until(runs, 2):
            stage.pipe.until_quiet(0.5, 5)
            return True
    return False


def one_save(stage, file, by_rename=False):
    """A save and what follows it: when the command's `main` began, how often it ran, whether the last run saw the content."""
    pause(0.03, 0.15)
    stage.pipe.drain()
    content = word()
    began = save(file, content, by_rename)
    records = stage.pipe.until(runs, 5)
    records += stage.pipe.until_quiet(QUIET, 3)
    started = runs(records)
    if not started:
        return {"missed": True, "runs": 0}
    return {"ms": ms(started[0].at - began), "runs": len(started), "missed": started[-1].words[1] != content,
            "double": len(started) > 1}


def saves(tool, quick, by_rename):
    with Stage(tool) as stage:
        last = flat_tree(stage.files, 100)
        stage.command = stage.task("run", 0, last)
        stage.start("watch")
        stage.wait_until_armed()
        if not is_awake(stage, last):
            return [{"missed": True, "runs": 0}]
        return [one_save(stage, last, by_rename) for _ in range(3 if quick else 8)]


SAVE = [Figure("ms", "save → command's `main`", "ms", target=4, is_plotted=True), RUNS]


@metric("save", "a file of 100 is written in place", "watch", SAVE)
def save_in_place(tool, quick):
    return saves(tool, quick, by_rename=False)


@metric("rename", "the same, with a temporary file renamed over it", "watch",
        [Figure("ms", "save by rename → command's `main`", "ms", target=4, is_plotted=True), RUNS], rounds=2, rival_rounds=1)
def save_by_rename(tool, quick):
    return saves(tool, quick, by_rename=True)


def many(tool, stage, files, how, spread_ms):
    """Many files change at once. The command takes 20 ms and reads the file that changes last."""
    last = stage.files / f"d{(files - 1) // 100:03}" / f"f{files - 1:05}.txt"
    stage.command = stage.task("run", 20, last)
    stage.start("watch")
    stage.wait_until_armed()
    if not is_awake(stage, last):
        return {"missed": True, "runs": 0}
    pids, content = stage.own(), word()
    stage.pipe.drain()
    used = figures.cpu_ms(pids)
    burst = subprocess.Popen([small("burst"), stage.files, str(files), content, how, str(spread_ms)], stdout=subprocess.PIPE)
    records = []
    while burst.poll() is None:
        records += stage.pipe.read(0.02)
    begin, end = map(int, burst.communicate()[0].split())
    records += stage.pipe.until_quiet(1, 15)
    started, ended = runs(records), [record for record in records if record.what == "ended"]
    sample = {"runs": len(started), "cpu_ms": figures.cpu_ms(pids) - used, "rss_mb": figures.memory_mb(pids),
              "burst_ms": ms(end - begin), "missed": not started or started[-1].words[1] != content}
    if started and ended:
        sample["first_ms"] = ms(started[0].at - begin)
        if not sample["missed"]:
            sample["last_start_ms"], sample["last_end_ms"] = ms(started[-1].at - end), ms(ended[-1].at - end)
    return sample


BURST = [Figure("last_end_ms", "end of a burst → end of the last run (20 ms)", "ms", target=55, is_plotted=True),
         Figure("runs", "runs of a burst", "", target=2), Figure("first_ms", "first change → first run", "ms", target=8),
         Figure("last_start_ms", "last change → last run", "ms", target=30), Figure("cpu_ms", "CPU", "ms")]


@metric("burst", "1,000 files are written as fast as it goes", "watch", BURST)
def burst(tool, quick):
    files = 200 if quick else 1000
    with Stage(tool) as stage:
        flat_tree(stage.files, files)
        return [many(tool, stage, files, "write", 0)]


SWITCH = [Figure("last_end_ms", "end of a branch switch → end of the last run (20 ms)", "ms", target=60, is_plotted=True),
          Figure("runs", "runs of a switch", "", target=3), Figure("cpu_ms", "CPU of a branch switch", "ms", target=300, is_plotted=True),
          Figure("rss_mb", "memory after it", "MB", target=30)]


@metric("switch", "20,000 files are removed and written anew within 3 s, as git does", "watch", SWITCH, rounds=2, rival_rounds=1)
def switch(tool, quick):
    files = 1000 if quick else 20_000
    with Stage(tool) as stage:
        flat_tree(stage.files, files)
        return [many(tool, stage, files, "checkout", 300 if quick else 3000)]
