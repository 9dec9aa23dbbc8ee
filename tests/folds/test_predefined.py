"""The owners' split: sides by a field of the manifest, unknown speakers, what is refused."""

import json
from dataclasses import asdict, replace

import pytest
from lhotse import SupervisionSegment

from dsnet.corpus.gate import count, label
from dsnet.corpus.utterance import UNKNOWN_SPEAKER
from dsnet.errors import FoldError
from dsnet.folds.audit import format_audit
from dsnet.folds.build import build_task
from dsnet.folds.protocols import Fold, in_words, known_fold_names
from dsnet.folds.task_data import TaskData
from dsnet.task import FoldConfig, ReferenceConfig, TaskConfig

SIDES = FoldConfig(
    "predefined", "predefined", train=["Tr"], dev=["De"], test=["T1", "T2"], field="partition"
)
TASK = TaskConfig(
    classes=["neutral", "happy"],
    label_map={"N": "neutral", "H": "happy"},
    ignored_labels=["X"],
    folds=SIDES,
    references=ReferenceConfig("N", if_missing="no_reference"),
    unknown_speakers="keep",
)


def segment(utt: str, speaker: str, emotion: str, partition: str | None) -> SupervisionSegment:
    custom = {"emotion": emotion, "partition": partition, "audio_hash": f"hash of {utt}"}
    if speaker == "?":
        speaker, custom[UNKNOWN_SPEAKER] = f"unknown-{utt}", True
    custom = {name: value for name, value in custom.items() if value is not None}
    return SupervisionSegment(utt, utt, 0.0, 1.0, speaker=speaker, custom=custom)


CORPUS = [
    segment("a1", "a", "N", "Tr"),
    segment("a2", "a", "H", "Tr"),
    segment("b1", "b", "H", "Tr"),  # b has no neutral utterance
    segment("c1", "c", "N", "De"),
    segment("c2", "c", "H", "De"),
    segment("d1", "d", "N", "T1"),
    segment("d2", "d", "H", "T2"),  # a speaker of two test sets is on one side
    segment("d3", "d", "X", "T2"),
    segment("u1", "?", "N", "Tr"),
    segment("u2", "?", "H", "T2"),
]


def test_sides_and_lists_by_hand(tmp_path):
    report = build_task(TASK, CORPUS, tmp_path)
    task = TaskData.load(tmp_path)
    assert task.fold_names == ["predefined"] == known_fold_names(TASK)
    assert task.fold("predefined") == Fold(
        train=["a1", "a2", "b1", "u1"], dev=["c1", "c2"], test=["d1", "d2", "u2"]
    )
    assert task.utt2partition["d1"] == "T1" and task.utt2partition["u2"] == "T2"
    fold = report["folds"]["predefined"]
    assert fold["test"]["partitions"] == {"T1": 1, "T2": 2}
    assert fold["train"]["speakers"] == ["a", "b"]
    assert {part: fold[part]["of_unknown_speakers"] for part in fold} == {
        "train": 1, "dev": 0, "test": 1,
    }  # fmt: skip
    assert report["num_speakers"] == 4 and report["num_of_unknown_speakers"] == 2


def test_who_has_no_neutral_utterance_or_no_name_has_no_reference(tmp_path):
    report = build_task(TASK, CORPUS, tmp_path)
    task = TaskData.load(tmp_path)
    assert task.references == {
        "a1": [], "a2": ["a1"], "b1": [], "c1": [], "c2": ["c1"], "d1": [], "d2": ["d1"],
        "u1": [], "u2": [],
    }  # fmt: skip
    assert "unknown-u1" not in (tmp_path / "neutral2spk").read_text()
    assert report["references"]["without_reference"] == ["b"]
    text = format_audit(report, "")
    assert (
        "warning: 2 utterances of unknown speakers (train 1 dev 0 test 1), each without a "
        "reference: whether one of these people is on two sides cannot be known"
    ) in text
    assert "1 speakers have no neutral utterance and no reference: b" in text


def test_unknown_speakers_are_left_out_and_counted(tmp_path):
    config = replace(TASK, unknown_speakers="leave_out")
    report = build_task(config, CORPUS, tmp_path)
    assert report["num_utterances"] == 7 and report["num_of_unknown_speakers"] == 0
    gate = count(label(CORPUS, config), config)
    assert gate.others == {"speaker unknown": 2} and gate.of_unknown == 0
    gate = count(label(CORPUS, TASK), TASK)
    assert (gate.utterances, gate.of_unknown, gate.others) == (9, 2, {})
    assert gate.by_speaker == {"a": 2, "b": 1, "c": 2, "d": 2}
    assert gate.without_neutral == {"b": 1} and gate.one_class == {"b": "happy"}


def test_without_validation_its_values_train(tmp_path):
    config = replace(TASK, folds=replace(SIDES, validation="none"))
    config.folds.check()
    build_task(config, CORPUS, tmp_path)
    fold = TaskData.load(tmp_path).fold("predefined")
    assert fold.dev == [] and fold.train == ["a1", "a2", "b1", "c1", "c2", "u1"]
    assert in_words(config.folds).endswith("nobody validates; Tr and De trains")


