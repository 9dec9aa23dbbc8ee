"""Enrolment: what a system is given of a speaker beside the utterance that it judges.

An enrolment is typed as none, neutral:3 (so many neutral utterances) or all (everything that the
speaker says in the task, unlabelled; of a test speaker that is the test audio: transductive).
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence

from dsnet.errors import ConfigError, TrainingError
from dsnet.folds.task_data import TaskData
from dsnet.systems.config import EnrolmentConfig
from dsnet.training.normalisation import Pool


def parse_enrolment(text: str, config: EnrolmentConfig) -> EnrolmentConfig:
    """Return a system's enrolment with another source and count, as typed.

    Raises:
        ConfigError: a text of another form, or a system that knows no enrolment.
    """
    found = re.fullmatch(r"neutral:([1-9]\d*)|all", text)
    if not found:
        raise ConfigError(f"enrolment '{text}': expected neutral:N (such as neutral:1) or all")
    if config.source == "none":
        raise ConfigError(
            f"enrolment '{text}': the system was trained without one (enrolment.source none), so "
            "it can be given none at inference"
        )
    if text == "all":
        return dataclasses.replace(config, source="all")
    return dataclasses.replace(config, source="neutral", count=int(found[1]))


def in_words(config: EnrolmentConfig) -> str:
    """Return an enrolment as part of a folder's name: neutral_1."""
    return f"neutral_{config.count}" if config.source == "neutral" else config.source


def pools_of(
    config: EnrolmentConfig, utt_ids: Sequence[str], task: TaskData
) -> dict[str, list[Pool]]:
    """Return what each utterance's input may be normalised by, best first.

    Args:
        config: neutral or all.
        utt_ids: of the task, or neutral utterances outside of it.
        task: with the neutral utterances of every speaker.

    Raises:
        TrainingError: some have nothing.
    """
    if config.source == "all":
        return {utt: [tuple(task.spk2utt[task.speaker(utt)])] for utt in utt_ids}
    return require({utt: [(one,) for one in task.neutrals(utt)] for utt in utt_ids})


def require(pools: dict[str, list[Pool]]) -> dict[str, list[Pool]]:
    """Return the argument if every utterance has a neutral one of its speaker beside itself.

    Raises:
        TrainingError: some have none.
    """
    without = [utt for utt, own in pools.items() if not own]
    if without:
        raise TrainingError(
            f"{len(without)} of {len(pools)} utterances have no neutral utterance of their speaker "
            f"beside themselves, by which enrolment.source neutral goes; first: "
            f"{', '.join(without[:10])}. Set references.if_missing to all_utterances in the "
            "task's config (stage 2), or enrolment.source to none"
        )
    return pools


def given(config: EnrolmentConfig, pools: Mapping[str, Sequence[Pool]]) -> set[str]:
    """Return the utterances that cannot be scored since the system is given them.

    Those of a transductive enrolment are all scored: it is marked instead.
    """
    if config.source != "neutral":
        return set()
    return {utt for own in pools.values() for pool in own[: config.count] for utt in pool}


def first_references(
    utt_ids: Sequence[str], references: Mapping[str, Sequence[str]]
) -> dict[str, str]:
    """Return the reference that goes with each utterance at validation and test: its first.

    Args:
        utt_ids: utterances.
        references: of each of them, best first; of the same speaker, never itself.

    Raises:
        TrainingError: an utterance has none.
    """
    without = [utt for utt in utt_ids if not references[utt]]
    if without:
        raise TrainingError(
            f"{len(without)} of {len(utt_ids)} utterances have no neutral reference beside "
            f"themselves, which this system needs at validation and test; first: "
            f"{', '.join(without[:10])}. Set references.count to 2 or more or "
            "references.if_missing to all_utterances in the task's config (stage 2), or add a "
            "reference of the speaker to spk2neutral or utt2neutral in the task's folder"
        )
    return {utt: references[utt][0] for utt in utt_ids}
