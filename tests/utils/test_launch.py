"""run.py, and slurm.py as far as it is the same: Kaldi's command line, logs, failures, signals."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

UTILS = Path(__file__).parents[2] / "utils"

both = pytest.mark.parametrize("program", ["run.py", "slurm.py"])


@both
@pytest.mark.parametrize(
    "options",
    [
        ["--max-jobs-run", "2", "JOB=1:3"],
        ["JOB=1:3", "--max-jobs-run", "2", "--mem", "2G", "--gpu", "0", "--time", "1:00"],
    ],
)
def test_the_job_number_replaces_the_name_everywhere(folder, program, options, launch):
    script = 'printf "%s\\n" "$@"'
    command = ["sh", "-c", script, "sh", "a b", "JOB/3", "xJOBJOB", "it's $HOME *"]
    code, err = launch(folder, program, *options, "exp/log/x.JOB.log", *command)
    assert (code, err) == (0, "")
    for job in "123":
        lines = (folder / f"exp/log/x.{job}.log").read_text().splitlines()
        assert lines[0].startswith("# sh -c ") and lines[1].startswith("# Started at ")
        assert lines[3:7] == ["a b", f"{job}/3", f"x{job}{job}", "it's $HOME *"]
        assert re.fullmatch(r"# Accounting: time=\d+ threads=1", lines[7])
        assert lines[8].startswith("# Ended (code 0) at ")


@both
def test_one_job_with_and_without_a_number(folder, program, launch):
    assert launch(folder, program, "EXP=12", "a.log", "echo", "EXP") == (0, "")
    assert "\n12\n" in (folder / "a.log").read_text()
    assert launch(folder, program, "--num-threads", "3", "b.log", "echo", "JOB") == (0, "")
    text = (folder / "b.log").read_text()
    assert "\nJOB\n" in text and "threads=3" in text


@both
def test_all_jobs_run_and_all_failed_ones_are_named(folder, program, launch):
    script = "seq 1 30; touch ran.JOB; test JOB -ne 2 && test JOB -ne 4"
    args = ["--max-jobs-run", "1", "N=1:5", "log/x.N.log", "sh", "-c", script.replace("JOB", "N")]
    code, err = launch(folder, program, *args)
    assert code == 1 and len(list(folder.glob("ran.*"))) == 5
    lines = err.splitlines()
    assert lines[0] == f"{program}: 2 of 5 jobs failed (N 2, 4); end of log/x.2.log:"
    assert lines[1] == "  | 18" and lines[13] == "  | 30" and lines[15].startswith("  | # Ended")


@both
def test_a_job_killed_by_a_signal_says_so(folder, program, launch):
    code, err = launch(folder, program, "x.log", "sh", "-c", "kill -KILL $$")
    assert code == 1
    assert f"{program}: the job was killed by SIGKILL: out of memory?" in err
    assert "# Killed by SIGKILL: out of memory?\n" in (folder / "x.log").read_text()
    assert "# Ended (code 137) at" in (folder / "x.log").read_text()


@both
def test_a_command_that_is_not_there(folder, program, launch):
    code, err = launch(folder, program, "x.log", "no-such-command")
    assert code == 1 and "cannot run no-such-command: No such file or directory" in err


@both
@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--jobs", "2", "x.log", "true"], "unknown option --jobs; there are --max-jobs-run"),
        (["--gpu", "x", "x.log", "true"], "option --gpu needs a positive integer, not 'x'"),
        (["JOB=3:1", "x.JOB", "true"], "bad job range JOB=3:1"),
        (["JOB=0:1", "x.JOB", "true"], "bad job range JOB=0:1"),
        (["JOB=1:", "x.JOB", "true"], "bad job range JOB=1:"),
        (["JOB=1:2", "x.log", "true"], "2 jobs would write the one log x.log; put JOB into"),
        (["x.log"], "a log and a command are wanted"),
    ],
)
def test_a_wrong_command_line_is_explained(folder, program, args, message, launch):
    code, err = launch(folder, program, *args)
    assert code == 1 and err.startswith(f"{program}: {message}")


def test_no_more_jobs_at_a_time_than_the_smallest_maximum(folder, launch):
    script = "touch on.JOB; ls on.* | wc -l >> counts; sleep 0.1; rm on.JOB"
    args = ["--max-jobs-run", "3", "JOB=1:6", "--max-jobs-run", "2"]
    assert launch(folder, "run.py", *args, "x.JOB.log", "sh", "-c", script)[0] == 0
    counts = [int(n) for n in (folder / "counts").read_text().split()]
    assert len(counts) == 6 and max(counts) == 2


def test_gpus_are_dealt_to_the_jobs(folder, launch):
    script = 'echo "JOB $CUDA_VISIBLE_DEVICES" >> got; while [ $(wc -l < got) -lt 2 ]; do :; done'
    args = ["--gpu", "2", "JOB=1:2", "x.JOB.log", "sh", "-c", script]
    assert launch(folder, "run.py", *args, env={"CUDA_VISIBLE_DEVICES": "4,5,6,7"})[0] == 0
    assert sorted((folder / "got").read_text().splitlines()) == ["1 4,5", "2 6,7"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_jobs_and_what_they_started(folder, number, wait_for, alive, start):
    script = "sleep 60 & echo $! $$ > tmp.JOB; mv tmp.JOB pids.JOB; wait"
    process = start(folder, "run.py", "JOB=1:2", "--max-jobs-run", "2", "x.JOB.log",
                    "sh", "-c", script)  # fmt: skip
    wait_for(lambda: len(list(folder.glob("pids.*"))) == 2)
    pids = [int(p) for f in folder.glob("pids.*") for p in f.read_text().split()]
    process.send_signal(number)
    assert process.wait(timeout=3) == 128 + number
    wait_for(lambda: not any(map(alive, pids)), seconds=1.0)
    assert "# Ended (code 143)" in (folder / "x.1.log").read_text()


def test_jobs_end_with_a_killed_launcher(folder, wait_for, alive, start):
    script = "echo $$ > tmp.JOB; mv tmp.JOB pid.JOB; exec sleep 60"
    args = ["JOB=1:2", "--max-jobs-run", "2", "x.JOB.log", "sh", "-c", script]
    process = start(folder, "run.py", *args)
    wait_for(lambda: len(list(folder.glob("pid.*"))) == 2)
    process.kill()
    wait_for(lambda: not any(alive(int(f.read_text())) for f in folder.glob("pid.*")))


def test_a_job_that_ignores_sigterm_is_killed(folder, wait_for, alive):
    code = (
        "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "open('tmp', 'w').write(str(os.getpid())); os.rename('tmp', 'pid'); time.sleep(60)"
    )
    soon = "import run; run.GRACE_SECONDS = 0.3; run.main()"
    process = subprocess.Popen(
        [sys.executable, "-c", soon, "x.log", sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(UTILS)},
    )
    wait_for((folder / "pid").exists)
    process.terminate()
    assert process.wait(timeout=4) == 143
    assert not alive(int((folder / "pid").read_text()))
    assert "# Ended (code 137)" in (folder / "x.log").read_text()
