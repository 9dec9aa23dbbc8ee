"""Each thing that stops the audit, made to happen; counts checked by hand."""

import base64
from dataclasses import replace

import pytest

from dsnet.errors import FoldError
from dsnet.folds.audit import TaskTables, audit, format_audit
from dsnet.folds.copies import Span, overlaps
from dsnet.folds.protocols import Fold
from dsnet.folds.references import References

UTT2SPK = {f"{spk}{n}": spk for spk in "abc" for n in (1, 2, 3)}
TABLES = TaskTables(
    classes=["x", "y"],
    utt2emo={utt: "y" if utt.endswith("3") else "x" for utt in UTT2SPK},
    utt2spk=UTT2SPK,
    utt2key={"a1": "hot", "b1": "hot", "c1": "cold", "a2": "cold"},
    utt2hash={utt: f"hash of {utt}" for utt in [*UTT2SPK, "a0"]},
    utt2print={},
    utt2span={},
    reference2spk={"a0": "a", "b1": "b", "b2": "b", "c1": "c"},  # a0 is outside the task
)
REFERENCES = References("spk2neutral", {"a": ["a0"], "b": ["b1", "b2"], "c": ["c1"]}, {})


def of(*speakers: str) -> list[str]:
    return sorted(f"{spk}{n}" for spk in speakers for n in (1, 2, 3))


FOLDS = {
    "a": Fold(train=of("c"), dev=of("b"), test=of("a")),
    "b": Fold(train=of("a"), dev=of("c"), test=of("b")),
    "c": Fold(train=of("b"), dev=of("a"), test=of("c")),
}


def test_counts_by_hand():
    report = audit(TABLES, FOLDS, REFERENCES)
    assert report["num_utterances"] == 9 and report["num_speakers"] == 3
    assert report["warnings"] == [] and report["same_audio"] == []
    assert report["folds"]["a"]["train"] == {
        "utterances": 3,
        "left_out": 0,
        "speakers": ["c"],
        "of_unknown_speakers": 0,
        "classes": {"x": 2, "y": 1},
    }
    # fold a trains on c, whose one known text is 'cold': a2 has it, nothing of b has
    assert report["folds"]["a"]["test"]["utterances_with_text_of_train"] == 1
    assert report["folds"]["a"]["dev"]["utterances_with_text_of_train"] == 0
    assert report["folds"]["b"]["test"]["utterances_with_text_of_train"] == 1  # b1, as a1
    assert report["near_copies"] == [] and report["num_without_fingerprint"] == 9
    assert report["references"]["num_by_speaker"] == {"a": 1, "b": 2, "c": 1}
    assert report["references"]["utterances_without_reference"] == ["c1"]


def test_speakers_on_two_sides_stop_and_are_counted():
    train, dev = ["a1", "b1", "c1", "c3"], ["b2", "b3"]
    folds = FOLDS | {"a": Fold(train=train, dev=dev, test=["a2", "a3"])}
    with pytest.raises(FoldError) as caught:
        audit(TABLES, folds, REFERENCES)
    assert str(caught.value).startswith(
        "fold a: 2 speakers are on two sides, with so many utterances: a (train 1, test 2), "
        "b (train 1, dev 2); a speaker belongs to one part."
    )


def test_same_audio_on_two_sides_stops_and_names_both():
    tables = replace(TABLES, utt2hash=TABLES.utt2hash | {"c2": "hash of a1"})
    with pytest.raises(FoldError, match=r"the same audio is in test as a1 and in train as c2"):
        audit(tables, FOLDS, REFERENCES)


def test_reference_outside_the_task_counts_as_audio_of_its_speaker():
    tables = replace(TABLES, utt2hash=TABLES.utt2hash | {"a0": "hash of b3"})
    with pytest.raises(FoldError, match=r"the same audio is in dev as b3 and in test as a0"):
        audit(tables, FOLDS, REFERENCES)


def test_same_audio_on_one_side_is_reported():
    tables = replace(TABLES, utt2hash=TABLES.utt2hash | {"b2": "hash of b1"})
    report = audit(tables, FOLDS, REFERENCES)
    assert report["same_audio"] == [["b1", "b2"]]
    assert "same audio, on one side: b1 b2" in format_audit(report, "")


