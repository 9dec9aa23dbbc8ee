"""A copy of the project's recipes in a folder with a space in its name, run as a user runs them."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import torch

ROOT = Path(__file__).parents[1]
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
        limit = time.monotonic() + 600
        while not any(any(self.folder.glob(sign)) for sign in signs):
            assert process.poll() is None, "the run ended before it could be killed"
            assert time.monotonic() < limit, f"none of {signs} appeared"
            time.sleep(0.01)
        if alone:
            process.kill()
        else:
            self.kill()
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

    def kill(self) -> None:
        """SIGKILL all that works in this recipe."""
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


def outcome(recipe: Recipe) -> dict[str, object]:
    """Return what a run leaves behind that must not depend on how often it was killed."""
    exp = recipe.folder / "exp" / "4class" / "tiny" / "seed_1"
    left: dict[str, object] = {}
    for path in exp.rglob("model.pt"):
        for name, weight in torch.load(path, weights_only=True)["model"].items():
            left[f"{path.parent.name} {name}"] = weight.numpy().tobytes()
    for path in exp.rglob("posteriors.tsv"):
        left[str(path.relative_to(exp))] = path.read_text()
    metrics = json.loads((recipe.folder / "exp/results/4class/metrics.json").read_text())
    return left | metrics["systems"]["tiny"]["headline"]
