"""How the floors and devloop are told to do the same thing. The rivals are in rivals.py.

What a tool can do is which of these it has: `watch` (run `stage.command` when a file of `stage.files` changes), `serve`
(keep `stage.command` running and start it anew after a change), `supervise` (keep `stage.children` running), `revive`
(supervise one, and start it again when it falls), `forward` (show the output of `stage.command`, labelled), `listen` (an
event server whose workflow does `stage.steps`), `ignoring` (as `watch`, without what git ignores)."""
import json
import os

from .places import small
from .stage import Start


class Tool:
    name = ""
    is_floor = False
    program = None  # the file whose size is told
    waits_ms = 0    # the wait before a restart that was asked for, in `revive`
    lines = 0       # how many lines `forward` is measured with
    lives_s = 0.3   # how long a child has to live to be revived

    def can(self, how):
        return getattr(self, how, None) is not None

    def version(self):
        return [self.program, "--version"]


class Floor(Tool):
    name = "floor"
    is_floor = True
    program = small("floor_start")
    lines = 5_000_000

    def version(self):
        return [self.program]

    def watch(self, stage):
        return Start([small("floor_watch"), stage.pipe.path, stage.files, *stage.command])

    def serve(self, stage):
        return Start([small("floor_watch"), "-r", stage.pipe.path, stage.files, *stage.command])

    def supervise(self, stage):
        return Start([small("floor_supervise"), len(stage.children), *stage.children[0]])

    revive = supervise

    def forward(self, stage):
        return Start([small("floor_lines"), "[speak child] ", *stage.command])

    def listen(self, stage):
        command = stage.task("run", 0) if stage.steps[0]["action"] == "run_hook" else []
        return Start([small("floor_events"), stage.pipe.path, stage.folder / "state.json", *command])


def toml(value):
    """A value as TOML writes it; strings, numbers and booleans are those of JSON."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value if isinstance(value, (int, bool)) else str(value))


IDLE_WORKFLOW = "[workflow.go]\nsteps = []\n"


class Devloop(Tool):
    """With its defaults, but for what a measurement is about."""
    name = "devloop"
    lines = 5_000_000
    waits_ms = 1

    def __init__(self, program):
        self.program = str(program)

    def config(self, stage, text):
        """`text` beside a group that watches all files and runs the workflow `go`."""
        path = stage.folder / "devloop.toml"
        path.write_text(
            f"root = {toml(stage.files)}\nstate_file = {toml(stage.folder / '.devloop/state.json')}\n"
            f"[watch.files]\npaths = [\"**\"]\nworkflow = \"go\"\n{text}")
        return Start([self.program, "run", "--config", path])

    def watch(self, stage):
        return self.config(stage, f"[hook.task]\ncommand = {toml(stage.command)}\n"
                                  f"[workflow.go]\nsteps = [{toml({'action': 'run_hook', 'hook': 'task'})}]\n")

    ignoring = watch  # what git ignores is ignored unless someone asks for it

    def serve(self, stage):
        readiness = {"kind": "http", "url": f"http://127.0.0.1:{stage.port}/"}
        steps = [{"action": "restart_process", "process": "server"}, {"action": "wait_for_process", "process": "server"},
                 {"action": "run_hook", "hook": "ready"}]
        return self.config(stage, f"[process.server]\ncommand = {toml(stage.command)}\nreadiness = {toml(readiness)}\n"
                                  f"[hook.ready]\ncommand = {toml(stage.task('ready', 0))}\n"
                                  f"[workflow.go]\nsteps = {toml(steps)}\n")

    def supervise(self, stage):
        processes = (f"[process.child{i}]\ncommand = {toml(child)}\n" for i, child in enumerate(stage.children))
        return self.config(stage, "".join(processes) + IDLE_WORKFLOW)

    def revive(self, stage):
        keys = {"command": stage.children[0], "restart": "always", "restart_delay_ms": self.waits_ms,
                "restart_delay_max_ms": self.waits_ms}
        lines = "".join(f"{key} = {toml(value)}\n" for key, value in keys.items())
        return self.config(stage, f"[process.child]\n{lines}{IDLE_WORKFLOW}")

    def forward(self, stage):
        return self.config(stage, f"[process.child]\ncommand = {toml(stage.command)}\n{IDLE_WORKFLOW}")

    def listen(self, stage):
        """The process `env` tells where the servers are and what its token is."""
        return self.config(stage, f"[process.env]\ncommand = {toml(stage.task('env', 'reveal'))}\n"
                                  "[event.value]\nstate_key = \"value\"\nworkflow = \"posted\"\n"
                                  f"[hook.task]\ncommand = {toml(stage.task('run', 0))}\n"
                                  f"[workflow.posted]\nsteps = {toml(stage.steps)}\n{IDLE_WORKFLOW}")


def size_mb(tool):
    return os.path.getsize(os.path.realpath(tool.program)) / 1e6 if tool.program else None
