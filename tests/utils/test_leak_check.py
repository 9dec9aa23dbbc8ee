"""Leak check: what is dealt anew stays whole, and the rest stays."""

import importlib.util
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from lhotse import SupervisionSegment

from dsnet.errors import ConfigError
from dsnet.folds.build import build_task
from dsnet.task import FoldConfig, ReferenceConfig, TaskConfig

PATH = Path(__file__).parents[2] / "utils" / "leak_check.py"


@pytest.fixture
def leak_check():
    spec = importlib.util.spec_from_file_location("leak_check", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def segments():
    """Thirty utterances of three speakers in three sessions, with two fields of labels."""
    return [
        SupervisionSegment(
            id=f"u{i:02}",
            recording_id=f"r{i}",
            start=0.0,
            duration=1.0,
            speaker="abc"[i % 3],
            gender="fmf"[i % 3],
            custom={"emotion": "xyz"[i // 10], "vote": "xxyyz"[i // 6], "session": str(i % 3)},
        )
        for i in range(30)
    ]


def test_labels_are_those_of_the_task_and_each_is_dealt_once(leak_check, segments):
    altered = leak_check.permuted(segments, "labels", "vote", seed=1)
    votes = [s.custom["vote"] for s in altered]
    assert votes != [s.custom["vote"] for s in segments]
    assert Counter(votes) == Counter(s.custom["vote"] for s in segments)
    for before, after in zip(segments, altered, strict=True):
        assert (after.id, after.speaker) == (before.id, before.speaker)
        assert after.custom["emotion"] == before.custom["emotion"]


def test_speakers_are_dealt_with_sex_and_session_and_labels_stay(leak_check, segments):
    altered = leak_check.permuted(segments, "speakers", "emotion", seed=1)
    assert [s.speaker for s in altered] != [s.speaker for s in segments]
    assert [s.custom["emotion"] for s in altered] == [s.custom["emotion"] for s in segments]
    people = {(s.speaker, s.gender, s.custom["session"]) for s in altered}
    assert people == {("a", "f", "0"), ("b", "m", "1"), ("c", "f", "2")}
    assert Counter(s.speaker for s in altered) == Counter("abc" * 10)


@pytest.mark.parametrize("what", ["labels", "speakers"])
def test_copies_of_a_recording_do_not_stop_it(leak_check, segments, what, tmp_path):
    """A pair of one speaker, the same audio or one span within another, may be parted."""
    for segment in segments:
        segment.custom |= {"audio_hash": segment.id, "fingerprint": ""}
    for segment in segments[3], segments[6]:
        segment.custom["audio_hash"] = "the same"
    segments[12].recording_id = segments[9].recording_id
    config = TaskConfig(
        classes=["x", "y", "z"],
        label_map={name: name for name in "xyz"},
        folds=FoldConfig(validation="none"),
        references=ReferenceConfig("x", if_missing="no_reference"),
    )
    build_task(config, segments, tmp_path / "true")
    for seed in range(5):
        altered = leak_check.permuted(segments, what, "emotion", seed)
        build_task(config, altered, tmp_path / f"{what}{seed}", allow_near_copies=True)


def test_a_speaker_to_whom_no_neutral_utterance_is_dealt_stops_nothing(
    leak_check, segments, tmp_path
):
    config = TaskConfig(
        classes=["x", "y"],
        label_map={"x": "x", "y": "y"},
        folds=FoldConfig(validation="none"),
        references=ReferenceConfig("x"),
    )
    for place, segment in enumerate(segments):
        segment.custom["emotion"] = "y" if segment.speaker == "a" or place % 2 else "x"
    build_task(leak_check.for_dealt(config, "t"), segments, tmp_path / "t")
    assert (tmp_path / "t" / "folds").is_file()
    owners = FoldConfig("predefined", "predefined", train=["1"], dev=["2"], test=["3"], field="f")
    with pytest.raises(ConfigError, match="--task t: its split is the owners'"):
        leak_check.for_dealt(replace(config, folds=owners), "t")
