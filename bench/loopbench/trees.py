"""What watching large trees costs: until it is armed, in memory, while somebody reads them, and for a save."""
import subprocess

from . import figures
from .metric import Figure, metric
from .places import WORK, deep_tree, fresh
from .saves import is_awake, one_save
from .stage import Stage, ms


def tree(tool, files, saves, reads):
    source = WORK / f"tree{files}"
    last = deep_tree(source, files)
    with Stage(tool, files=source) as stage:
        stage.command = stage.task("run", 0, last)
        stage.start("watch")
        watches, at = stage.wait_until_armed()
        pids = stage.own()
        sample = {"armed_ms": ms(at - stage.began), "watches": watches, "rss_mb": figures.memory_mb(pids),
                  "cpu_ms": figures.cpu_with_reaped_ms(pids), "missed": False}
        if not is_awake(stage, last):
            return [{**sample, "missed": True}]
        found = [one_save(stage, last) for _ in range(saves)]
        quick_ones = sorted(save["ms"] for save in found if not save["missed"])
        sample.update(missed=len(quick_ones) < saves, double=any(save.get("double") for save in found))
        if quick_ones:
            sample["save_ms"] = quick_ones[len(quick_ones) // 2]
        if reads:
            used, woken = figures.cpu_ms(pids), figures.switches(pids)
            subprocess.run(["grep", "-rc", "nothing", source], stdout=subprocess.DEVNULL, check=False)
            stage.pipe.until_quiet(0.3, 3)
            sample["read_cpu_ms"], sample["read_switches"] = figures.cpu_ms(pids) - used, figures.switches(pids) - woken
    return [sample]


def columns(files, armed, memory, cpu):
    return [Figure("armed_ms", f"start → {files} files are watched", "ms", target=armed, is_plotted=True),
            Figure("save_ms", f"save among {files} files", "ms", target=4, is_plotted=True),
            Figure("rss_mb", f"memory, {files} files", "MB", target=memory, is_plotted=True),
            Figure("cpu_ms", "CPU until then", "ms", target=cpu), Figure("watches", "watches", "")]


READ = [Figure("read_cpu_ms", "CPU while all are read", "ms", target=0.5), Figure("read_switches", "wake-ups then", "", target=5)]


@metric("tree10k", "10,000 files in 1,111 folders, all of which matter", "watch", columns("10,000", 40, 10, 30) + READ, rounds=2, rival_rounds=1)
def tree10k(tool, quick):
    return tree(tool, 1000 if quick else 10_000, saves=2 if quick else 4, reads=True)


@metric("tree100k", "100,000 files in 11,111 folders, all of which matter", "watch", columns("100,000", 250, 16, None), rounds=2, rival_rounds=1)
def tree100k(tool, quick):
    return tree(tool, 1000 if quick else 100_000, saves=2 if quick else 4, reads=False)


@metric("ignored", "100,000 files that git ignores beside 5 folders that matter", "ignoring",
        [Figure("armed_ms", "start → 5 folders are watched, 100,000 files ignored", "ms", target=20, is_plotted=True),
         Figure("watches", "watches", "", target=8)], rounds=2, rival_rounds=1)
def ignored(tool, quick):
    files = 1000 if quick else 100_000
    project = WORK / f"ignoring{files}"
    deep_tree(project / "dist", files)
    for number in range(5):
        (project / f"part{number}").mkdir(exist_ok=True)
        (project / f"part{number}/file.txt").write_text("old\n")
    (project / ".gitignore").write_text("dist/\ndist.complete\n")
    (project / ".git").mkdir(exist_ok=True)
    with Stage(tool, files=project) as stage:
        stage.command = stage.task("run", 0, project / "part4/file.txt")
        stage.start("ignoring")
        watches, at = stage.wait_until_armed()
        sample = {"armed_ms": ms(at - stage.began), "watches": watches}
        return [{**sample, "missed": not is_awake(stage, project / "part4/file.txt")}]
