"""The gate, against tables counted by hand."""

import pytest
from lhotse import SupervisionSegment

from dsnet.corpus.gate import apply_labels, check, count, native_labels
from dsnet.errors import CorpusError
from dsnet.task import GateConfig, TaskConfig

NATIVE = {"a1": "hap", "a2": "exc", "b1": "neu", "b2": "xxx", "b3": "xxx"}
UTT2SPK = {utt_id: utt_id[0] for utt_id in NATIVE}


def task(**gate):
    return TaskConfig(
        classes=["neutral", "happy", "sad"],
        label_map={"hap": "happy", "exc": "happy", "neu": "neutral", "sad": "sad"},
        ignored_labels=["xxx", "oth"],
        gate=GateConfig(**gate),
    )


def test_labels_and_counts():
    utt2emo, ignored = apply_labels(NATIVE, task())
    assert utt2emo == {"a1": "happy", "a2": "happy", "b1": "neutral"}
    assert ignored == {"xxx": 2}
    report = count(utt2emo, UTT2SPK, ignored, task())
    assert report.utterances == 3
    assert list(report.by_class.items()) == [("neutral", 1), ("happy", 2), ("sad", 0)]
    assert report.by_speaker == {"a": 2, "b": 1}
    assert report.differences == []


def test_unknown_labels_are_listed_with_count_and_example():
    with pytest.raises(CorpusError, match="'dis' 2 times, for example c1; 'fru' 1 times") as caught:
        apply_labels({**NATIVE, "c1": "dis", "c2": "fru", "c3": "dis"}, task())
    assert "xxx" not in str(caught.value)


def test_mismatch_gives_both_figures():
    config = task(utterances=4, by_class={"neutral": 1, "happy": 3}, by_speaker={"a": 2, "c": 5})
    report = count(*counted(config))
    assert report.differences == [
        "3 utterances, expected 4",
        "class happy: 2, expected 3",
        "speaker b: 1, expected 0",
        "speaker c: 0, expected 5",
    ]
    with pytest.raises(CorpusError, match=r"m: other counts than t\.yaml .*--allow-count-mismatch"):
        check(report, "m", "t.yaml")


def counted(config):
    utt2emo, ignored = apply_labels(NATIVE, config)
    return utt2emo, UTT2SPK, ignored, config


def test_only_the_first_ten_differences_are_told():
    config = task(by_speaker={f"s{i:02d}": 1 for i in range(20)})
    with pytest.raises(CorpusError, match="s07: 0, expected 1; and 12 more") as caught:
        check(count(*counted(config)), "m", "t.yaml")
    assert "s08" not in str(caught.value)


def test_matching_gate_passes():
    config = task(utterances=3, by_class={"neutral": 1, "happy": 2}, by_speaker={"a": 2, "b": 1})
    check(count(*counted(config)), "m", "t.yaml")


def test_supervision_without_emotion():
    bare = SupervisionSegment("u", "r", 0.0, 1.0)
    with pytest.raises(CorpusError, match="1 of 1 supervisions have no custom field 'emotion'.*u"):
        native_labels([bare])
