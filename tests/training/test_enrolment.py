"""What a system may be given of a speaker: whose utterances, how many, and what is not scored."""

from pathlib import Path

import pytest

from dsnet.errors import ConfigError, TrainingError
from dsnet.folds.task_data import TaskData
from dsnet.systems.config import EnrolmentConfig
from dsnet.training.enrolment import (
    first_references,
    given,
    in_words,
    parse_enrolment,
    pools_of,
    require,
)

NEUTRAL = EnrolmentConfig("neutral", 3, "shift")


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
        digest="",
    )


@pytest.mark.parametrize(
    "text, wanted, words",
    [
        ("neutral:1", EnrolmentConfig("neutral", 1, "shift"), "neutral_1"),
        ("neutral:12", EnrolmentConfig("neutral", 12, "shift"), "neutral_12"),
        ("all", EnrolmentConfig("all", 3, "shift"), "all"),
    ],
)
def test_an_enrolment_is_typed_and_becomes_a_folders_name(text, wanted, words):
    found = parse_enrolment(text, NEUTRAL)
    assert found == wanted  # how the input is normalised stays what it was in training
    assert in_words(found) == words


@pytest.mark.parametrize("text", ["neutral", "neutral:0", "neutral:-1", "3", "All", "all "])
def test_another_text_is_refused(text):
    with pytest.raises(ConfigError, match=f"'{text}': expected neutral:N .* or all"):
        parse_enrolment(text, NEUTRAL)


def test_a_system_trained_without_one_can_be_given_none():
    with pytest.raises(ConfigError, match="'all': the system was trained without one"):
        parse_enrolment("all", EnrolmentConfig())


@pytest.mark.parametrize(
    "change, message",
    [
        ({"source": "clips"}, "enrolment.source is 'clips'; allowed: none, neutral, all"),
        ({"normalise": "scale"}, "enrolment.normalise is 'scale'; allowed: shift, shift_and_scale"),
        ({"count": 0}, "enrolment.count must be 1 or more, found 0"),
    ],
)
def test_config_check(change, message):
    with pytest.raises(ValueError, match=message):
        EnrolmentConfig(**change).check()


def test_neutral_utterances_are_the_references_first_and_never_itself(task):
    pools = pools_of(NEUTRAL, ["aN1", "aN4", "aH", "aN9"], task)
    assert {utt: [utt for (utt,) in own] for utt, own in pools.items()} == {
        "aN1": ["aN4", "aN2", "aN9"],
        "aN4": ["aN1", "aN2", "aN9"],
        "aH": ["aN4", "aN1", "aN2", "aN9"],
        "aN9": ["aN1", "aN2", "aN4"],
    }


def test_all_is_one_pool_of_everything_of_the_speaker_in_the_task(task):
    everything = [("aN1", "aN2", "aN4", "aH")]
    assert pools_of(EnrolmentConfig("all"), ["aH", "aN9", "bN1"], task) == {
        "aH": everything,
        "aN9": everything,
        "bN1": [("bN1",)],
    }


def test_what_a_system_is_given_is_not_scored(task):
    pools = pools_of(NEUTRAL, ["aN1", "aN2", "aN4", "aH"], task)
    # aN4 is given to all others, who gives it aN1 in turn
    assert given(EnrolmentConfig("neutral", 1), pools) == {"aN4", "aN1"}
    assert given(EnrolmentConfig("neutral", 5), pools) == {"aN1", "aN2", "aN4", "aN9"}
    everything = pools_of(EnrolmentConfig("all"), ["aN1", "aH"], task)
    assert given(EnrolmentConfig("all"), everything) == set()  # all are scored, and marked


def test_a_speaker_without_another_neutral_utterance_is_named(task):
    with pytest.raises(TrainingError, match="1 of 2 utterances have no neutral .* first: bN1. Set"):
        pools_of(NEUTRAL, ["aH", "bN1"], task)
    with pytest.raises(TrainingError, match="first: x. Set references.if_missing"):
        require({"x": []})


def test_the_first_reference_goes_with_an_utterance(task):
    assert first_references(["aH", "aN1"], task.references) == {"aH": "aN4", "aN1": "aN4"}
    with pytest.raises(TrainingError, match="2 of 3 .* first: aN4, bN1. Set references.count"):
        first_references(["aH", "aN4", "bN1"], task.references)
