"""Wall time, CPU time and peak memory of a recipe's stages 0 to 2, each run on its own.

Usage: python utils/benchmark_stages.py egs/emodb --corpus-dir FOLDER [OPTION of run.sh]...

The recipe is copied to a temporary folder (TMPDIR chooses where; features need room) and its data
are left behind, so that nothing is skipped as done. Further options, such as --nj 4, go to run.sh.
Memory is that of all processes of a stage together, pages that several share counted once: the
largest sum of Pss over samples 0.2 s apart. Linux only.
"""

import argparse
import os
import resource
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from dsnet.bin import run
from dsnet.corpus.manifests import read_manifests
from dsnet.errors import DsnetError

STAGES = (0, 1, 2)
SAMPLE_SECONDS = 0.2
KIB_PER_GIB = 2**20
# what run.sh needs beside its own folder
SHARED = ("path.sh", "utils", "egs/conf", "egs/options.sh", "egs/stages.sh")
RECIPE = ("run.sh", "conf", "local")


@dataclass
class Usage:
    """What a command took: seconds, CPU seconds of all its processes, and their memory."""

    wall_seconds: float
    cpu_seconds: float
    peak_kib: int


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("recipe", type=Path, help="such as egs/emodb")
    parser.add_argument("--corpus-dir", type=Path, required=True)
    args, options = parser.parse_known_args()
    with tempfile.TemporaryDirectory(prefix="benchmark_stages_") as temporary:
        folder = copy_recipe(args.recipe, Path(temporary))
        options = ["--corpus-dir", os.path.abspath(args.corpus_dir), *options]
        usages = {}
        for stage in STAGES:
            command = ["bash", str(folder / "run.sh"), *options]
            command += ["--stage", str(stage), "--stop-stage", str(stage)]
            usages[f"stage {stage}"] = measure(command, Path(temporary) / "log")
        hours = audio_hours(folder)
    usages["total"] = Usage(
        wall_seconds=sum(usage.wall_seconds for usage in usages.values()),
        cpu_seconds=sum(usage.cpu_seconds for usage in usages.values()),
        peak_kib=max(usage.peak_kib for usage in usages.values()),
    )
    print(f"{args.recipe}: {hours:.2f} h of audio, {len(os.sched_getaffinity(0))} CPUs")
    for name, usage in usages.items():
        print(
            f"{name:8} {usage.wall_seconds:7.1f} s wall  {usage.cpu_seconds:7.1f} s CPU  "
            f"{usage.peak_kib / KIB_PER_GIB:6.2f} GiB  "
            f"{hours / usage.wall_seconds:7.3f} h of audio a second"
        )


def copy_recipe(recipe: Path, top: Path) -> Path:
    """Copy a recipe without its data, and what it needs of its project, to below `top`.

    Raises:
        DsnetError: not a recipe inside its project.
    """
    recipe = recipe.resolve()
    project = recipe.parents[1]
    names = [*SHARED, *(f"{recipe.relative_to(project)}/{name}" for name in RECIPE)]
    for name in names:
        source, target = project / name, top / name
        if not source.exists():
            raise DsnetError(f"{source}: no such file; give the folder of a recipe: egs/emodb")
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    return top / recipe.relative_to(project)


def measure(command: list[str], log: Path) -> Usage:
    """Run a command in this Python's environment and say what it took.

    Args:
        command: program and arguments.
        log: where its output goes.

    Raises:
        DsnetError: it failed; the message ends with the end of its output.
    """
    bin_dir = Path(sys.executable).parent
    env = {**os.environ, "PATH": f"{bin_dir}:{os.environ['PATH']}"}
    env["VIRTUAL_ENV"] = str(bin_dir.parent)  # the copy has no .venv of its own
    cpu_before, begin, peak = children_cpu_seconds(), time.perf_counter(), 0
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=env, stdout=output, stderr=subprocess.STDOUT)
        try:
            while process.poll() is None:
                peak = max(peak, sum(pss_kib(pid) for pid in process_tree(process.pid)))
                time.sleep(SAMPLE_SECONDS)
        finally:
            process.terminate()  # run.sh ends its jobs
            process.wait()
    wall = time.perf_counter() - begin
    if process.returncode:
        end = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:])
        raise DsnetError(f"'{shlex.join(command)}' ended with {process.returncode}:\n{end}")
    return Usage(wall, children_cpu_seconds() - cpu_before, peak)


def children_cpu_seconds() -> float:
    """Return the CPU time of all that this process has started and waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def process_tree(pid: int) -> list[int]:
    """Return a process and all that it has started, directly or not, that runs now."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            # the name, in parentheses, may hold spaces; behind it: state, parent
            parent = int(path.read_text(errors="replace").rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):  # it ended just now
            continue
        children.setdefault(parent, []).append(int(path.parent.name))
    tree = [pid]
    for parent in tree:
        tree += children.get(parent, [])
    return tree


def pss_kib(pid: int) -> int:
    """Return the memory of a process, shared pages divided by who shares them; 0 if it ended."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    except (FileNotFoundError, ProcessLookupError):
        pass
    return 0


def audio_hours(folder: Path) -> float:
    """Return the length of the utterances that stage 0 of a recipe found."""
    _, supervisions = read_manifests(folder / "data" / "manifests")
    return sum(segment.duration for segment in supervisions) / 3600


if __name__ == "__main__":
    run(main)