PRINT = base64.b64encode(b"\x64\0\0\0" + b"\x55" * 32).decode()  # of one landmark


def test_near_copies_on_two_sides_stop_and_are_named_or_allowed():
    tables = replace(TABLES, utt2print={"a1": PRINT, "b1": "", "c2": PRINT})
    with pytest.raises(FoldError) as caught:
        audit(tables, FOLDS, REFERENCES)
    named = (
        "near copies (1) on two sides: a1 (speaker a) in test and c2 (speaker c) in train of fold a"
    )
    assert str(caught.value).startswith(named) and "--allow-near-copies true" in str(caught.value)
    report = audit(tables, FOLDS, REFERENCES, allow_near_copies=True)
    assert report["warnings"] == [f"{named}; allowed by --allow-near-copies"]
    assert report["near_copies"] == [("a1", "c2")]
    assert f"warning: {report['warnings'][0]}" in format_audit(report, "").splitlines()


def test_near_copies_on_one_side_are_counted_and_identical_ones_are_none():
    tables = replace(
        TABLES,
        utt2hash=TABLES.utt2hash | {"b2": "hash of b1"},
        utt2print={utt: "" for utt in UTT2SPK} | dict.fromkeys(("b1", "b2", "b3"), PRINT),
    )
    report = audit(tables, FOLDS, REFERENCES)
    assert report["near_copies"] == [("b1", "b3"), ("b2", "b3")]
    lines = format_audit(report, "").splitlines()
    assert "near copies (2): b1 and b3, b2 and b3" in lines
    assert any(line.startswith("6 utterances without fingerprint") for line in lines)


def test_a_neutral_utterance_that_an_enrolment_may_hear_counts_as_audio_of_its_speaker():
    """a9 is outside the task and no reference; a copy of it is tested under another name."""
    references = replace(REFERENCES, neutral2spk={"a0": "a", "a9": "a", "b1": "b"})
    tables = replace(TABLES, utt2hash=TABLES.utt2hash | {"a9": "hash of b2"})
    with pytest.raises(FoldError, match="the same audio is in (test as b2|dev as b2|.*a9)"):
        audit(tables, FOLDS, references)


def span(start, end, *channels, file="talk.wav"):
    return Span(file, frozenset(channels or [0]), start, end)


SPANS = {
    "a1": span(0, 2),  # holds b1
    "b1": span(1, 1.5),
    "a2": span(3, 5),  # 0.3 s of c2
    "c2": span(4.7, 7),
    "a3": span(8, 10, 0),  # as b3, on the other channel
    "b3": span(8, 10, 1),
    "b2": span(10, 11),  # behind all
    "c1": span(0, 2, file="other.wav"),
    "c3": span(0.1, 2.1, file="other.wav"),  # of one speaker, on one side
}


def test_an_utterance_within_another_stops_where_they_are_on_two_sides():
    tables = replace(TABLES, utt2span=SPANS)
    with pytest.raises(FoldError, match=r"\(1 pairs\) of which .*: a1 and b1 \(0.50 s\)\. Correct"):
        audit(tables, FOLDS, REFERENCES)
    report = audit(tables, FOLDS, REFERENCES, allow_near_copies=True)
    files, pairs = report["warnings"]
    assert files.startswith("1 files are on two sides") and files.endswith("training: talk.wav")
    assert pairs.startswith("2 pairs of utterances overlap")
    assert pairs.endswith("too: a1 and b1 (0.50 s), a2 and c2 (0.30 s)")
    assert report["near_copies"] == []


def test_turns_that_follow_each_other_do_not_overlap():
    """Lhotse rounds where a supervision ends; at 44.1 kHz that may be behind the next one."""
    turns = {
        f"{'ab'[i % 2]}{i}": span(first / 44100, round((first + 12345) / 44100, 8))
        for i, first in enumerate(range(0, 200 * 12345, 12345))
    }
    assert any(
        one.end > other.start
        for one, other in zip(turns.values(), list(turns.values())[1:], strict=False)
    )
    assert list(overlaps(turns)) == []


