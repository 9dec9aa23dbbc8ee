"""What a system may be given of a speaker: whose utterances, how many, and what is not scored."""

import dataclasses
from pathlib import Path

import pytest

from dsnet.errors import ConfigError, TrainingError
from dsnet.folds.task_data import TaskData
from dsnet.systems.config import EnrolmentConfig
from dsnet.training.enrolment import (
    drawn,
    enrolment_of,
    first_references,
    given,
    in_words,
    parse_enrolment,
    training_pools,
)

NEUTRAL = EnrolmentConfig("neutral", 3, "shift")
ANY = EnrolmentConfig("any", 3, "shift")


@pytest.fixture
def task():
    """Speakers a and b; a has four neutral utterances, aN9 is not of the task; aN4 comes first."""
    utt2emo = {"aN1": "calm", "aN2": "calm", "aN4": "calm", "aH": "happy", "bN1": "calm"}
    return TaskData(
        task_dir=Path("data/2class"),
        classes=["happy", "calm"],
        utt2emo=utt2emo,
        utt2spk={utt: utt[0] for utt in utt2emo},
        fold_names=["a", "b"],
        references={utt: ["aN4"] if utt[0] == "a" and utt != "aN4" else [] for utt in utt2emo},
        reference_utterances={"aN4"},
        neutral2spk={utt: utt[0] for utt in ("aN1", "aN2", "aN4", "aN9", "bN1")},
        is_validated=True,
        digest="",
    )


@pytest.mark.parametrize(
    "text, wanted, words",
    [
        ("neutral:1", EnrolmentConfig("neutral", 1, "shift"), "neutral_1"),
        ("neutral:12", EnrolmentConfig("neutral", 12, "shift"), "neutral_12"),
        ("any:3", EnrolmentConfig("any", 3, "shift"), "any_3"),
        ("all", EnrolmentConfig("all", 3, "shift"), "all"),
    ],
)
def test_an_enrolment_is_typed_and_becomes_a_folders_name(text, wanted, words):
    found = parse_enrolment(text, NEUTRAL if wanted.source == "neutral" else ANY)
    assert found == wanted  # how the input is normalised stays what it was in training
    assert in_words(found) == words


@pytest.mark.parametrize("text", ["neutral", "neutral:0", "neutral:-1", "any", "3", "All", "all "])
def test_another_text_is_refused(text):
    with pytest.raises(ConfigError, match=f"'{text}': expected neutral:N .* any:N or all"):
        parse_enrolment(text, NEUTRAL)


def test_a_system_trained_without_one_can_be_given_none():
    with pytest.raises(ConfigError, match="'all': the system was trained with .*source none;"):
        parse_enrolment("all", EnrolmentConfig())


@pytest.mark.parametrize(
    "change, message",
    [
        ({"source": "clips"}, "enrolment.source is 'clips'; allowed: none, neutral, any, all"),
        ({"normalise": "scale"}, "enrolment.normalise is 'scale'; allowed: shift, shift_and_scale"),
        ({"count": 0}, "enrolment.count must be 1 or more, found 0"),
    ],
)
def test_config_check(change, message):
    with pytest.raises(ValueError, match=message):
        EnrolmentConfig(**change).check()


@pytest.mark.parametrize("text, config", [("all", NEUTRAL), ("any:3", NEUTRAL), ("neutral:1", ANY)])
def test_neutral_utterances_are_compared_with_neutral_ones(text, config):
    with pytest.raises(
        ConfigError, match=f"'{text}': the system was trained with .* {config.source}"
    ):
        parse_enrolment(text, config)


def test_a_speaker_is_enrolled_by_the_references_first(task):
    assert enrolment_of(NEUTRAL, "a", task) == ["aN4", "aN1", "aN2"]
    assert enrolment_of(EnrolmentConfig("neutral", 9), "a", task) == ["aN4", "aN1", "aN2", "aN9"]
    assert enrolment_of(NEUTRAL, "b", task) == ["bN1"]
    assert enrolment_of(EnrolmentConfig("all"), "a", task) == ["aN1", "aN2", "aN4", "aH"]


def test_few_drawn_utterances_are_the_first_of_many_and_depend_on_ids_alone(task):
    found = [enrolment_of(EnrolmentConfig("any", n), "a", task) for n in (1, 2, 3)]
    assert found[2][:1] == found[0] and found[2][:2] == found[1]
    assert set(found[2]) < {"aN1", "aN2", "aN4", "aH"}
    turned = dict(reversed(task.utt2spk.items()))
    other = dataclasses.replace(task, utt2spk=turned, digest="other")
    assert enrolment_of(EnrolmentConfig("any", 3), "a", other) == found[2]


def test_something_must_be_left_to_be_scored(task):
    with pytest.raises(TrainingError, match="any:4: speaker 'a' has 4 utterances in the task, so"):
        enrolment_of(EnrolmentConfig("any", 4), "a", task)


@pytest.mark.parametrize(
    "config, of_a, count, others, draws",
    [
        (NEUTRAL, ["aN4", "aN1", "aN9"], 3, True, 3),
        (EnrolmentConfig("any", 10), ["aN1", "aN4", "aH"], None, True, 10),
        (EnrolmentConfig("all"), ["aN1", "aN4", "aH"], None, False, 0),
    ],
)
def test_what_training_hears(task, config, of_a, count, others, draws):
    """A fold may leave out utterances, here aN2; aN9 is not of the task, and nobody's to learn."""
    train = ["aN1", "aN4", "aH", "bN1"]
    pools = training_pools(config, ["aN1", "aH", "aN9", "bN1"], train, task)
    assert pools.pools == {"a": of_a, "b": ["bN1"]}
    assert pools.pool_of == {"aN1": "a", "aH": "a", "aN9": "a", "bN1": "b"}
    assert (pools.count, pools.others, pools.draws) == (count, others, draws)


def test_what_a_system_is_given_is_not_scored(task):
    assert given(EnrolmentConfig("neutral", 1), "ab", task) == {"aN4", "bN1"}
    assert given(EnrolmentConfig("neutral", 5), "a", task) == {"aN1", "aN2", "aN4", "aN9"}
    assert given(ANY, "a", task) == set(drawn("a", task)[:3])
    assert given(EnrolmentConfig("all"), "ab", task) == set()  # all are scored, and marked


def test_a_speaker_without_a_neutral_utterance_is_named(task):
    task.utt2spk["cH"] = "c"
    task.references["cH"] = []
    with pytest.raises(TrainingError, match="speaker 'c' has no neutral utterance. Set references"):
        enrolment_of(NEUTRAL, "c", task)
    with pytest.raises(TrainingError, match="1 of 2 training utterances .* first: cH. Set"):
        training_pools(NEUTRAL, ["aH", "cH"], ["aH", "aN1", "cH"], task)


def test_the_first_reference_goes_with_a_speaker(task):
    assert first_references("ab", task) == {"a": "aN4", "b": "bN1"}
    task.utt2spk["cH"] = "c"
    task.references["cH"] = []
    with pytest.raises(TrainingError, match="1 of 3 speakers .* first: c. Set references.if_miss"):
        first_references("abc", task)
