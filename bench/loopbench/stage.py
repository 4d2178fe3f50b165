"""A stage: a folder, a pipe on which the small programs tell what happened, and the tool that is under test."""
import fcntl
import os
import pty
import random
import select
import signal
import struct
import subprocess
import termios
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from . import figures
from .places import BIN, WORK, fresh, small

now = time.monotonic_ns  # CLOCK_MONOTONIC, as in bench/c/record.h


def ms(nanoseconds):
    return nanoseconds / 1e6


@dataclass
class Record:
    """What a small program told: what happened, when, in which process, and words."""
    what: str
    at: int
    pid: int
    words: list


class Pipe:
    """A FIFO, opened for both directions, so that neither side ever waits for the other to open it."""
    def __init__(self, path):
        os.mkfifo(path)
        self.path = str(path)
        self.fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self.rest = b""

    def read(self, seconds):
        """What is told within this time; returns at the first records."""
        if not select.select([self.fd], [], [], max(0, seconds))[0]:
            return []
        *lines, self.rest = (self.rest + os.read(self.fd, 1 << 16)).split(b"\n")
        parts = [line.decode(errors="replace").split(" ", 3) for line in lines]
        return [Record(what, int(at), int(pid), words.split(" ")) for what, at, pid, words in parts]

    def until(self, enough, seconds):
        """Records until `enough(records)` holds or the time is over."""
        records, end = [], time.monotonic() + seconds
        while not enough(records) and (left := end - time.monotonic()) > 0:
            records += self.read(left)
        return records

    def wait(self, what, seconds, count=1):
        """The first `count` records of that kind, fewer when the time is over."""
        is_wanted = lambda record: record.what == what
        found = self.until(lambda records: sum(map(is_wanted, records)) >= count, seconds)
        return list(filter(is_wanted, found))

    def until_quiet(self, quiet, seconds):
        """Records until none came for `quiet` seconds."""
        records, end = [], time.monotonic() + seconds
        while (new := self.read(quiet)) and time.monotonic() < end:
            records += new
        return records

    def drain(self):
        while self.read(0):
            continue


@dataclass
class Start:
    """How a tool is started."""
    argv: list
    env: dict = field(default_factory=dict)
    stdin: object = subprocess.DEVNULL
    needs_terminal: bool = False
    then: object = None  # what its client has to do once it runs


class Stage:
    """Used as `with Stage(tool) as stage:`; at its end nothing that was started on it is left."""
    def __init__(self, tool, name="stage", files=None):
        self.tool = tool
        self.folder = fresh(name)
        self.pipe = Pipe(self.folder / "pipe")
        self.files = Path(files or self.folder / "files")
        self.command, self.children, self.port, self.steps = [], [], 0, []
        self.mark = f"DEVBENCH_MARK={uuid.uuid4().hex}"
        self.process = self.terminal = None

    def __enter__(self):
        self.files.mkdir(exist_ok=True)
        return self

    def task(self, name, work, file=None):
        """The command line of a `task` that tells this stage."""
        return [small("task"), self.pipe.path, name, str(work), *([str(file)] if file else [])]

    def start(self, how, stdout=subprocess.DEVNULL):
        """Starts the tool; `how` is the name of what it has to do (see tools.py). Its first instant is `self.began`."""
        begin = getattr(self.tool, how)(self)
        home = WORK / "home"
        home.mkdir(exist_ok=True)
        variable, value = self.mark.split("=")
        env = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", "SHELL": "/bin/sh", "TERM": "xterm",
               variable: value, **begin.env}
        streams = {"stdin": begin.stdin, "stdout": stdout, "stderr": open(self.folder / "stderr", "wb")}
        if begin.needs_terminal:
            self.terminal, slave = pty.openpty()
            fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
            streams = dict.fromkeys(streams, slave)
            threading.Thread(target=self._read_terminal, daemon=True).start()
        argv = [small("launch"), self.pipe.path, *map(str, begin.argv)]
        self.process = subprocess.Popen(argv, cwd=self.folder, env=env, start_new_session=True, **streams)
        # Only the `exec` is taken: a fast tool may have told more by now.
        records = self.pipe.until(lambda records: any(r.what == "exec" for r in records), 10)
        self.began = next(r.at for r in records if r.what == "exec")
        self.early = [r for r in records if r.what != "exec"]
        if begin.then:
            begin.then(self, env)

    def _read_terminal(self):
        try:
            while os.read(self.terminal, 1 << 16):
                continue
        except OSError:
            pass

    def told(self, what, seconds, count=1):
        """As `Pipe.wait`, for what may have been told while the tool was being started."""
        early, self.early = [r for r in self.early if r.what == what], []
        return early + (self.pipe.wait(what, seconds, count - len(early)) if len(early) < count else [])

    def own(self):
        """The processes of the tool itself: not those that it was told to start."""
        if self.tool.is_floor:
            return [self.process.pid]
        return [pid for pid in figures.marked(self.mark) if not figures.executable(pid).startswith(str(BIN))]

    def wait_until_armed(self, limit=60):
        """Until the number of watches has stood still for half a second without work. Returns it and when it was reached."""
        pids, count, at, cpu, end = [], 0, now(), 0, time.monotonic() + limit
        while time.monotonic() < end:
            looked = now()
            # Looking for processes costs more than looking at them, and happens only until there is something to see.
            pids = pids if count else self.own()
            watches, used = figures.watches(pids), figures.cpu_ms(pids)
            if watches != count:
                count, at, cpu = watches, looked, used
            elif used - cpu > 50:
                cpu, at = used, looked  # the number stands still, but it works on
            elif now() - at > 500e6 and (count or now() - at > 3e9):
                break
            time.sleep(max(0.002, ms(now() - looked) / 500))
        return count, at

    def stop(self):
        """SIGINT, and SIGKILL to whatever of it is there after two seconds. Only what carries this stage's mark."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(2)
            except subprocess.TimeoutExpired:
                pass
        while left := figures.marked(self.mark):
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            if self.process:
                self.process.poll()
            time.sleep(0.01)
        if self.process:
            self.process.wait()
            self.process = None

    def __exit__(self, *_):
        self.stop()
        if self.terminal is not None:
            os.close(self.terminal)
        os.close(self.pipe.fd)


WORDS = random.Random(os.getpid())


def word():
    """A word that was never written before."""
    return f"w{WORDS.getrandbits(64):016x}"


def save(path, content, by_rename=False):
    """Saves as an editor does, in place or by rename. Returns the instant before the first system call."""
    path, target = str(path), str(path)
    if by_rename:
        path += "~"
    began = now()
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.write(fd, content.encode())
    os.close(fd)
    if by_rename:
        os.rename(path, target)
    return began


def pause(least, most):
    """A pause that is not in step with anything periodic in a tool."""
    time.sleep(random.uniform(least, most))
