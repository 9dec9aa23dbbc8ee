"""Stage 3 with several processes a network, run as the recipes run it, and one of them killed."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from dsnet.training import checkpoint
from dsnet.training.loop import CHECKPOINT, MODEL

EPOCHS = 60
TINY = f"""\
kind: dsnet
features: fbank
input: {{mode: crop, max_seconds: 0.16}}
encoder: {{channels: [4, 4, 6, 8], embed_dim: 8}}
train: {{batch_size: 4, max_epochs: {EPOCHS}, stop_after: 0}}
"""
PROGRAM = [sys.executable, "-m", "dsnet.bin.train", "--task", "task", "--folds", "a", "--device"]


@pytest.fixture
def recipe(tmp_path, write_stages):
    recipe = write_stages(tmp_path / "one", speakers="abcd")
    systems = recipe.conf[0] / "systems"
    systems.mkdir(parents=True)
    for name in ("whole", "killed", "vectors"):
        (systems / f"{name}.yaml").write_text(TINY)
    (systems / "vectors.yaml").write_text("{kind: logistic, features: vectors}\n")
    return recipe


def start(recipe, system, processes=2):
    command = [*PROGRAM, "cpu", "--system", system, "--processes", str(processes)]
    return subprocess.Popen(
        command, cwd=recipe.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def members_of(process):
    """Return the processes that a program has started."""
    children = f"/proc/{process.pid}/task/{process.pid}/children"
    with open(children) as stream:
        return [int(pid) for pid in stream.read().split()]


def killed_after_an_epoch(process, folder, choose):
    """Kill the process that `choose` picks of (program, its members) once there is a checkpoint."""
    while not (folder / CHECKPOINT).exists():
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.02)
    members = members_of(process)
    os.kill(choose(process.pid, members), signal.SIGKILL)
    said = process.communicate(timeout=60)[0]
    deadline = time.monotonic() + 30
    while any(os.path.exists(f"/proc/{pid}/fd/0") for pid in members):
        assert time.monotonic() < deadline, "a process of the team is left"
        time.sleep(0.05)
    return said


@pytest.mark.slow
def test_a_killed_process_ends_all_and_the_run_goes_on_to_the_same_bits(recipe):
    whole = start(recipe, "whole")
    assert whole.wait(120) == 0, whole.stdout.read()
    folder = recipe.run("task", "killed", 1, "a")
    one = start(recipe, "killed")
    said = killed_after_an_epoch(one, folder, lambda program, members: members[1])
    assert one.returncode == 1
    last = said.splitlines()[-1]
    assert last.startswith("train: process 1 of 2 was killed by SIGKILL")
    assert "Traceback" not in last
    killed_after_an_epoch(start(recipe, "killed"), folder, lambda program, members: program)
    again = start(recipe, "killed")
    said = again.communicate(timeout=120)[0]
    assert again.returncode == 0, said
    assert said.count("resuming after epoch") == 1  # the leader alone prints
    first, second = (
        checkpoint.load(recipe.run("task", name, 1, "a") / MODEL)["model"]
        for name in ("whole", "killed")
    )
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    facts = json.loads((folder / "train.json").read_text())
    assert facts["processes"] == 2 and facts["epochs"] == EPOCHS
    done = start(recipe, "killed")
    assert "already trained" in done.communicate(timeout=60)[0]


@pytest.mark.slow
def test_what_is_wrong_is_said_without_a_traceback(recipe):
    many = start(recipe, "whole", 3)
    said = many.communicate(timeout=60)[0]
    assert many.returncode == 1
    assert "each needs two of them" in said and "Traceback" not in said


def test_a_linear_system_is_fitted_by_one_process(recipe):
    one = start(recipe, "vectors")
    said = one.communicate(timeout=60)[0]
    assert one.returncode == 0, said
    assert "processes" not in json.loads(
        (recipe.run("task", "vectors", 1, "a") / "train.json").read_text()
    )
