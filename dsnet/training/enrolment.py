"""Enrolment: what a system is given of a speaker beside the utterance that it judges.

An enrolment is typed as none, neutral:3 (so many neutral utterances), any:10 (so many utterances of
whatever emotion, unlabelled) or all (everything that the speaker says in the task, unlabelled; of a
test speaker that is the test audio: transductive).

At validation and test a speaker has one enrolment, whose utterances are not scored; that of all is
marked instead. In training a neutral utterance is given to itself only where the speaker has no
other.
"""

import dataclasses
import re
from collections.abc import Collection, Iterable, Sequence

from dsnet.errors import ConfigError, TrainingError
from dsnet.folds.task_data import TaskData
from dsnet.systems.config import EnrolmentConfig

ALIKE = ({"neutral"}, {"any", "all"})  # sources


def read_enrolment(text: str) -> tuple[str, int]:
    """Return source and count (0 for all) of an enrolment as typed.

    Raises:
        ConfigError: a text of another form.
    """
    found = re.fullmatch(r"(neutral|any):([1-9]\d*)|all", text)
    if not found:
        raise ConfigError(
            f"enrolment '{text}': expected neutral:N (such as neutral:1), any:N or all"
        )
    return found[1] or "all", int(found[2] or 0)


def suits(text: str, config: EnrolmentConfig) -> bool:
    """Say whether a system that is trained with an enrolment can be tried with another, as typed.

    Neutral utterances are compared with neutral ones, those of whatever emotion with all.
    """
    source, _ = read_enrolment(text)
    return any({source, config.source} <= group for group in ALIKE)


def parse_enrolment(text: str, config: EnrolmentConfig) -> EnrolmentConfig:
    """Return a system's enrolment with another source and count, as typed.

    Raises:
        ConfigError: a text of another form, or a system that cannot be tried with that.
    """
    source, count = read_enrolment(text)
    if not suits(text, config):
        raise ConfigError(
            f"enrolment '{text}': the system was trained with enrolment.source {config.source}; "
            "neutral:N is for neutral, any:N and all are for any and all, and a system that was "
            "trained with none can be given none"
        )
    return dataclasses.replace(config, source=source, count=count or config.count)


def in_words(config: EnrolmentConfig) -> str:
    """Return an enrolment as part of a folder's name: neutral_1."""
    return "all" if config.source == "all" else f"{config.source}_{config.count}"


def enrolment_of(config: EnrolmentConfig, speaker: str, task: TaskData) -> Sequence[str]:
    """Return the utterances that a system is given of a speaker at validation and test.

    Args:
        config: neutral, any or all.
        speaker: of the task.
        task: that knows the neutral utterances of every speaker.

    Raises:
        TrainingError: there are none, or none would be left to be scored.
    """
    everything = task.spk2utt[speaker]
    if config.source == "all":
        return everything
    if config.source == "any":
        if len(everything) <= config.count:
            raise TrainingError(
                f"enrolment any:{config.count}: speaker '{speaker}' has {len(everything)} "
                "utterances in the task, so that none would be left to be scored. Choose a smaller "
                "enrolment.count"
            )
        return task.drawn(speaker)[: config.count]
    neutrals = task.speaker_neutrals(speaker)
    if not neutrals:
        raise TrainingError(
            f"enrolment neutral: speaker '{speaker}' has no neutral utterance. Set "
            "references.if_missing to all_utterances in the task's config (stage 2), or "
            "enrolment.source to any or none"
        )
    return neutrals[: config.count]


def training_pools(
    config: EnrolmentConfig, utt_ids: Iterable[str], train: Collection[str], task: TaskData
) -> dict[str, Sequence[str]]:
    """Return what utterances of training speakers may be normalised by, best first.

    Args:
        config: neutral: neutral utterances of the speaker, others than the utterance itself if
            there are any; any, all: everything of the speaker.
        utt_ids: of training speakers; utterances of the task, or neutral ones outside of it.
        train: the training part, beyond which no utterance of the task is heard.
        task: with the neutral utterances of every speaker.

    Raises:
        TrainingError: some have nothing.
    """
    pools = {}
    for utt in utt_ids:
        if config.source == "neutral":
            others = [n for n in task.neutrals(utt) if n in train or n not in task.utt2spk]
            pools[utt] = others or [utt] * (utt in task.neutral2spk)
        else:
            pools[utt] = [own for own in task.spk2utt[task.speaker(utt)] if own in train]
    without = [utt for utt, pool in pools.items() if not pool]
    if without:
        raise TrainingError(
            f"{len(without)} of {len(pools)} training utterances have no neutral utterance of "
            f"their speaker, by which enrolment.source neutral goes; first: "
            f"{', '.join(without[:10])}. Set references.if_missing to all_utterances in the "
            "task's config (stage 2), or enrolment.source to any or none"
        )
    return pools


def given(config: EnrolmentConfig, speakers: Iterable[str], task: TaskData) -> set[str]:
    """Return the utterances that cannot be scored since the system is given them.

    Those of a transductive enrolment are all scored: it is marked instead.
    """
    if config.source not in ("neutral", "any"):
        return set()
    return {utt for speaker in speakers for utt in enrolment_of(config, speaker, task)}


def first_references(speakers: Iterable[str], task: TaskData) -> dict[str, str]:
    """Return the neutral utterance of each speaker that a system needs at validation and test.

    Raises:
        TrainingError: a speaker has none.
    """
    speakers = sorted(set(speakers))
    neutrals = {speaker: task.speaker_neutrals(speaker) for speaker in speakers}
    without = [speaker for speaker, own in neutrals.items() if not own]
    if without:
        raise TrainingError(
            f"{len(without)} of {len(speakers)} speakers have no neutral utterance, which this "
            f"system needs at validation and test; first: {', '.join(without[:10])}. Set "
            "references.if_missing to all_utterances in the task's config (stage 2), or add a "
            "reference of the speaker to spk2neutral or utt2neutral in the task's folder"
        )
    return {speaker: own[0] for speaker, own in neutrals.items()}
