"""setup.sh with a stand-in for Python that records what it is asked to do."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

UTILS = Path(__file__).parents[2] / "utils"

PYTHON = """\
#!/usr/bin/env bash
case "$*" in
  -VV|-V) echo "Python 3.11.0" ;;
  "-c "*) exit "${TOO_OLD:-0}" ;;
  "-m venv "*) mkdir -p "${@: -1}"/bin; cp "$0" "${@: -1}"/bin/python; echo venv >> calls ;;
  "-m pip install "*) echo "pip ${*: -2}" >> calls; sleep "${PIP_SECONDS:-0}"; exit "${PIP:-0}" ;;
esac
"""


@pytest.fixture
def project(tmp_path):
    copy = tmp_path / "my project"
    (copy / "utils").mkdir(parents=True)
    shutil.copy(UTILS / "setup.sh", copy / "utils")
    for name in ("setup.py", "pyproject.toml"):
        (copy / name).write_text("1\n")
    (tmp_path / "bin").mkdir()
    for name in ("python3.11", "python3"):
        (tmp_path / "bin" / name).write_text(PYTHON)
        (tmp_path / "bin" / name).chmod(0o755)
    return copy


def setup(project, *options, wait=True, **env):
    full = {**os.environ, "PATH": f"{project.parent / 'bin'}:{os.environ['PATH']}", **env}
    if "VIRTUAL_ENV" not in env:
        full.pop("VIRTUAL_ENV", None)
    process = subprocess.Popen(
        ["bash", project / "utils/setup.sh", *options],
        cwd=project.parent,
        env=full,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    if not wait:
        return process
    out, _ = process.communicate(timeout=10)
    return process.returncode, out


def calls(project):
    path = project / "calls"
    return path.read_text().splitlines() if path.exists() else []


def test_it_installs_once(project):
    code, out = setup(project)
    assert code == 0 and "making" in out and "done in" in out
    assert calls(project) == ["venv", "pip -e .[test]"]
    start = time.monotonic()
    code, out = setup(project)
    assert code == 0 and out == f"setup.sh: {project}/.venv is up to date\n"
    assert time.monotonic() - start < 0.5 and len(calls(project)) == 2


def test_a_change_installs_again_into_the_same_environment(project):
    setup(project)
    (project / "setup.py").write_text("2\n")
    setup(project)
    assert calls(project) == ["venv", "pip -e .[test]", "pip -e .[test]"]


def test_a_moved_project_installs_again(project):
    setup(project)
    moved = project.rename(project.with_name("moved"))
    setup(moved)
    assert calls(moved)[2:] == ["pip -e .[test]"]


def test_a_failed_install_is_tried_again(project):
    assert setup(project, PIP="3")[0] == 3
    assert setup(project)[0] == 0 and calls(project).count("pip -e .[test]") == 2


def test_a_killed_install_is_tried_again(project, wait_for):
    process = setup(project, wait=False, PIP_SECONDS="60")
    wait_for(lambda: len(calls(project)) == 2)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=5)
    code, out = setup(project)
    assert code == 0 and "done in" in out and len(calls(project)) == 3


def test_two_at_a_time_install_once(project, wait_for):
    first = setup(project, wait=False, PIP_SECONDS="0.5")
    wait_for(lambda: len(calls(project)) == 2)
    code, out = setup(project)
    assert code == 0 and "another setup works" in out and "up to date" in out
    assert first.wait(timeout=5) == 0 and len(calls(project)) == 2
    first.stdout.close()


def test_an_active_environment_is_used(project):
    active = project.parent / "active env"
    (active / "bin").mkdir(parents=True)
    shutil.copy(project.parent / "bin/python3", active / "bin/python")
    code, out = setup(project, VIRTUAL_ENV=str(active))
    assert code == 0 and str(active) in out
    assert calls(project) == ["pip -e .[test]"] and not (project / ".venv").exists()


def test_without_a_suitable_python_it_says_what_is_wanted(project):
    code, out = setup(project, TOO_OLD="1")
    assert code == 1 and "no Python 3.10 or later" in out and "Python 3.11.0" in out
    assert calls(project) == []


def test_torch_comes_from_an_index_of_its_own(project):
    pair = '    "torch==2.11.0",\n    "torchaudio==2.11.0",\n    "torchmetrics"\n'
    (project / "setup.py").write_text(pair)
    code, _ = setup(project, "--torch-index", "file:///a b")
    assert code == 0
    assert calls(project)[1:] == ["pip torch==2.11.0 torchaudio==2.11.0", "pip -e .[test]"]


@pytest.mark.parametrize("options", [["--cpu"], ["--torch-index"], ["--torch-index", ""]])
def test_another_option_is_refused(project, options):
    code, out = setup(project, *options)
    assert code == 1 and "setup.sh: expected nothing or --torch-index URL, found: --" in out
    assert calls(project) == []
