"""A copy of the project's recipes in a folder with a space in its name, run as a user runs them."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = ("run.sh", "conf", "local")
SHARED = ("egs/conf", "egs/options.sh", "egs/stages.sh")
TINY = """\
kind: dsnet
input: {mode: variable, max_frames: 100}
encoder: {channels: [4, 4, 8, 8], kernel_size: 3, embed_dim: 16}
train: {max_epochs: 3, stop_after: 0}
"""


class Recipe:
    """egs/mini of the copy, with a system that trains in seconds."""

    def __init__(self, top: Path):
        self.top = top
        self.folder = top / "egs" / "mini"
        if not top.exists():
            self._copy_project()
        bin_dir = Path(sys.executable).parent
        self.env = {**os.environ, "PATH": f"{bin_dir}:{os.environ['PATH']}"}
        self.env["VIRTUAL_ENV"] = str(bin_dir.parent)

    def _copy_project(self) -> None:
        for name in ("path.sh", "utils", *SHARED, *(f"egs/mini/{x}" for x in PARTS)):
            source, target = ROOT / name, self.top / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, target)
        (self.folder / "conf" / "tiny.yaml").write_text(TINY)

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

    def kill_when(self, *signs: str, options: tuple[str, ...] = ()) -> None:
        """Run and SIGKILL every process of the recipe as soon as one of the globs matches."""
        process = subprocess.Popen(
            self.command(*options), env=self.env, cwd="/", stdout=subprocess.DEVNULL
        )
        limit = time.monotonic() + 120
        while not any(any(self.folder.glob(sign)) for sign in signs):
            assert process.poll() is None, "the run ended before it could be killed"
            assert time.monotonic() < limit, f"none of {signs} appeared"
            time.sleep(0.01)
        self._kill_all()
        process.wait()

    def _kill_all(self) -> None:
        """SIGKILL whatever works in this recipe, in whichever process group it is."""
        for _ in range(3):  # again, for what was being started meanwhile
            for proc in Path("/proc").glob("[0-9]*"):
                try:
                    if Path(os.readlink(proc / "cwd")) == self.folder:
                        os.kill(int(proc.name), signal.SIGKILL)
                except (FileNotFoundError, ProcessLookupError, PermissionError):
                    pass
            time.sleep(0.05)


@pytest.fixture(scope="session")
def make_recipe():
    return Recipe


@pytest.fixture
def recipe(tmp_path):
    return Recipe(tmp_path / "a project")
