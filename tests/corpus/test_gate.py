"""The gate, against tables counted by hand."""

from dataclasses import replace

import pytest
from lhotse import SupervisionSegment

from dsnet.corpus.gate import apply_labels, check, count, label, native_labels
from dsnet.errors import CorpusError
from dsnet.task import GateConfig, ReferenceConfig, TaskConfig

NATIVE = {"a1": "hap", "a2": "exc", "b1": "neu", "b2": "xxx", "b3": "xxx"}


def supervisions(labels=NATIVE, **custom):
    """Utterance a1 of speaker a, ...; further custom fields are given by utterance."""
    return [
        SupervisionSegment(
            utt, utt, 0.0, 1.0, speaker=utt[0],
            custom={"emotion": emotion} | {k: v[utt] for k, v in custom.items() if utt in v},
        )
        for utt, emotion in labels.items()
    ]  # fmt: skip


def task(**gate):
    return TaskConfig(
        classes=["neutral", "happy", "sad"],
        label_map={"hap": "happy", "exc": "happy", "neu": "neutral", "sad": "sad"},
        ignored_labels=["xxx", "oth"],
        gate=GateConfig(**gate),
        references=ReferenceConfig("neu", if_missing="all_utterances"),
    )


def test_labels_and_counts():
    utt2emo, ignored = apply_labels(NATIVE, task())
    assert utt2emo == {"a1": "happy", "a2": "happy", "b1": "neutral"}
    assert ignored == {"xxx": 2}
    report = count(label(supervisions(), task()), task())
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
    report = count(label(supervisions(), config), config)
    assert report.differences == [
        "3 utterances, expected 4",
        "class happy: 2, expected 3",
        "speaker b: 1, expected 0",
        "speaker c: 0, expected 5",
    ]
    with pytest.raises(CorpusError, match=r"m: other counts than t\.yaml .*--allow-count-mismatch"):
        check(report, config, "m", "t.yaml")


def test_only_the_first_ten_differences_are_told():
    config = task(by_speaker={f"s{i:02d}": 1 for i in range(20)})
    with pytest.raises(CorpusError, match="s07: 0, expected 1; and 12 more") as caught:
        check(count(label(supervisions(), config), config), config, "m", "t.yaml")
    assert "s08" not in str(caught.value)


def test_matching_gate_passes():
    config = task(utterances=3, by_class={"neutral": 1, "happy": 2}, by_speaker={"a": 2, "b": 1})
    check(count(label(supervisions(), config), config), config, "m", "t.yaml")


def test_speakers_with_one_class_and_without_neutral():
    labels = {"a1": "hap", "a2": "exc", "b1": "neu", "b2": "hap", "c1": "sad", "c2": "neu"}
    config = replace(task(), only={"take": ["1"]})  # c2 is no take of it
    takes = dict.fromkeys(labels, "1") | {"c2": "2"}
    report = count(label(supervisions(labels, take=takes), config), config)
    assert report.one_class == {"a": "happy", "c": "sad"}
    assert report.without_neutral == {"a": 2, "c": 1}


def test_neutral_may_be_outside_the_task():
    config = replace(
        task(), classes=["happy", "sad"], label_map={"hap": "happy", "exc": "sad"},
        ignored_labels=["neu", "xxx"],
    )  # fmt: skip
    labels = {"a1": "hap", "a2": "neu", "b1": "exc"}
    assert count(label(supervisions(labels), config), config).without_neutral == {"b": 1}


def test_counts_and_missing_neutrals_are_refused_together():
    config = task(utterances=4)
    config.references.if_missing = "error"
    report = count(label(supervisions(), config), config)
    with pytest.raises(CorpusError) as caught:
        check(report, config, "m", "t.yaml")
    counts, neutrals = str(caught.value).split("\n")
    assert "3 utterances, expected 4" in counts
    assert neutrals.startswith(
        "m: 1 of 2 speakers have no utterance with native label 'neu' to serve as neutral "
        "reference: a (2 utterances in the task). Labels are exc, hap, neu, oth, sad, xxx. Correct "
        "references.native_label of t.yaml"
    )
    with pytest.raises(CorpusError, match="^m: 1 of 2 speakers have no utterance"):
        check(report, config, "m", "t.yaml", allow_count_mismatch=True)
    config.references.if_missing = "drop_speaker"
    check(report, config, "m", "t.yaml", allow_count_mismatch=True)


def test_supervision_without_emotion():
    bare = SupervisionSegment("u", "r", 0.0, 1.0)
    with pytest.raises(CorpusError, match="1 of 1 supervisions have no custom field 'emotion'.*u"):
        native_labels([bare])


def test_only_some_utterances_and_the_others_counted():
    config = replace(task(utterances=2), only={"condition": ["impro"]})
    said = {"a1": "impro", "a2": "script", "b1": "impro", "b2": "script"}  # b3 has none
    labels = label(supervisions(condition=said), config)
    assert labels.utt2emo == {"a1": "happy", "b1": "neutral"}
    assert labels.ignored == {} and [s.id for s in labels.candidates] == ["a1", "b1"]
    assert labels.others == {"condition (none)": 1, "condition script": 2}
    check(count(labels, config), config, "m", "t.yaml")


def test_two_fields_must_both_fit():
    config = replace(task(), only={"condition": ["impro"], "take": ["1", "2"]})
    takes = dict(zip(NATIVE, [1, 2, 3, 1, 2], strict=True))  # numbers in the manifest
    labels = label(supervisions(condition=dict.fromkeys(NATIVE, "impro"), take=takes), config)
    assert labels.utt2emo == {"a1": "happy", "a2": "happy"}
    assert labels.others == {"take 3": 1} and labels.ignored == {"xxx": 2}


def test_a_value_that_no_utterance_has_is_a_slip():
    config = replace(task(), only={"condition": ["imrpo"]})
    with pytest.raises(CorpusError, match=r"asks for 'imrpo', .* has 2 values: impro, script"):
        said = dict.fromkeys(NATIVE, "impro") | {"a1": "script"}
        label(supervisions(condition=said), config)


def test_another_field_may_hold_the_label():
    config = replace(task(), label_field="voted")
    voted = dict.fromkeys(NATIVE, "neu") | {"a1": "hap"}
    labels = label(supervisions(voted=voted), config)
    assert labels.utt2emo["a1"] == "happy" and labels.native["b2"] == "neu"
    with pytest.raises(CorpusError, match="1 of 5 supervisions have no custom field 'voted'.*a1"):
        label(supervisions(voted={k: v for k, v in voted.items() if k != "a1"}), config)


def test_labels_that_a_table_holds_as_numbers():
    config = replace(task(), label_field="code", label_map=task().label_map | {"1": "sad"})
    labels = label(supervisions({"a1": "hap", "a2": "exc"}, code={"a1": 1, "a2": 1}), config)
    assert labels.utt2emo == {"a1": "sad", "a2": "sad"}
