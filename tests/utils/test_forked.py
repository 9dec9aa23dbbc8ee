"""Jobs that run.py forks are what `python -m` would be: by itself, with its log and exit status."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).parents[2] / "utils" / "run.py"
MODULE = """\
import os, signal, sys, time

def main():
    print("argv", sys.argv[1:], "path", sys.path[0] == os.getcwd())
    print("pid", os.getpid(), "group", os.getpgrp(), "parent", os.getppid())
    print("stdin", repr(sys.stdin.read()), "files", len(os.listdir("/proc/self/fd")), flush=True)
    what = sys.argv[-1]
    if what == "words":
        sys.exit("said at the end")
    if what == "seven":
        sys.exit(7)
    if what == "error":
        raise ValueError("a fault")
    if what == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "slow":
        time.sleep(60)

if __name__ == "__main__":
    main()
"""


@pytest.fixture
def project(tmp_path):
    (tmp_path / "dsnet" / "bin").mkdir(parents=True)
    (tmp_path / "dsnet" / "__init__.py").touch()
    (tmp_path / "dsnet" / "bin" / "__init__.py").write_text(
        "import os\nprint('imported by', os.getpid())\n"
    )
    (tmp_path / "dsnet" / "bin" / "job.py").write_text(MODULE)
    return tmp_path


def start(project, *words, **more):
    """Start run.py with two jobs, by the Python of the tests."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    command = [
        sys.executable,
        RUN,
        "JOB=1:2",
        "log/JOB",
        "python",
        "-m",
        "dsnet.bin.job",
        "JOB",
        *words,
    ]
    return subprocess.Popen(
        command, cwd=project, env={**os.environ, "PATH": path}, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, **more,
    )  # fmt: skip


def test_a_job_is_a_process_of_its_own(project):
    process = start(project, "well")
    assert process.wait() == 0
    for job in ("1", "2"):
        log = (project / "log" / job).read_text()
        assert f"argv ['{job}', 'well'] path True" in log
        facts = next(line.split() for line in log.splitlines() if line.startswith("pid"))
        assert facts[1] == facts[3] and facts[5] == str(process.pid)
        assert f"imported by {facts[1]}" in log  # not by run.py
        assert "stdin '' files 4" in log and "# Ended (code 0)" in log


@pytest.mark.parametrize(
    ("what", "code", "words"),
    [
        ("words", 1, "said at the end"), ("seven", 7, ""), ("error", 1, "ValueError: a fault"),
        ("killed", 137, "# Killed by SIGKILL: out of memory?"),
    ],
)  # fmt: skip
def test_its_end_is_in_its_log(project, what, code, words):
    assert start(project, what).wait() != 0
    log = (project / "log" / "2").read_text()
    assert words in log and f"# Ended (code {code})" in log


def test_a_module_that_cannot_be_imported_says_so_in_its_log(project):
    (project / "dsnet" / "bin" / "job.py").write_text("import nothing_of_this_name\n")
    assert start(project).wait() == 1
    assert "No module named 'nothing_of_this_name'" in (project / "log" / "1").read_text()


def test_it_ends_with_a_killed_launcher(project, wait_for, alive):
    process = start(project, "slow")
    logs = [project / "log" / job for job in ("1", "2")]
    wait_for(lambda: all(log.exists() and "stdin" in log.read_text() for log in logs))
    pids = [int(log.read_text().partition("pid ")[2].split()[0]) for log in logs]
    process.kill()
    process.wait()
    wait_for(lambda: not any(map(alive, pids)))


def test_another_python_is_started(project):
    """Its libraries are not those of run.py."""
    (project / "bin").mkdir()
    (project / "bin" / "python").symlink_to(sys.executable)
    os_path = os.environ["PATH"]
    env = {**os.environ, "PATH": f"{project / 'bin'}:{os_path}"}
    command = [sys.executable, RUN, "JOB=1:1", "log/JOB", "python", "-m", "dsnet.bin.job", "well"]
    assert subprocess.run(command, cwd=project, env=env, check=False).returncode == 0
    assert (project / "log" / "1").read_text().count("imported by") == 1
