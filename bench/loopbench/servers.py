"""A server that is started anew: after a save, and after it fell."""
import os
import signal
import socket
import subprocess
import time

from .metric import Figure, metric
from .places import flat_tree, small
from .stage import Stage, ms, pause, save, word


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ask(port, old, seconds):
    return subprocess.Popen([small("ask"), str(port), str(old), str(seconds)], stdout=subprocess.PIPE, text=True)


def answer(question):
    """Instant and process id of the answer, or None."""
    words = question.communicate()[0].split()
    return (int(words[0]), int(words[1])) if words else None


@metric("restart", "a server that answers as soon as it runs is started anew after a save", "serve",
        [Figure("ms", "save → first answer of the new server", "ms", target=6, is_plotted=True),
         Figure("step_ms", "answer → step after `wait_for_process`", "ms", target=1), Figure("runs", "starts", "")])
def restart(tool, quick):
    samples = []
    with Stage(tool) as stage:
        last = flat_tree(stage.files, 100)
        stage.port = free_port()
        stage.command = [small("server"), stage.pipe.path, str(stage.port)]
        stage.start("serve")
        stage.wait_until_armed(5)
        first = answer(ask(stage.port, 0, 10))
        if not first:
            return [{"missed": True}]
        pid = first[1]
        time.sleep(0.5)
        for number in range(3 if quick else 6):
            pause(0.05, 0.3)
            stage.pipe.drain()
            question = ask(stage.port, pid, 8)
            time.sleep(0.03)
            began = save(last, word())
            found = answer(question)
            if not found:
                samples.append({"missed": True})
                break
            pid = found[1]
            if found[0] < began:  # a second start for the save before
                samples.append({"missed": False, "double": True})
                continue
            records = stage.pipe.until_quiet(0.35, 2)
            ready = [r.at for r in records if r.what == "began" and r.words[0] == "ready"]
            starts = sum(r.what == "began" and r.words[0] == "server" for r in records)
            sample = {"ms": ms(found[0] - began), "runs": starts, "missed": False, "double": starts > 1}
            if ready:
                sample["step_ms"] = ms(ready[0] - found[0])
            if number:  # the first one after the start warms up
                samples.append(sample)
    return samples


@metric("crash", "a child exits with 1; devloop's `restart_delay_ms` is the smallest, 1, and is in the figure", "revive",
        [Figure("ms", "crash → `main` of the next", "ms", target=5, is_plotted=True)], rival_rounds=1)
def crash(tool, quick):
    samples = []
    with Stage(tool) as stage:
        stage.children = [stage.task("child", "fall")]
        stage.start("revive")
        child = stage.told("began", 10)
        for _ in range(2 if quick else 5):
            if not child:
                return samples + [{"missed": True}]
            pause(tool.lives_s, tool.lives_s + 0.3)
            os.kill(child[0].pid, signal.SIGUSR1)
            records = stage.pipe.until(lambda records: any(r.what == "began" for r in records), 6)
            fell, child = ([r for r in records if r.what == what] for what in ("fell", "began"))
            if child:
                samples.append({"ms": ms(child[0].at - fell[0].at), "missed": False})
    return samples if child else samples + [{"missed": True}]
