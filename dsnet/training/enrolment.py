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
from dsnet.files import digest
from dsnet.folds.task_data import TaskData
from dsnet.systems.config import EnrolmentConfig
from dsnet.training.normalisation import Pools

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


def scales(config: EnrolmentConfig) -> bool:
    """Say whether deviations are made equal, too."""
    return config.normalise == "shift_and_scale"


def shrinks(config: EnrolmentConfig) -> bool:
    """Say whether what is heard is believed in part; all of a speaker is the speaker's voice."""
    return config.shrink and config.source != "all"


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
        return drawn(speaker, task)[: config.count]
    neutrals = speaker_neutrals(speaker, task)
    if not neutrals:
        raise TrainingError(
            f"enrolment neutral: speaker '{speaker}' has no neutral utterance. Set "
            "references.if_missing to all_utterances in the task's config (stage 2), or "
            "enrolment.source to any or none"
        )
    return neutrals[: config.count]


def enrolled_pools(config: EnrolmentConfig, utt_ids: Iterable[str], task: TaskData) -> Pools:
    """Return what utterances of validation and test speakers are normalised by.

    Raises:
        TrainingError: see `enrolment_of`.
    """
    speaker_of = {utt: task.speaker(utt) for utt in utt_ids}
    speakers = sorted(set(speaker_of.values()))
    return Pools({spk: enrolment_of(config, spk, task) for spk in speakers}, speaker_of)


def training_pools(
    config: EnrolmentConfig, utt_ids: Iterable[str], train: Collection[str], task: TaskData
) -> Pools:
    """Return what utterances of training speakers may be normalised by.

    Args:
        config: neutral, any: others than the utterance itself, if there are any; all: all.
        utt_ids: of training speakers; utterances of the task, or neutral ones outside of it.
        train: the training part, beyond which no utterance of the task is heard.
        task: with the neutral utterances of every speaker.

    Raises:
        TrainingError: some have nothing.
    """
    speaker_of = {utt: task.speaker(utt) for utt in utt_ids}
    pools = heard_of(config, train, task)
    without = sorted(utt for utt, speaker in speaker_of.items() if speaker not in pools)
    if without:
        raise TrainingError(
            f"{len(without)} of {len(speaker_of)} training utterances have no neutral utterance of "
            f"their speaker, by which enrolment.source neutral goes; first: "
            f"{', '.join(without[:10])}. Set references.if_missing to all_utterances in the "
            "task's config (stage 2), or enrolment.source to any or none"
        )
    if config.source == "all":
        return Pools(pools, speaker_of)
    count = config.count if config.source == "neutral" else None
    return Pools(pools, speaker_of, count, others=True, draws=config.count)


def heard_of(
    config: EnrolmentConfig, train: Collection[str], task: TaskData
) -> dict[str, list[str]]:
    """Return the utterances of each training speaker that such an enrolment is made of."""
    own: dict[str, list[str]] = {}
    for utt in train:
        own.setdefault(task.utt2spk[utt], []).append(utt)
    if config.source != "neutral":
        return own
    heard = set(train)
    neutrals = {
        speaker: [n for n in speaker_neutrals(speaker, task) if n in heard or n not in task.utt2spk]
        for speaker in own
    }
    return {speaker: pool for speaker, pool in neutrals.items() if pool}


def speaker_neutrals(speaker: str, task: TaskData) -> list[str]:
    """Return the neutral utterances of a speaker: those first that are references, best first.

    Best is whose place among the references of the speaker's utterances is best on average.
    """
    places: dict[str, list[int]] = {}
    for utt in task.spk2utt.get(speaker, []):
        for place, reference in enumerate(task.references.get(utt, [])):
            places.setdefault(reference, []).append(place)
    ranked = sorted(places, key=lambda utt: sum(places[utt]) / len(places[utt]))
    return list(dict.fromkeys([*ranked, *task.spk2neutral.get(speaker, [])]))


def drawn(speaker: str, task: TaskData) -> list[str]:
    """Return a speaker's utterances of the task in an order that depends on their ids alone.

    So every system is given the same ones, and a few of them are the first of many.
    """
    return sorted(task.spk2utt[speaker], key=lambda utt: digest(["drawn", utt]))


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
    neutrals = {speaker: speaker_neutrals(speaker, task) for speaker in speakers}
    without = [speaker for speaker, own in neutrals.items() if not own]
    if without:
        raise TrainingError(
            f"{len(without)} of {len(speakers)} speakers have no neutral utterance, which this "
            f"system needs at validation and test; first: {', '.join(without[:10])}. Set "
            "references.if_missing to all_utterances in the task's config (stage 2), or add a "
            "reference of the speaker to spk2neutral or utt2neutral in the task's folder"
        )
    return {speaker: own[0] for speaker, own in neutrals.items()}
