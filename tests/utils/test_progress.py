"""The status line of run.py and slurm.py: on a terminal, without one, and what it says."""

import json
import os
import pty
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

UTILS = Path(__file__).parents[2] / "utils"
OFTEN = (
    "import progress, run; progress.TERMINAL_SECONDS = progress.PLAIN_SECONDS = 0.05; "
    "progress.KNOWN_SECONDS = {known}; run.main()"
)


def command(words, known=1e9):
    return [sys.executable, "-c", OFTEN.format(known=known), *words]


def environment(**extra):
    return {**os.environ, "PYTHONPATH": str(UTILS), **extra}


def on_terminal(folder, words, **extra):
    """Return what run.py writes on a terminal."""
    main, side = pty.openpty()
    process = subprocess.Popen(command(words), cwd=folder, env=environment(**extra), stderr=side)
    process.wait(timeout=8)
    os.close(side)
    shown = os.read(main, 1 << 16).decode()
    os.close(main)
    return shown


def in_a_file(folder, words, known=1e9, **extra):
    """Return the lines that run.py writes without a terminal."""
    done = subprocess.run(
        command(words, known), cwd=folder, env=environment(**extra), capture_output=True, text=True
    )
    assert done.stdout == "" and "\r" not in done.stderr and "\x1b" not in done.stderr
    return done.stderr.splitlines()


def test_on_a_terminal_one_line_is_redrawn(tmp_path):
    """With the last line of the log that moved last, without what a progress bar overwrote."""
    script = "printf 'epoch 1\\repoch 2'; sleep 0.3"
    jobs = ["--max-jobs-run", "1", "JOB=1:2", "log/x.JOB.log"]
    shown = on_terminal(tmp_path, [*jobs, "sh", "-c", script])
    lines = shown.split("\r\x1b[K")
    assert "0 of 2 jobs done, 1 running | x.1: epoch 2" in lines
    assert "1 of 2 jobs done, 1 running | x.2: epoch 2" in lines
    assert lines[-1] == "" and "epoch 1" not in shown  # the line is gone at the end


@pytest.mark.parametrize(("no_color", "red"), [("", True), ("1", False)])
def test_a_failure_is_red_on_a_terminal_unless_told_otherwise(tmp_path, no_color, red):
    shown = on_terminal(tmp_path, ["x.log", "false"], NO_COLOR=no_color)
    message = "run.py: job failed; end of x.log:"
    assert message in shown and (f"\x1b[31m{message}\x1b[0m" in shown) == red


def test_without_a_terminal_each_line_is_plain_and_has_its_time(tmp_path):
    jobs = ["--max-jobs-run", "1", "JOB=1:2", "x.JOB.log"]
    lines = in_a_file(tmp_path, [*jobs, "sh", "-c", "echo busy JOB; sleep 0.3"])
    assert all(re.match(r"  \d\d:\d\d [01] of 2 jobs done, 1 running", line) for line in lines)
    assert lines[0].endswith("0 of 2 jobs done, 1 running | x.1: busy 1")
    assert lines[-1].endswith("1 of 2 jobs done, 1 running | x.2: busy 2")


def test_short_runs_stay_quiet_without_a_terminal(tmp_path):
    words = ["x.log", "sleep", "0.2"]
    quiet = subprocess.run(
        [sys.executable, UTILS / "run.py", *words], cwd=tmp_path, capture_output=True
    )
    assert quiet.stderr == b""


def test_a_job_that_failed_is_told_before_the_others_end(tmp_path):
    script = "[ JOB = 1 ] || sleep 0.4; exit 1"
    lines = in_a_file(tmp_path, ["--max-jobs-run", "2", "JOB=1:2", "x.JOB.log", "sh", "-c", script])
    assert any("1 failed; 1 of 2 jobs done, 1 running" in line for line in lines)


def of_jobs(monkeypatch, folder, logs, seconds):
    """Return a Progress of jobs with some logs that has run for so long."""
    monkeypatch.syspath_prepend(UTILS)
    import progress

    for job, text in logs.items():
        if text is not None:
            (folder / f"{job}.log").write_text(text)
    found = progress.Progress({job: folder / f"{job}.log" for job in logs})
    found.began = time.time() - seconds
    return found


def test_speed_and_time_left_of_jobs(tmp_path, monkeypatch):
    """4 of 10 jobs in 120 s: 2 a minute, 6 are left."""
    progress = of_jobs(monkeypatch, tmp_path, {job: "# head\n" for job in range(1, 11)}, 120)
    text = progress.in_words({1: 0, 2: 0, 3: 0, 4: 0}, [5, 6])
    assert text == "4 of 10 jobs done, 2 running; 2 a minute; about 3 min left"
    assert progress.in_words({}, [1, 2]) == "0 of 10 jobs done, 2 running"


def test_speed_and_time_left_of_what_jobs_count(tmp_path, monkeypatch):
    """20 and 40 of 80 utterances each in 60 s: 3/4 of a job of two; 5/4 take 100 s."""
    logs = {1: "# head\nutterance 10/80\nutterance 20/80\nnote\n", 2: "utterance 40/80\n"}
    text = of_jobs(monkeypatch, tmp_path, logs, 60).in_words({}, [1, 2])
    assert text.startswith(
        "0 of 2 jobs done, 2 running; 60 of 160 utterances; 60 a minute; about 2 min left | "
    )


def test_the_whole_is_not_told_before_all_have_begun(tmp_path, monkeypatch):
    logs = {1: "utterance 80/80\n# Ended (code 0)\n", 2: "utterance 40/80\n", 3: None}
    text = of_jobs(monkeypatch, tmp_path, logs, 90).in_words({1: 0}, [2])
    assert text.startswith(  # 1.5 of 3 jobs in 90 s
        "1 of 3 jobs done, 1 running; 120 utterances; 80 a minute; about 90 s left | 2: utterance"
    )


def test_slow_jobs_have_a_speed_too(tmp_path, monkeypatch):
    text = of_jobs(monkeypatch, tmp_path, {1: "", 2: ""}, 1200).in_words({1: 0}, [2])
    assert text == "1 of 2 jobs done, 1 running; one in 20 min; about 20 min left"


def test_in_stage_3_all_trainings_count(tmp_path):
    """Of one system with two folds; the launcher runs one of them, which logs two epochs of 3 s."""
    config = {"features": "f", "train": {"max_epochs": 100, "stop_after": 0}}
    for path, content in {
        "exp/t/one/system.json": {"code": "c", "config": config},
        "data/t/task.json": {"digest": "d"},
        "data/f/feats.json": {"digest": "d"},
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(json.dumps(content))
    script = (
        "sleep 0.2; mkdir -p exp/t/one/seed_1/fold_a; cd exp/t/one/seed_1/fold_a;"
        "for i in 1 2; do echo '{\"seconds\": 3}' >> log.jsonl; done; sleep 0.4"
    )
    stage = "\n".join(["t", "one", "1", "a b", "1", "0"])
    lines = in_a_file(tmp_path, ["x.log", "sh", "-c", script], DSNET_TRAININGS=stage)
    assert lines[0].endswith("0 of 2 trainings done; time left not known yet")
    # 98 epochs of the one that runs, 100 of the other
    assert lines[-1].endswith("0 of 2 trainings done (5 min each); about 10 min left")
