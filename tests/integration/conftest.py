"""A copy of the project's recipes in a folder with a space in its name, run as a user runs them."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = ("run.sh", "card.yaml", "conf", "local")
SHARED = ("egs/conf", "egs/options.sh", "egs/stages.sh")
TINY = """\
kind: dsnet
input: {mode: variable, max_seconds: 1}
encoder: {channels: [4, 4, 8, 8], kernel_size: 3, embed_dim: 16}
train: {max_epochs: 3, stop_after: 0}
"""


class Recipe:
    """egs/mini of the copy, with a system that trains in seconds."""

    def __init__(self, top: Path, env: dict[str, str]):
        self.top, self.env = top, env
        self.folder = top / "egs" / "mini"
        if not top.exists():
            self._copy_project()

    def _copy_project(self) -> None:
        for name in ("path.sh", "utils", *SHARED, *(f"egs/mini/{x}" for x in PARTS)):
            source, target = ROOT / name, self.top / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, target)
        self.write_system("tiny", TINY)

    def write_system(self, name: str, text: str) -> Path:
        """Write the config of a system of this recipe; return its path."""
        path = self.folder / "conf" / "systems" / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    def command(self, *options: str) -> list[str]:
        given = ["--systems", "tiny", "--folds", "f1 m1", *options]
        return ["bash", str(self.folder / "run.sh"), *given]

    def run(self, *options: str, check: bool = True) -> subprocess.CompletedProcess:
        """Run from a folder that is not the recipe's."""
        done = subprocess.run(
            self.command(*options), env=self.env, cwd="/", capture_output=True, text=True
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def kill_when(self, *signs: str, options: tuple[str, ...] = (), alone: bool = False) -> None:
        """Run and SIGKILL every process of the recipe as soon as one of the globs matches.

        With `alone` only that of run.sh.
        """
        process = subprocess.Popen(
            self.command(*options), env=self.env, cwd="/", stdout=subprocess.DEVNULL
        )
        limit = time.monotonic() + 120
        while not any(any(self.folder.glob(sign)) for sign in signs):
            assert process.poll() is None, "the run ended before it could be killed"
            assert time.monotonic() < limit, f"none of {signs} appeared"
            time.sleep(0.01)
        if alone:
            process.kill()
        else:
            self._kill_all()
        process.wait()

    def processes(self) -> list[int]:
        """Return whatever works in this recipe, in whichever process group it is."""
        found = []
        for proc in Path("/proc").glob("[0-9]*"):
            try:
                if Path(os.readlink(proc / "cwd")) == self.folder:
                    found.append(int(proc.name))
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                pass
        return found

    def _kill_all(self) -> None:
        for _ in range(3):  # again, for what was being started meanwhile
            for number in self.processes():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)
            time.sleep(0.05)


def environment() -> dict[str, str]:
    """Return an environment with the Python that runs the tests."""
    bin_dir = Path(sys.executable).parent
    path = f"{bin_dir}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "VIRTUAL_ENV": str(bin_dir.parent)}


@pytest.fixture(scope="session")
def true_env():
    return environment()


@pytest.fixture(scope="session")
def quick_env(true_env):
    """The same with a python that has imported everything; see forkserver.py."""
    folder = Path(tempfile.mkdtemp(prefix="dsnet-"))  # short: a socket's path has 107 bytes
    server = subprocess.Popen([sys.executable, Path(__file__).with_name("forkserver.py"), folder])
    while not os.access(folder / "python", os.X_OK):
        assert server.poll() is None
        time.sleep(0.1)
    yield {**true_env, "PATH": f"{folder}:{true_env['PATH']}"}
    server.kill()
    server.wait()
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def make_recipe(quick_env):
    return lambda top: Recipe(top, quick_env)


@pytest.fixture
def recipe(tmp_path, quick_env):
    return Recipe(tmp_path / "a project", quick_env)


@pytest.fixture
def true_recipe(tmp_path, true_env):
    """A recipe whose programs can be killed."""
    return Recipe(tmp_path / "a project", true_env)
