"""Values that are posted, and browsers that reload. Only the floor and devloop have these."""
import json
import re
import socket
import subprocess

from . import figures
from .metric import Figure, metric
from .places import small
from .stage import Stage, ms, now, pause, word

RUN_TASK, RELOAD, NOTHING = {"action": "run_hook", "hook": "task"}, {"action": "notify_reload"}, {"action": "log", "message": "x"}


class EventStage(Stage):
    """A stage whose event server is known once it runs: port, path, token, and where the values are saved."""
    def __init__(self, tool, step):
        super().__init__(tool)
        self.steps = [step]

    def start(self):
        (self.files / "file.txt").write_text("old\n")
        super().start("listen")
        if self.tool.is_floor:
            self.port = self.reload_port = int(self.told("port", 5)[0].words[0])
            self.token, self.path, self.reload_path = "t", "/events/value", "/browser-events"
            self.state = self.folder / "state.json"
            return
        records = self.early + self.pipe.until_quiet(0.4, 5)
        told = dict(" ".join(r.words).split("=", 1) for r in records if r.what == "variable")
        self.port, self.path = re.match(r"http://[^:]+:(\d+)(/.*)", told["DEVLOOP_EVENT_VALUE_URL"]).groups()
        self.token, self.state = told["DEVLOOP_EVENTS_TOKEN"], told["DEVLOOP_STATE"]
        reload_url = re.match(r"http://[^:]+:(\d+)(/.*)", told.get("DEVLOOP_BROWSER_EVENTS_URL", ""))
        self.reload_port, self.reload_path = reload_url.groups() if reload_url else (None, None)

    def connect(self):
        connection = socket.create_connection(("127.0.0.1", int(self.port)), 5)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def request(self):
        body = json.dumps({"value": word()}, separators=(",", ":"))
        return (f"POST {self.path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nAuthorization: Bearer {self.token}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode()


@metric("event", "a value is posted over a connection that is kept", "listen",
        [Figure("ms", "event → command's `main`", "ms", target=1.5, is_plotted=True), Figure("answer_ms", "event → 204", "ms")])
def event(tool, quick):
    samples = []
    with EventStage(tool, RUN_TASK) as stage:
        stage.start()
        connection = stage.connect()
        for number in range(4 if quick else 21):
            pause(0.02, 0.06)
            stage.pipe.drain()
            request = stage.request()
            began = now()
            connection.sendall(request)
            is_accepted = b" 204 " in connection.recv(4096)
            answered = now()
            records = stage.pipe.wait("began", 3)
            stage.pipe.until_quiet(0.02, 0.5)
            if number:
                sample = {"answer_ms": ms(answered - began), "missed": not is_accepted or not records}
                if records:
                    sample["ms"] = ms(records[0].at - began)
                samples.append(sample)
        connection.close()
    return samples


def is_whole(path):
    """Whether the state file, where there is one by now, is JSON."""
    text = figures.text(path)
    try:
        return not text or bool(json.loads(text))
    except ValueError:
        return False


def rate(tool, connections, posts):
    with EventStage(tool, NOTHING) as stage:
        stage.start()
        pids = stage.own()
        used, torn = figures.cpu_ms(pids), 0
        load = subprocess.Popen([small("post"), str(stage.port), stage.path, stage.token, str(connections), str(posts), word()],
                                stdout=subprocess.PIPE, text=True)
        while True:
            try:
                output = load.communicate(timeout=0.05)[0]
                break
            except subprocess.TimeoutExpired:
                torn += not is_whole(stage.state)
        sample = json.loads(output)
        sample.update(cpu_us=(figures.cpu_ms(pids) - used) * 1000 / posts, torn=torn + (not is_whole(stage.state)))
        sample["missed"] = sample["ok"] < posts or sample["torn"] > 0
        return [sample]


def rate_figures(connections, target, cpu):
    return [Figure("per_s", f"events a second, {connections} connection{'s'[:connections > 1]}", "/s", more_is_better=True,
                   target=target, is_plotted=True),
            Figure("p99_us", "p99 of the answer", "µs", target=5000), Figure("cpu_us", "CPU a post", "µs", target=cpu)]


@metric("rate1", "values that all differ, one connection; the floor writes one file for what came together", "listen", rate_figures(1, 8000, None))
def rate1(tool, quick):
    return rate(tool, 1, 500 if quick else 8000)


@metric("rate32", "the same over 32 connections", "listen", rate_figures(32, 60_000, 25))
def rate32(tool, quick):
    return rate(tool, 32, 2000 if quick else 60_000)


def reloads(tool, listeners, count):
    samples = []
    with EventStage(tool, RELOAD) as stage:
        stage.start()
        browsers = subprocess.Popen([small("listen"), str(stage.reload_port), stage.reload_path, str(listeners)],
                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if browsers.stdout.readline().strip() != "ready":
            return [{"missed": True}]
        connection = stage.connect()
        for number in range(count):
            pause(0.03, 0.08)
            request = stage.request()
            began = now()
            connection.sendall(request)
            first, last = map(int, browsers.stdout.readline().split())
            connection.recv(4096)
            if number:
                samples.append({"first_ms": ms(first - began), "ms": ms(last - began), "missed": False})
        connection.close()
        browsers.stdin.close()
        browsers.wait(5)
    return samples


@metric("reload1", "an event whose workflow reloads one browser", "listen",
        [Figure("ms", "event → reload of 1 browser", "ms", target=0.5, is_plotted=True)])
def reload1(tool, quick):
    return reloads(tool, 1, 3 if quick else 16)


@metric("reload64", "the same with 64 browsers", "listen",
        [Figure("ms", "event → reload of the last of 64", "ms", target=1.2, is_plotted=True), Figure("first_ms", "of the first", "ms")])
def reload64(tool, quick):
    return reloads(tool, 64, 3 if quick else 16)