def test_a_changed_partition_is_another_task(tmp_path):
    build_task(TASK, CORPUS, tmp_path)
    before = TaskData.load(tmp_path).digest
    path = tmp_path / "utt2partition"
    path.write_text(path.read_text().replace("d1 T1", "d1 T2"))
    assert TaskData.load(tmp_path).digest != before
    path.write_text(path.read_text().replace("d1 T2\n", ""))
    with pytest.raises(FoldError, match="utt2emo and utt2partition differ in 1 utterances"):
        TaskData.load(tmp_path)


def test_another_protocol_leaves_no_partitions_behind(tmp_path):
    build_task(TASK, CORPUS, tmp_path)
    one_each = replace(TASK, folds=FoldConfig(), unknown_speakers="leave_out")
    build_task(one_each, CORPUS, tmp_path)
    assert not (tmp_path / "utt2partition").exists()
    assert TaskData.load(tmp_path).utt2partition == {}
    assert "utt2partition" not in json.dumps(json.loads((tmp_path / "task.json").read_text()))


def refused(tmp_path, corpus=CORPUS, **folds) -> str:
    with pytest.raises(FoldError) as caught:
        build_task(replace(TASK, folds=replace(SIDES, **folds)), corpus, tmp_path)
    assert not (tmp_path / "task.json").exists()
    return str(caught.value)


def test_a_value_that_no_side_names(tmp_path):
    assert refused(tmp_path, test=["T1"]) == (
        "values of 'partition' that neither folds.train nor dev nor test names: "
        "'T2' (2 utterances). Add each to a side, or leave them out: "
        "only: {partition: [Tr, De, T1]}"
    )


def test_a_value_with_white_space(tmp_path):
    """No list of ours can hold it: stage 3 could not read what stage 2 has written."""
    spaced = dict.fromkeys(("Tr", "De"), None) | {"T1": "Test 1"}
    corpus = [
        replace(s, custom=s.custom | {"partition": spaced.get(s.custom["partition"]) or "Tr"})
        for s in CORPUS
    ]
    assert "values of 'partition' with white space" in refused(tmp_path, corpus, test=["Test 1"])


def test_all_values_are_told_together(tmp_path):
    lines = refused(tmp_path, train=["Train"], test=["T1", "Test"]).splitlines()
    assert [line.partition(",")[0] for line in lines] == [
        "folds.train names 'Train'",
        "folds.test names 'Test'",
        "values of 'partition' that neither folds.train nor dev nor test names: "
        "'T2' (2 utterances)",
    ]
    assert lines[-1].endswith("only: {partition: [De, T1]}")


def test_a_side_that_is_left_out(tmp_path):
    corpus = [s for s in CORPUS if s.id != "d2"]
    with pytest.raises(FoldError, match="'T2', but none of its 2 utterances is in the task"):
        build_task(replace(TASK, unknown_speakers="leave_out"), corpus, tmp_path)


def test_a_side_that_is_empty(tmp_path):
    assert refused(tmp_path, test=["T1", "T2", "Test"]) == (
        "folds.test names 'Test', but no utterance has that value of 'partition'; there are "
        "De (2), T1 (1), T2 (3), Tr (4). Correct the name, or is the copy of the corpus complete?"
    )


def test_a_test_set_without_labels(tmp_path):
    corpus = [*CORPUS, segment("h1", "?", "X", "T3"), segment("h2", "?", "X", "T3")]
    found = refused(tmp_path, corpus, test=["T1", "T2", "T3"])
    assert found.startswith("folds.test names 'T3', but none of its 2 utterances is in the task")
    assert "take 'T3' off folds.test" in found
    build_task(TASK, corpus, tmp_path)  # left alone it is no matter


def test_a_missing_field(tmp_path):
    assert refused(tmp_path, field="split").startswith(
        "folds.field is 'split', but 9 of 9 utterances have no custom field of that name: "
        "a1, a2, b1, c1, c2, d1, d2, u1, u2. Fields are audio_hash, emotion, partition, "
    )
    corpus = [*CORPUS, segment("a3", "a", "H", None)]
    assert "1 of 10 utterances have no custom field" in refused(tmp_path, corpus)


def test_a_speaker_of_train_and_test(tmp_path):
    corpus = [*CORPUS, segment("a3", "a", "H", "T1"), segment("a4", "a", "H", "T2")]
    assert "1 speakers are on two sides, with so many utterances: a (train 2, test 2)" in refused(
        tmp_path, corpus
    )


def test_the_same_audio_in_train_and_test_even_of_unknown_speakers(tmp_path):
    copy = segment("u3", "?", "H", "T2")
    copy.custom["audio_hash"] = "hash of u1"
    assert "the same audio is in train as u1 and in test as u3" in refused(
        tmp_path, [*CORPUS, copy]
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"field": ""}, "lacks folds.field"),
        ({"train": [], "dev": []}, "lacks folds.train, folds.dev"),
        ({"dev": ["Tr"]}, "list Tr twice"),
        ({"validation": "next_speaker"}, "choose predefined or none"),
        ({"protocol": "leave_one_speaker_out", "validation": "none"}, "folds.field, folds.train"),
    ],
)
def test_configs_that_say_too_little_or_too_much(changes, message):
    with pytest.raises(ValueError, match=message):
        FoldConfig(**(asdict(SIDES) | changes)).check()


def test_unknown_speakers_cannot_be_split_by_speaker():
    with pytest.raises(ValueError, match="keep is for folds.protocol predefined only"):
        replace(TASK, folds=FoldConfig()).check()
