"""check_gate as it is called: counts printed, a mismatch stops unless allowed."""

import json
import subprocess
import sys

import pytest
from lhotse import Recording, RecordingSet, SupervisionSegment, SupervisionSet

from dsnet.corpus.manifests import write_manifests

TASK = """
classes: [neutral, happy]
label_map: {neu: neutral, hap: happy, exc: happy}
ignored_labels: [xxx]
gate: {utterances: UTTERANCES, by_speaker: {a: 2, b: 1}}
references: {native_label: neu, if_missing: all_utterances}
"""


@pytest.fixture
def folder(tmp_path):
    labels = {"a1": "neu", "a2": "exc", "b1": "hap", "b2": "xxx"}
    recordings = [Recording(u, [], 16000, 16000, 1.0, [0]) for u in labels]
    segments = [
        SupervisionSegment(u, u, 0.0, 1.0, speaker=u[0], custom={"emotion": e})
        for u, e in labels.items()
    ]
    write_manifests(
        tmp_path / "m",
        RecordingSet.from_recordings(recordings),
        SupervisionSet.from_segments(segments),
    )
    return tmp_path


def check_gate(folder, utterances, *options, task=TASK):
    (folder / "t.yaml").write_text(task.replace("UTTERANCES", str(utterances)))
    command = [sys.executable, "-m", "dsnet.bin.check_gate", *options, "t.yaml", "m", "d/gate.json"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_gate_that_holds(folder):
    done = check_gate(folder, 3)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split() for line in lines[:4]] == [
        ["speaker", "happy", "neutral", "total"],
        ["a", "1", "1", "2"],
        ["b", "1", "0", "1"],
        ["total", "2", "1", "3"],
    ]
    assert lines[4:] == [
        "1 utterances left out: native label 'xxx' (ignored_labels)",
        "note: 1 speakers have one class only: b (happy)",
        "note: 1 speakers have no neutral utterance: any utterance of theirs serves as reference: "
        "b",
    ]
    report = json.loads((folder / "d" / "gate.json").read_text())
    assert report == {
        "utterances": 3,
        "by_class": {"neutral": 1, "happy": 2},
        "by_speaker": {"a": 2, "b": 1},
        "of_unknown": 0,
        "ignored": {"xxx": 1},
        "others": {},
        "one_class": {"b": "happy"},
        "without_neutral": {"b": 1},
        "differences": [],
    }


def test_gate_that_does_not_hold(folder):
    done = check_gate(folder, 4)
    assert done.returncode == 1
    assert done.stderr.startswith(
        "check_gate: m: other counts than t.yaml (gate) says: 3 utterances, expected 4. Is the copy"
    )
    assert not (folder / "d").exists()
    done = check_gate(folder, 4, "--allow-count-mismatch", "true")
    assert done.returncode == 0
    assert "note: 3 utterances, expected 4" in done.stdout
    assert json.loads((folder / "d" / "gate.json").read_text())["differences"]


def test_a_speaker_without_neutral_stops_stage_0(folder):
    done = check_gate(folder, 3, task=TASK.replace(", if_missing: all_utterances", ""))
    assert done.returncode == 1
    assert done.stderr.startswith(
        "check_gate: m: 1 of 2 speakers have no utterance with native label 'neu' to serve"
    )
    assert not (folder / "d").exists()
    done = check_gate(folder, 3, task=TASK.replace("all_utterances", "drop_speaker"))
    assert "no neutral utterance: stage 2 leaves them out of the task: b" in done.stdout


def test_a_fold_that_there_will_not_be_stops_stage_0(folder):
    done = check_gate(folder, 3, "--folds", "a c")
    assert done.returncode == 1
    assert "no fold 'c'; there are: a, b" in done.stderr
    assert check_gate(folder, 3, "--folds", "b").returncode == 0


def test_a_predefined_split_is_checked_before_features_are_made(folder):
    sides = "folds: {protocol: predefined, validation: none, field: emotion, train: [neu], test: T}"
    done = check_gate(folder, 3, task=f"{TASK}{sides.replace('T}', '[exc, hap]}')}")
    assert done.returncode == 1
    assert (
        "fold predefined: 1 speakers are on two sides, with so many utterances: a (train 1, "
        in (done.stderr)
    )
    done = check_gate(folder, 3, task=f"{TASK}{sides.replace('T}', '[exc, xxx]}')}")
    assert "folds.test names 'xxx', but none of its 1 utterances is in the task" in done.stderr
    assert "neither folds.train nor dev nor test names: 'hap' (1 utterances)" in done.stderr
    assert not (folder / "d").exists()
