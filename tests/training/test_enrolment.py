"""What a calibrated system may be given: whose clips, how many, and what is then not scored."""

from dataclasses import dataclass, field

import numpy as np

from dsnet.training.enrolment import (
    column,
    neutral_class,
    neutral_clips,
    own_neutral,
    unlabelled,
)


@dataclass
class Task:
    """Speakers a and b; a has three neutral clips, one of them outside the task."""

    utt2spk: dict = field(default_factory=lambda: {u: u[0] for u in ("aN1", "aN2", "aH", "bN1")})
    utt2emo: dict = field(
        default_factory=lambda: {"aN1": "calm", "aN2": "calm", "aH": "happy", "bN1": "calm"}
    )
    classes: list = field(default_factory=lambda: ["happy", "calm"])
    reference_utterances: set = field(default_factory=lambda: {"aN1", "bN1"})

    def clips(self, utt):
        return [c for c in ("aN1", "aN2", "aN3", "bN1") if c[0] == utt[0] and c != utt]


def test_neutral_clips_are_not_scored():
    enrolment = neutral_clips(["aN1", "aN2", "aH"], Task(), 1)
    assert enrolment.name == "neutral1"
    assert enrolment.side_information == "1 neutral clip of the speaker at inference"
    assert enrolment.given == {"aN1", "aN2"}  # aN2 calibrates aN1, which may not help itself
    assert neutral_clips(["aH"], Task(), 5).given == {"aN1", "aN2", "aN3"}


def test_unlabelled_clips_are_all_others_of_the_speaker():
    enrolment = unlabelled(["aN1", "aH", "bN1", "aN2"], Task())
    assert enrolment.clips["aH"] == ["aN1", "aN2"] and enrolment.count == 2
    assert enrolment.transductive and enrolment.given == set()


def test_its_own_neutral_clips_are_those_it_is_surest_of():
    first = unlabelled(["aN1", "aN2", "aH"], Task())
    enrolment = own_neutral(first, {"aN1": 0.2, "aN2": 0.9, "aH": 0.5}, count=1)
    chosen = {utt: own[: enrolment.count] for utt, own in enrolment.clips.items()}
    assert chosen == {"aN1": ["aN2"], "aN2": ["aH"], "aH": ["aN2"]}
    assert enrolment.transductive


def test_the_neutral_class_is_that_of_the_references():
    task = Task()
    assert neutral_class(task) == 1
    task.reference_utterances = {"aN1", "aH"}
    assert neutral_class(task) is None
    task.reference_utterances = {"aN3"}  # of no class
    assert neutral_class(task) is None


def test_a_column_of_posteriors():
    assert column(["u", "v"], np.array([[0.1, 0.9], [0.7, 0.3]]), 1) == {"u": 0.9, "v": 0.3}
