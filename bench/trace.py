#!/usr/bin/env python3
"""One save, stage by stage: the microseconds from a file's close to the first instruction of its workflow's command.

    bench/trace.py [DEVLOOP] [SAVES]        target/release/devloop and 20, unless told otherwise

Needs Linux and strace. A session watches a folder of 100 files; each save runs one hook. strace stops every process at
the calls below, which makes all stages longer: the shares are right, the sum is not. Medians over all saves.
"""
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CALLS = "read,epoll_wait,timerfd_settime,sendmsg,recvmsg,clone,clone3,execve,rename,renameat,renameat2,exit_group"
CONFIG = """root = "."
[watch.src]
paths = ["src/**"]
workflow = "go"
[hook.command]
command = ["/bin/true"]
[workflow.go]
steps = [{ action = "run_hook", hook = "command" }]
"""
LINE = re.compile(r"^(\d+) +(\d+\.\d+) (.*)$")
STAGES = [
    "the kernel tells the watcher",
    "the loop is woken with the change",
    "nothing has moved for 2 ms",
    "the state is on disk (when it had changed)",
    "the launch is handed to a keeper",
    "the keeper has it",
    "the keeper has made the process",
    "the process asks to become the command",
    "the command's first instruction",
]


def stages(lines, loop, saved, name):
    """Seconds since the epoch of each stage after the save at `saved`; those that did not happen are missing."""
    at, keeper = {}, None
    for pid, when, call in lines:
        if when < saved or len(STAGES) - 1 in at:
            continue
        is_back = "resumed" in call or ") = " in call
        if 0 not in at:
            if name in call and "read" in call:
                at[0] = when
        elif pid == loop and 4 not in at:
            if "epoll_wait" in call and is_back and 1 not in at:
                at[1] = when
            elif call.startswith("read(") and '"\\1\\0\\0\\0\\0\\0\\0\\0", 8' in call:
                at[2] = when
            elif call.startswith("sendmsg(") and "SCM_RIGHTS" in call and 'iov_base="\\0", iov_len=1' not in call:
                at[4] = when
        elif call.startswith("rename") and "state" in call:
            at[3] = when
        elif 4 in at and "recvmsg" in call and is_back and 5 not in at and pid != loop:
            at[5], keeper = when, pid
        elif pid == keeper and call.startswith("clone("):
            at[6] = when
        elif 5 in at and "execve" in call:
            at[8 if "resumed" in call or call.endswith("= 0") and 7 in at else 7] = when
            if call.startswith("execve(") and call.endswith("= 0"):
                at[8] = when
    return at


def main():
    devloop = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "target/release/devloop")
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "src").mkdir()
        for number in range(100):
            (folder / f"src/f{number}.txt").write_text("before\n")
        (folder / "devloop.toml").write_text(CONFIG)
        trace = folder / "trace"
        run = subprocess.Popen(["strace", "-f", "-ttt", "-s", "64", "--seccomp-bpf", "-e", f"trace={CALLS}", "-o", trace,
                                devloop, "run"], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for line in run.stderr:
            if "watching" in line:
                break
        time.sleep(1)
        saves = []
        for number in range(count):
            time.sleep(0.5)
            name = f"f{number % 100}.txt"
            with open(folder / "src" / name, "w") as file:
                file.write(f"save {number}\n")
            saves.append((time.time(), name))
        time.sleep(0.5)
        lines = [(int(found[1]), float(found[2]), found[3])
                 for found in map(LINE.match, trace.read_text(errors="replace").splitlines()) if found]
        os.kill(lines[0][0], 2)
        run.communicate()
    seen = [(saved, stages(lines, lines[0][0], saved - 0.002, name)) for saved, name in saves]
    print("| stage | us since the save | us of this stage |\n|---|---|---|")
    before = 0.0
    for number, stage in enumerate(STAGES):
        times = [(at[number] - saved) * 1e6 for saved, at in seen if number in at]
        if times:
            now = statistics.median(times)
            print(f"| {stage} | {now:.0f} | {now - before:.0f} |")
            before = now
    print(f"\n{len(seen)} saves, {sum(len(STAGES) - 1 in at for _, at in seen)} seen to the end")


if __name__ == "__main__":
    main()
