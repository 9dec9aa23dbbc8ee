"""A recipe with spaces in its path, run by real processes."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def environment(**extra: str) -> dict[str, str]:
    """Return an environment in which path.sh takes the Python that runs the tests."""
    path = f"{Path(sys.prefix) / 'bin'}:{os.environ['PATH']}"
    return {**os.environ, "VIRTUAL_ENV": sys.prefix, "PATH": path, **extra}


@pytest.fixture
def project(tmp_path):
    """Return a copy of path.sh and utils/ in a folder with a space in its name."""
    copy = tmp_path / "my project"
    shutil.copytree(ROOT / "utils", copy / "utils", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "path.sh", copy)
    return copy


HEAD = """\
#!/usr/bin/env bash
# A toy recipe.
#
#   --corpus-dir (none)   where the corpus lies

stage=0
stop_stage=5
force=false
folds=
nj=2
page_sound="link"
channel=
overhang=0.01
drop_bad_audio=false
seeds=1
corpus_dir=
cmd=run.py

. "$(dirname "$0")/../../path.sh"
. "$DSNET_ROOT/utils/recipe.sh"
parse_options "$@"
"""


class Recipe:
    """A run.sh made of HEAD and what a test adds."""

    def __init__(self, folder: Path, where: Path):
        self.folder, self.where = folder, where
        self.seen = os.path.relpath(folder, where)  # what paths in messages begin with
        self.script = folder / "run.sh"

    def write(self, body: str) -> None:
        self.script.write_text(HEAD + body)

    def start(self, *args: str, **kwargs) -> subprocess.Popen:
        return subprocess.Popen(
            ["bash", str(self.script), *args],
            cwd=kwargs.pop("cwd", self.where),
            env=environment(),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **kwargs,
        )

    def run(self, *args: str, **kwargs) -> subprocess.CompletedProcess:
        process = self.start(*args, **kwargs)
        out, err = process.communicate(timeout=20)
        return subprocess.CompletedProcess(args, process.returncode, out, err)

    def ok(self, *args: str) -> str:
        done = self.run(*args)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def fails(self, *args: str) -> str:
        done = self.run(*args)
        assert done.returncode != 0, done.stdout
        return done.stderr


@pytest.fixture
def recipe(project, tmp_path):
    folder = project / "egs" / "toy"
    folder.mkdir(parents=True)
    return Recipe(folder, tmp_path)


def wait_for(condition, seconds: float = 8.0):
    """Return what `condition` returns once it is true."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return result


def alive(pid: int) -> bool:
    """Return whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture(name="wait_for")
def _wait_for():
    return wait_for


@pytest.fixture(name="alive")
def _alive():
    return alive


@pytest.fixture(name="environment")
def _environment():
    return environment


@pytest.fixture
def folder(tmp_path):
    """Return a folder with a space in its name; beside it a fake Slurm, see fake_slurm.py."""
    tools, state, work = (tmp_path / name for name in ("bin", "slurm", "my work"))
    for each in (tools, state, work):
        each.mkdir()
    for tool in ("sbatch", "squeue", "scancel", "scontrol"):
        shutil.copy(Path(__file__).with_name("fake_slurm.py"), tools / tool)
        (tools / tool).chmod(0o755)
    return work


def start(folder: Path, program: str, *args: str, **kwargs) -> subprocess.Popen:
    """Start a launcher in such a folder."""
    path = f"{folder.parent / 'bin'}:{os.environ['PATH']}"
    kwargs.setdefault("stderr", subprocess.PIPE)
    return subprocess.Popen(
        [sys.executable, ROOT / "utils" / program, *args],
        cwd=folder,
        env={**os.environ, "PATH": path, **kwargs.pop("env", {})},
        text=True,
        **kwargs,
    )


def launch(folder: Path, program: str, *args: str, **kwargs) -> tuple[int, str]:
    """Run a launcher to its end; return its exit status and what it wrote to stderr."""
    process = start(folder, program, *args, **kwargs)
    _, err = process.communicate(timeout=20)
    return process.returncode, err


@pytest.fixture(name="start")
def _start():
    return start


@pytest.fixture(name="launch")
def _launch():
    return launch
