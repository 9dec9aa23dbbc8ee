"""A system does with a test speaker what it says; nothing of the test steers its choice."""

import dataclasses

import numpy as np
import pytest

from dsnet.classical.systems import KINDS, SYSTEMS, ClassicalConfig, run_fold

# six functionals need a larger C than the thousands of the real sets
CONFIGS = {name: ClassicalConfig("egemaps", name, [0.01, 0.1, 1.0, 10.0]) for name in KINDS}
ADAPTED = ["speaker", "neutral"]


def accuracy(adaptation, functionals, task):
    hits = []
    for name in task.fold_names:
        outcome = run_fold(CONFIGS[adaptation], functionals, task, name, 1)
        labels = [task.classes.index(task.utt2emo[utt]) for utt in task.fold(name).test]
        hits += (outcome.decisions["test"].argmax(1) == labels).tolist()
    return np.mean(hits)


@pytest.mark.parametrize("adaptation", KINDS)
def test_speakers_who_are_alike_need_no_adaptation(adaptation, task, make_functionals):
    assert accuracy(adaptation, make_functionals(), task) == 1


def test_adaptation_takes_away_what_differs_between_speakers(task, make_functionals):
    functionals = make_functionals(speaker_spread=30)
    assert accuracy("none", functionals, task) < 0.6  # guessing: 0.33
    for adaptation in ADAPTED:
        assert accuracy(adaptation, functionals, task) == 1


@pytest.mark.parametrize("adaptation", KINDS)
def test_nothing_of_the_test_steers_the_choice(adaptation, task, make_functionals):
    functionals = make_functionals(speaker_spread=0.5, noise=0.6)
    rows = functionals.rows(task.fold("b").test)
    values = functionals.values.copy()
    values[rows] = np.random.default_rng(5).normal(size=values[rows].shape)
    other_audio = dataclasses.replace(functionals, values=values)
    shuffled = {utt: "sad" for utt in task.fold("b").test}
    other_labels = dataclasses.replace(task, utt2emo=task.utt2emo | shuffled)

    def choice(functionals, task):
        outcome = run_fold(CONFIGS[adaptation], functionals, task, "b", 1)
        log = [{k: v for k, v in e.items() if k != "seconds"} for e in outcome.selected.log]
        return outcome, log

    (before, log), (after, other_log) = choice(functionals, task), choice(other_audio, other_labels)
    assert len({entry["dev"]["uar"] for entry in log}) > 1
    assert other_log == log
    assert after.selected.c == before.selected.c
    svm, other_svm = before.selected.model[-1], after.selected.model[-1]
    np.testing.assert_array_equal(other_svm.coef_, svm.coef_)
    np.testing.assert_array_equal(after.decisions["dev"], before.decisions["dev"])
    assert not np.array_equal(after.decisions["test"], before.decisions["test"])


def test_whoever_uses_all_audio_of_the_test_speaker_is_called_transductive():
    for name, config in SYSTEMS.items():
        all_audio = config.side_information == "all unlabelled audio of the test speaker"
        assert all_audio == ("transductive" in config.kind) == name.endswith("_speaker_norm")
    assert SYSTEMS["compare_svm"].side_information == "none"
    assert SYSTEMS["compare_svm_neutral3"].side_information == (
        "3 neutral clips of the test speaker"
    )
