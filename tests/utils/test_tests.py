"""tests/run.sh leaves out the slow tests, unless asked, and passes its arguments on."""

import os
import subprocess
from pathlib import Path

RUN = Path(__file__).parents[1] / "run.sh"


def pytest_arguments(tmp_path, *args):
    python = tmp_path / "python3"
    python.write_text('#!/bin/sh\n[ "$1" = -c ] || printf "%s|" "$PWD" "$@"\n')
    python.chmod(0o755)
    # utils/ comes first on PATH and holds no python3; then this folder
    env = {**os.environ, "VIRTUAL_ENV": "/none", "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", RUN, *args], cwd=tmp_path, env=env, text=True, capture_output=True, check=True
    )
    return done.stdout.split("|")[:-1]


def test_arguments(tmp_path):
    root = str(RUN.parents[1])
    call = [root, "-m", "pytest", "-n", "auto", "--dist", "loadfile"]
    assert pytest_arguments(tmp_path) == [*call, "-m", "not slow"]
    assert pytest_arguments(tmp_path, "--slow", "-k", "a b") == [*call, "-k", "a b"]
