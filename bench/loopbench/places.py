"""Where things are, and how the small programs and devloop itself are built."""
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

BENCH = Path(__file__).resolve().parent.parent
REPOSITORY = BENCH.parent
WORK = Path(os.environ.get("BENCH_WORK") or Path(tempfile.gettempdir()) / f"devloop-bench-{os.getuid()}")
BIN = WORK / "bin"
RIVALS = Path(os.environ.get("BENCH_RIVALS") or REPOSITORY / "target/rivals")


def small(name):
    """One of the programs of bench/c."""
    return str(BIN / name)


def build_small_programs():
    BIN.mkdir(parents=True, exist_ok=True)
    header = (BENCH / "c/record.h").stat().st_mtime
    for source in sorted((BENCH / "c").glob("*.c")):
        program = BIN / source.stem
        if not program.exists() or program.stat().st_mtime < max(source.stat().st_mtime, header):
            compile_ = ["cc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-o", program, source]
            # Static ones start faster, and so the floor is lower; not every system has the library for it.
            if subprocess.run([*compile_, "-static"], stderr=subprocess.DEVNULL, check=False).returncode:
                subprocess.run(compile_, check=True)


def build_devloop():
    """The release build of this repository."""
    subprocess.run(["cargo", "build", "--release", "--locked", "--package", "devloop"], cwd=REPOSITORY, check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR") or REPOSITORY / "target")
    return target / "release/devloop"


def installed(program):
    """The path of a rival: from the folder of `bench/install-rivals`, else from PATH, else None."""
    for folder in ("cargo/bin", "npm/node_modules/.bin"):
        if (RIVALS / folder / program).exists():
            return str(RIVALS / folder / program)
    return shutil.which(program)


def fresh(name):
    """An empty folder of that name."""
    folder = WORK / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def flat_tree(folder, files):
    """`files` files, a hundred in a folder. Returns the last one."""
    for number in range(files):
        path = folder / f"d{number // 100:03}" / f"f{number:05}.txt"
        if number % 100 == 0:
            path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("old\n")
    return path


def deep_tree(folder, files):
    """`files` files, ten in each innermost folder, ten folders on each level. Kept from run to run. Returns the last one."""
    def fill(at, count):
        at.mkdir(parents=True)
        for number in range(10):
            if count > 10:
                fill(at / f"d{number}", count // 10)
            else:
                (at / f"f{number}.txt").write_text("old\n")

    complete = folder.with_suffix(".complete")
    if not complete.exists():
        shutil.rmtree(folder, ignore_errors=True)
        fill(folder, files)
        complete.touch()
    while (folder / "d9").is_dir():
        folder = folder / "d9"
    return folder / "f9.txt"
