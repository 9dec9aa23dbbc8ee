"""Recipes as small_recipe.py makes them, with a Python that starts at once or the true one."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from small_recipe import Recipe, environment


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
