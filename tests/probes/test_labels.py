"""Which utterances a probe of each target is trained and judged on."""

import numpy as np
import pytest

from dsnet.probes.classifiers import CLASSIFIERS, answer
from dsnet.probes.labels import MAX_TEXTS, Labels, pose_all


def sides(networks, fold):
    fold = networks.task.fold(fold)
    return fold.train, fold.dev + fold.test


def test_read_compares_texts_and_gives_speakers_their_sex(networks):
    assert networks.labels.text["B_sad_3_1"] == "well yes"
    assert networks.labels.sex["B_sad_3_1"] == "m"


def test_no_probe_is_judged_on_a_speaker_or_text_that_it_was_trained_on(networks):
    trained, held_out = sides(networks, "A")  # B validates; A and B differ in sex
    questions = pose_all(trained, held_out, networks.labels)
    text, speaker = networks.labels.text, networks.labels.speaker
    for target, question in questions.items():
        for train_rows, test_rows in question.splits:
            seen, judged = [trained[i] for i in train_rows], [held_out[i] for i in test_rows]
            assert not {speaker[u] for u in seen} & {speaker[u] for u in judged}
            if target != "text":
                assert not {text[u] for u in seen} & {text[u] for u in judged}
        assert question.judged.tolist() == list(range(len(held_out)))
    splits = {name: len(question.splits) for name, question in questions.items()}
    assert splits == {"sex": 4, "text": 1, "emotion": 4}
    chances = {name: question.describe()["chance"] for name, question in questions.items()}
    assert chances == {"sex": 1 / 2, "text": 1 / 4, "emotion": 1 / 3}


def test_held_out_speakers_of_one_sex_leave_sex_out(networks):
    questions = pose_all(*sides(networks, "C"), networks.labels)  # D validates, both female
    assert [name for name, question in questions.items() if question is None] == ["sex"]


def test_a_voice_that_was_never_heard_does_not_tell_its_sex(networks):
    """Each speaker has a point: a probe that knew the speakers would be always right."""
    trained, held_out = sides(networks, "A")
    question = pose_all(trained, held_out, networks.labels)["sex"]
    speaker = networks.labels.speaker
    scores = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        voices = {spk: rng.normal(size=8) for spk in "ABCDEF"}
        train, test = (np.array([voices[speaker[u]] for u in utts]) for utts in (trained, held_out))
        found = answer(question, train, test)
        scores.append([found[probe]["balanced_accuracy"] for probe in CLASSIFIERS])
    assert np.mean(scores, 0) == pytest.approx([0.5, 0.5], abs=0.15)


def test_without_texts_utterances_are_told_apart_by_themselves(networks):
    known = networks.labels
    labels = Labels(known.speaker, known.sex, {}, known.emotion)
    questions = pose_all(*sides(networks, "A"), labels)
    assert questions["text"] is None
    assert len(questions["emotion"].splits) == 1


def test_of_many_texts_those_that_training_says_most_are_asked_for(networks):
    trained, held_out = sides(networks, "A")
    text = {utt: f"line {i // 2 % 40:02}" for i, utt in enumerate([*held_out, *trained])}
    text |= dict.fromkeys(trained[:30], "line 07")
    known = networks.labels
    labels = Labels(known.speaker, known.sex, text, known.emotion)
    question = pose_all(trained, held_out, labels)["text"]
    assert len(question.classes) == MAX_TEXTS
    assert "line 07" in question.classes
    described = question.describe()
    assert described["num_left_out"] == len(held_out) - described["num_judged"] > 0
