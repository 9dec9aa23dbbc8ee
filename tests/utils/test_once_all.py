"""Steps whose jobs run in one queue: order, markers, failures, force, locks, other launchers."""

import json
import os
import signal

import pytest

STEPS = """\
stage 3 train
for name in one two; do
  queue $name --reads $name.txt --writes $name/1 $name/2 -- \\
    $cmd --max-jobs-run "$nj" JOB=1:2 $name/log/x.JOB.log sh -c "$(cat script)" sh $name JOB
done
together
stage 4 after
once after --reads one/1 two/2 --writes after -- touch after
"""
WRITE = "echo $1.$2 >> ran; mkdir -p $1; echo $1.$2 > $1/$2"


@pytest.fixture
def steps(recipe):
    """Return STEPS as a recipe with .script(text) and .ran(): the jobs since the last call."""

    def ran():
        path = recipe.folder / "ran"
        text = path.read_text() if path.exists() else ""
        path.unlink(missing_ok=True)
        return text.split()

    recipe.script_text = (recipe.folder / "script").write_text
    recipe.ran = ran
    recipe.write(STEPS)
    recipe.script_text(WRITE)
    for name in ("one", "two"):
        (recipe.folder / f"{name}.txt").write_text("input")
    return recipe


def marker(steps, name):
    return steps.folder / ".done" / f"3-{name}.json"


def test_jobs_of_all_steps_run_in_one_queue_in_their_order(steps):
    """Job 1 of the second step ends before job 1 of the first, though two run at a time."""
    script = "[ $1.$2 != one.1 ] || until [ -e two/1 ]; do sleep 0.02; done; " + WRITE
    steps.script_text(script)
    out = steps.ok("--stop-stage", "3")
    assert out.index("one: first run") < out.index("two: first run")
    assert sorted(steps.ran()) == ["one.1", "one.2", "two.1", "two.2"]
    assert "  one: done in " in out and "  two: done in " in out
    assert json.loads(marker(steps, "one").read_text())["writes"] == ["one/1", "one/2"]
    assert not list(steps.folder.glob(".done/.*jobs")) and not list(steps.folder.glob(".done/.*s"))
    steps.script_text(WRITE)
    steps.ok("--stop-stage", "3", "--nj", "1")  # the command changed
    assert steps.ran() == ["one.1", "one.2", "two.1", "two.2"]


def test_only_what_is_stale_runs_again(steps):
    steps.ok("--nj", "1")
    steps.ran()
    out = steps.ok("--cmd", "run.py --num-threads 1")
    assert "already done: one" in out and "already done: two" in out and steps.ran() == []
    (steps.folder / "two.txt").write_text("other")
    out = steps.ok("--nj", "1")
    assert f"two: {steps.seen}/two.txt changed" in out and steps.ran() == ["two.1", "two.2"]
    steps.ok("--force", "--nj", "1")
    assert steps.ran() == ["one.1", "one.2", "two.1", "two.2"]


def test_a_failure_is_shown_and_what_ended_well_is_done(steps):
    steps.script_text("if [ $1.$2 = two.1 ]; then echo oh dear; exit 3; fi; " + WRITE)
    err = steps.fails("--nj", "1")
    log = f"{steps.seen}/two/log/x.1.log"
    assert f"  {log} failed; the others go on\n" in err
    assert f"run.py: 1 of 4 jobs failed; end of {log}:" in err and "  | oh dear" in err
    assert "stage 3 (train) failed with exit status 1" in err and "--nj 1 --stage 3" in err
    assert marker(steps, "one").exists() and not marker(steps, "two").exists()
    assert steps.ran() == ["one.1", "one.2", "two.2"]
    steps.fails("--nj", "1")
    assert steps.ran() == ["two.2"]


def test_an_output_that_is_not_there_is_named_and_the_others_go_on(steps):
    steps.script_text("[ $1.$2 = one.1 ] || { " + WRITE + "; }")
    err = steps.fails("--nj", "1")
    assert f"stage 3, one: the command ended well but did not write {steps.seen}/one/1" in err
    assert marker(steps, "two").exists() and not marker(steps, "one").exists()


def test_an_interrupt_keeps_the_markers_of_what_is_done(steps, wait_for):
    steps.script_text("[ $1 = one ] || { touch up; exec sleep 60; }; " + WRITE)
    process = steps.start("--nj", "1", start_new_session=True)
    wait_for((steps.folder / "up").exists)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=9)
    assert process.returncode == 130 and "interrupted in stage 3" in err
    assert marker(steps, "one").exists() and not marker(steps, "two").exists()


def test_a_step_that_runs_elsewhere_is_not_run(steps, wait_for):
    steps.script_text("touch up; exec sleep 60")
    process = steps.start("--nj", "1")
    wait_for((steps.folder / "up").exists)
    err = steps.fails("--nj", "1")
    assert "stage 3, one: process " in err and "runs this step in" in err
    process.terminate()
    process.communicate(timeout=9)


def test_in_front_of_stage_the_steps_are_only_checked(steps):
    err = steps.fails("--stage", "4")
    assert "stage 3, one: not up to date: it has not been run to its end. Run first:" in err
    steps.ok("--stop-stage", "3")
    steps.ran()
    steps.ok("--stage", "4")
    assert steps.ran() == []


def test_a_launcher_without_lists_runs_a_step_after_the_other(steps, project):
    """As those of Kaldi, which know options and JOB=1:N."""
    own = project / "utils" / "run.pl"
    own.write_text('#!/usr/bin/env bash\necho "$3" >> pl; exec run.py "$@"\n')
    own.chmod(0o755)
    out = steps.ok("--cmd", "run.pl", "--nj", "1")
    assert steps.ran() == ["one.1", "one.2", "two.1", "two.2"] and "two: done in" in out
    assert (steps.folder / "pl").read_text() == "JOB=1:2\n" * 2
