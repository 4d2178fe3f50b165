"""How other programs are told to do the same thing, with their defaults where the name says nothing else."""
import json
import os
import subprocess
import time

from .places import RIVALS, installed
from .stage import Start
from .tools import Tool, toml


class Watchexec(Tool):
    name = "watchexec"

    def __init__(self):
        self.program = installed("watchexec")

    def base(self, stage):
        return [self.program, "--no-vcs-ignore", "--no-global-ignore", "--no-project-ignore", "--shell=none", "-w", stage.files]

    def watch(self, stage):
        return Start([*self.base(stage), "--postpone", "--", *stage.command])

    def ignoring(self, stage):
        return Start([self.program, "--shell=none", "-w", stage.files, "--postpone", "--", *stage.command])

    def serve(self, stage):
        return Start([*self.base(stage), "--restart", "--", *stage.command])


class WatchexecEager(Watchexec):
    """Without its debounce: what it costs to be as fast."""
    name = "watchexec, debounce 0"

    def base(self, stage):
        return [*super().base(stage), "--debounce", "0ms"]

    ignoring = None

    def version(self):
        return None


class Entr(Tool):
    name = "entr"

    def __init__(self):
        self.program = installed("entr")

    def version(self):
        return [self.program]

    def start(self, stage, flags):
        paths = stage.folder / "paths"
        with open(paths, "w") as out:
            for folder, _, files in os.walk(stage.files):
                out.writelines(f"{folder}/{file}\n" for file in files)
        return Start([self.program, *flags, *stage.command], stdin=open(paths, "rb"))

    def watch(self, stage):
        return self.start(stage, ["-n", "-p"])

    def serve(self, stage):
        return self.start(stage, ["-n", "-r"])


class Nodemon(Tool):
    name = "nodemon"

    def __init__(self):
        self.script = installed("nodemon")

    def version(self):
        return [self.script, "--version"]

    def base(self, stage):
        return [self.script, "--no-update-notifier", "-I", "-w", stage.files, "-e", "txt"]

    def watch(self, stage):
        return Start([*self.base(stage), "-C", "--exec", " ".join(stage.command)])

    def serve(self, stage):
        return Start([*self.base(stage), "--exec", " ".join(stage.command)])


class Mprocs(Tool):
    """Draws a screen, so it needs a terminal; it forwards no lines. It does not revive what fell within a second."""
    name = "mprocs"
    lives_s = 1.1

    def __init__(self):
        # The script that npm installs starts this program; measured is the program.
        system = f"{os.uname().sysname.lower()}-{os.uname().machine}"
        inner = sorted((RIVALS / "npm/node_modules/mprocs").glob(f"mprocs-*-{system}*/mprocs"))
        self.program = str(inner[-1]) if inner else installed("mprocs")

    def start(self, stage, **more):
        children = {f"child{i}": {"cmd": child, "stop": "SIGTERM", **more} for i, child in enumerate(stage.children)}
        path = stage.folder / "mprocs.yaml"
        path.write_text(json.dumps({"procs": children}))
        return Start([self.program, "-c", path], needs_terminal=True)

    def supervise(self, stage):
        return self.start(stage)

    def revive(self, stage):
        return self.start(stage, autorestart=True)


class Concurrently(Tool):
    name = "concurrently"
    lines = 2_000_000

    def __init__(self):
        self.script = installed("concurrently")

    def version(self):
        return [self.script, "--version"]

    def start(self, commands, *flags):
        names = ",".join(f"child{i}" for i in range(len(commands)))
        return Start([self.script, "--names", names, *flags, *(" ".join(command) for command in commands)])

    def supervise(self, stage):
        return self.start(stage.children)

    def revive(self, stage):
        return self.start(stage.children, "--restart-tries", "-1")

    def forward(self, stage):
        return self.start([stage.command])


class Pitchfork(Tool):
    """Its supervisor in the foreground, and its client that starts what its config names."""
    name = "pitchfork"
    waits_ms = 0

    def __init__(self):
        self.program = installed("pitchfork")

    def start(self, stage, commands, **keys):
        blocks = []
        for number, command in enumerate(commands):
            lines = {"run": "exec " + " ".join(command), "ready_delay": 0, **keys}
            blocks.append(f"[daemons.child{number}]\n" + "".join(f"{key} = {toml(value)}\n" for key, value in lines.items()))
        (stage.folder / "pitchfork.toml").write_text("[settings.general]\nautostop_delay = \"1h\"\n" + "".join(blocks))
        own = {f"PITCHFORK_{word}_DIR": str(stage.folder / "pitchfork" / word.lower()) for word in ("STATE", "CONFIG", "LOGS")}
        return Start([self.program, "supervisor", "run"], env=own, then=self.start_all)

    def start_all(self, stage, env):
        for _ in range(2000):
            if list((stage.folder / "pitchfork/state").glob("sock/*")):
                break
            time.sleep(0.002)
        null = subprocess.DEVNULL
        stage.client = subprocess.Popen([self.program, "start", "--local"], cwd=stage.folder, env=env, stdin=null, stdout=null, stderr=null)

    def serve(self, stage):
        return self.start(stage, [stage.command], watch=[f"{stage.files}/**/*"])

    def supervise(self, stage):
        return self.start(stage, stage.children)

    def revive(self, stage):
        return self.start(stage, stage.children, retry=1000)


KNOWN = [Watchexec, WatchexecEager, Entr, Nodemon, Mprocs, Concurrently, Pitchfork]


def found():
    """The rivals that are installed."""
    rivals = [rival() for rival in KNOWN]
    return [rival for rival in rivals if rival.program or getattr(rival, "script", None)]
