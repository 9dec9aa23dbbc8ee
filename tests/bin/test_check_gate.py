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


def check_gate(folder, utterances, *options):
    (folder / "t.yaml").write_text(TASK.replace("UTTERANCES", str(utterances)))
    command = [sys.executable, "-m", "dsnet.bin.check_gate", *options, "t.yaml", "m", "d/gate.json"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_gate_that_holds(folder):
    done = check_gate(folder, 3)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "speaker  happy  neutral  total",
        "a            1        1      2",
        "b            1        0      1",
        "total        2        1      3",
        "1 utterances left out: native label 'xxx' (ignored_labels)",
    ]
    report = json.loads((folder / "d" / "gate.json").read_text())
    assert report == {
        "utterances": 3,
        "by_class": {"neutral": 1, "happy": 2},
        "by_speaker": {"a": 2, "b": 1},
        "ignored": {"xxx": 1},
        "others": {},
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
