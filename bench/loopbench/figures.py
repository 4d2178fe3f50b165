"""What /proc knows of processes (proc(5)), and of the machine."""
import os
import time
from pathlib import Path


def text(path):
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""


def entries(path):
    try:
        return os.listdir(path)
    except OSError:
        return []


def executable(pid):
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return ""


def cpu_ms(pids):
    """CPU time of the threads that live, from the scheduler, to the nanosecond."""
    total = 0
    for pid in pids:
        for thread in entries(f"/proc/{pid}/task"):
            fields = text(f"/proc/{pid}/task/{thread}/schedstat").split()
            total += int(fields[0]) if fields else 0
    return total / 1e6


def cpu_with_reaped_ms(pids):
    """CPU time with ended threads and reaped children in it; ten milliseconds are one tick."""
    total = 0
    for pid in pids:
        fields = text(f"/proc/{pid}/stat").rpartition(")")[2].split()
        total += sum(map(int, fields[11:15])) if fields else 0
    return total * 1000 / os.sysconf("SC_CLK_TCK")


def status(pids, field):
    """The sum of a field of `status`, in its own unit (kB for memory)."""
    total = 0
    for pid in pids:
        for line in text(f"/proc/{pid}/status").splitlines():
            if line.startswith(field + ":"):
                total += int(line.split()[1])
    return total


def memory_mb(pids):
    return status(pids, "VmRSS") / 1024


def switches(pids):
    """How often a thread of these was woken: each wake-up ends a voluntary switch."""
    total = 0
    for pid in pids:
        for thread in entries(f"/proc/{pid}/task"):
            for line in text(f"/proc/{pid}/task/{thread}/status").splitlines():
                if line.startswith("voluntary_ctxt_switches:"):
                    total += int(line.split()[1])
    return total


def watches(pids):
    """inotify watches."""
    count = 0
    for pid in pids:
        for fd in entries(f"/proc/{pid}/fd"):
            try:
                is_inotify = os.readlink(f"/proc/{pid}/fd/{fd}") == "anon_inode:inotify"
            except OSError:
                continue
            if is_inotify:
                count += text(f"/proc/{pid}/fdinfo/{fd}").count("inotify wd:")
    return count


def marked(mark):
    """All processes that have this text in their environment."""
    found = []
    for pid in filter(str.isdigit, entries("/proc")):
        try:
            if mark.encode() in Path(f"/proc/{pid}/environ").read_bytes():
                found.append(int(pid))
        except OSError:
            continue
    return found


def busy_share(seconds):
    """The share of all cores that was used during the next `seconds`."""
    def ticks():
        fields = [int(field) for field in text("/proc/stat").split("\n")[0].split()[1:9]]
        return fields[3] + fields[4], sum(fields)

    idle, total = ticks()
    time.sleep(seconds)
    idle_after, total_after = ticks()
    return 1 - (idle_after - idle) / max(1, total_after - total)


def wait_for_quiet(limit, share=0.1):
    """Waits until others use at most `share` of the machine; returns what they still use."""
    end = time.monotonic() + limit
    while (busy := busy_share(0.15)) > share and time.monotonic() < end:
        continue
    return round(busy, 3)


def machine():
    """The machine in words: nothing that names it."""
    model = next((line.split(":")[1].strip() for line in text("/proc/cpuinfo").splitlines() if line.startswith("model name")), "")
    memory = int(text("/proc/meminfo").split()[1]) // 1024 // 1024
    system = os.uname()
    return f"{os.cpu_count()} cores ({model or system.machine}), {memory} GiB, {system.sysname} {system.release.split('-')[0]}"