def test_two_speakers_with_many_identical_recordings_are_named():
    copies = {f"c{n}": f"hash of a{n}" for n in (1, 2, 3)}
    tables = replace(TABLES, utt2hash=TABLES.utt2hash | copies)
    with pytest.raises(FoldError) as caught:
        audit(tables, FOLDS, REFERENCES)
    assert str(caught.value) == (
        "fold a: the same audio is in test as a1 and in train as c1; in test as a2 and in train as "
        "c2; in test as a3 and in train as c3; find out which is mislabelled and leave it out in "
        "stage 0. Note: speakers a and c have 3 identical recordings: one person under two names?"
    )
    together = {
        "a": Fold(of("b"), of("d"), of("a", "c")),
        "b": Fold(of("a", "c"), of("d"), of("b")),
    }
    together["d"] = Fold(of("a", "c"), of("b"), of("d"))
    tables = replace(
        tables,
        utt2spk=UTT2SPK | dict.fromkeys(of("d"), "d"),
        utt2emo=TABLES.utt2emo | {"d1": "x", "d2": "x", "d3": "y"},
    )
    report = audit(tables, together, REFERENCES)
    named = ["speakers a and c have 3 identical recordings: one person under two names?"]
    assert report["speakers_with_same_audio"] == named
    assert named[0] in format_audit(report, "").splitlines()


def test_training_part_without_a_class_stops():
    tables = replace(TABLES, utt2emo=TABLES.utt2emo | {"b3": "x"})
    with pytest.raises(FoldError, match="fold c: the training part has no utterance of y"):
        audit(tables, FOLDS, REFERENCES)


def test_dev_or_test_without_a_class_only_warns():
    folds = {
        "a": Fold(train=of("b", "c"), dev=of("d"), test=of("a")),
        "b": Fold(train=of("a", "c"), dev=of("d"), test=of("b")),
        "c": Fold(train=of("a", "b"), dev=of("d"), test=of("c")),
        "d": Fold(train=of("a", "b"), dev=of("c"), test=of("d")),
    }
    new = of("d")
    tables = replace(
        TABLES,
        utt2emo=TABLES.utt2emo | dict.fromkeys(new, "x"),
        utt2spk=UTT2SPK | dict.fromkeys(new, "d"),
        utt2hash={},
    )
    report = audit(tables, folds, REFERENCES)
    assert report["warnings"] == [
        "fold a: dev has no y",
        "fold b: dev has no y",
        "fold c: dev has no y",
        "fold d: test has no y",
        "12 utterances without audio_hash: not compared with others",
    ]


@pytest.mark.parametrize(
    ("folds", "times"),
    [({k: FOLDS[k] for k in "ab"}, 0), (FOLDS | {"again": FOLDS["c"]}, 2)],
)
def test_utterances_are_tested_exactly_once(folds, times):
    with pytest.raises(FoldError, match=rf"3 utterances are not .* such as c1 \({times} times\)"):
        audit(TABLES, folds, REFERENCES)


def test_text_names_folds_counts_and_left_out_speakers():
    references = replace(REFERENCES, dropped_speakers={"z": 7}, fallback_speakers=["b"])
    text = format_audit(audit(TABLES, FOLDS, references), "how it is split")
    lines = text.splitlines()
    assert lines[0] == "9 utterances of 3 speakers, 3 folds: how it is split"
    assert lines[2].split() == ["a", "3", "3", "3", "x", "2", "y", "1", "x", "2", "y", "1"]
    assert "1 speakers, 7 utterances left out of the task, no neutral utterance: z 7" in text
    assert (
        "1 speakers have no neutral utterance: any utterance of theirs serves as reference: b"
        in lines
    )
    assert "5 utterances without text: not compared by text" in text
    assert "2 test utterances say a text that the training part has too" in text


def test_utterances_that_a_fold_leaves_out_are_counted():
    folds = FOLDS | {"a": Fold(train=["c2", "c3"], dev=["b2"], test=of("a"))}
    report = audit(TABLES, folds, REFERENCES)
    assert [report["folds"]["a"][part]["left_out"] for part in ("train", "dev", "test")] == [
        1,
        2,
        0,
    ]
    text = format_audit(report, "")
    assert "0 to 1 utterances a fold left out of train" in text
    assert "0 to 2 utterances a fold left out of dev" in text
