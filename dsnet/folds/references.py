"""Neutral references: the utterances that stand for a speaker, chosen, written and read back.

Two forms of file, of which a task has one:

    spk2neutral   speaker utterance utterance ...     the same references for all of the speaker
    utt2neutral   utterance utterance utterance ...   policy same_text: an utterance has its own

A person may edit either; `neutral2spk` beside it lists the utterances to choose from.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path

import numpy as np
from lhotse import SupervisionSegment

from dsnet.corpus.gate import first_ten, speaker_is_known
from dsnet.errors import FoldError
from dsnet.files import read_lines
from dsnet.task import ReferenceConfig

SPK2NEUTRAL = "spk2neutral"
UTT2NEUTRAL = "utt2neutral"
MOST_PAIRS = 50_000_000  # of fallback speakers, whose number grows with the square: 0.4 GB


@dataclass(frozen=True)
class References:
    """References as chosen by a policy.

    Args:
        file_name: spk2neutral or utt2neutral.
        table: the lines of that file; speaker or utterance to its references, best first.
        neutral2spk: every neutral utterance of the kept speakers, chosen or not.
        fallback_speakers: have no neutral utterance; all of theirs serve.
        dropped_speakers: have none either and leave the task; with their number of utterances.
        without_reference: stay in it and have no line: under if_missing: no_reference, or unknown.
    """

    file_name: str
    table: dict[str, list[str]]
    neutral2spk: dict[str, str]
    fallback_speakers: list[str] = field(default_factory=list)
    dropped_speakers: dict[str, int] = field(default_factory=dict)
    without_reference: list[str] = field(default_factory=list)

    def by_utterance(self, utt2spk: Mapping[str, str]) -> dict[str, list[str]]:
        """Return the references of each utterance of `utt2spk`, itself excluded; may be empty."""
        return _by_utterance(self.file_name, self.table, utt2spk)


def _by_utterance(
    file_name: str, table: Mapping[str, list[str]], utt2spk: Mapping[str, str]
) -> dict[str, list[str]]:
    key = {utt: spk if file_name == SPK2NEUTRAL else utt for utt, spk in utt2spk.items()}
    return {utt: [ref for ref in table.get(key[utt], ()) if ref != utt] for utt in utt2spk}


def choose_references(
    config: ReferenceConfig,
    supervisions: Iterable[SupervisionSegment],
    native: Mapping[str, str],
    task_utterances: Collection[str],
) -> References:
    """Choose the references of every speaker of a task.

    Args:
        config: policy, number of references, and what to do about a speaker without any.
        supervisions: those to choose from; neutral utterances need not be in the task.
        native: native label of each of them.
        task_utterances: ids of those in the task.

    Raises:
        FoldError: speakers without a neutral utterance, under if_missing: error.
    """
    supervisions = sorted(supervisions, key=lambda s: s.id)
    spoken: dict[str, list[SupervisionSegment]] = {}
    unknown = []  # of whom there is one utterance each, which is no reference for itself
    for s in supervisions:
        if s.id in task_utterances and not speaker_is_known(s):
            unknown.append(s.speaker)
        elif s.id in task_utterances:
            spoken.setdefault(s.speaker, []).append(s)
    neutrals: dict[str, list[SupervisionSegment]] = {speaker: [] for speaker in spoken}
    for s in supervisions:
        if s.speaker in spoken and native[s.id] == config.native_label:
            neutrals[s.speaker].append(s)

    missing = sorted(speaker for speaker, segments in neutrals.items() if not segments)
    if missing and config.if_missing == "error":
        labels = sorted(set(native.values()))
        raise FoldError(
            f"{len(missing)} of {len(spoken)} speakers have no utterance with native label "
            f"'{config.native_label}' to serve as neutral reference: {first_ten(missing)}. The "
            f"corpus has the labels {first_ten(labels)}. Correct references.native_label, or set "
            "references.if_missing to all_utterances (any utterance of the speaker serves), "
            "drop_speaker (leaves the task) or no_reference (stays without one)"
        )
    dropped, without = {}, unknown
    if config.if_missing == "drop_speaker":
        dropped = {speaker: len(spoken.pop(speaker)) for speaker in missing}
        missing = []
    elif config.if_missing == "no_reference":
        for speaker in missing:
            del spoken[speaker]
        without, missing = [*missing, *unknown], []
    _check_fallback_size({speaker: len(spoken[speaker]) for speaker in missing})
    neutral2spk = {s.id: speaker for speaker in spoken for s in neutrals[speaker]}

    table: dict[str, list[str]] = {}
    for speaker, segments in sorted(spoken.items()):
        if config.policy == "same_text":
            by_text: dict[str | None, list[SupervisionSegment]] = {}
            for n in neutrals[speaker]:
                by_text.setdefault(n.text, []).append(n)
            for s in segments:
                chosen = segments
                if speaker not in missing:
                    chosen = _same_text(config, s, neutrals[speaker], by_text)
                table[s.id] = [c.id for c in chosen if c.id != s.id]
        else:
            chosen = segments if speaker in missing else _of_speaker(config, neutrals[speaker])
            table[speaker] = [c.id for c in chosen]
    return References(
        file_name=UTT2NEUTRAL if config.policy == "same_text" else SPK2NEUTRAL,
        table={key: refs for key, refs in sorted(table.items()) if refs},
        neutral2spk=dict(sorted(neutral2spk.items())),
        fallback_speakers=missing,
        dropped_speakers=dropped,
        without_reference=without,
    )


def _check_fallback_size(sizes: Mapping[str, int]) -> None:
    """Stop where any utterance of a speaker serves any other, and there are too many of them."""
    pairs = sum(size**2 for size in sizes.values())
    if pairs > MOST_PAIRS:
        largest = max(sizes, key=sizes.__getitem__)
        raise FoldError(
            f"references.if_missing all_utterances: {len(sizes)} speakers have no utterance with "
            f"the native label of references, {largest} with {sizes[largest]} utterances among "
            f"them, so that {pairs:,} pairs of utterance and reference would be kept, at most "
            f"{MOST_PAIRS:,}; correct references.native_label, or set references.if_missing to "
            "no_reference or drop_speaker"
        )


def _of_speaker(
    config: ReferenceConfig, neutrals: list[SupervisionSegment]
) -> list[SupervisionSegment]:
    if config.policy == "longest":
        neutrals = sorted(neutrals, key=lambda s: (-s.duration, s.id))
    elif config.policy == "random":
        # From seed and name alone, so that a further speaker changes nobody else's references.
        generator = np.random.default_rng([config.seed, *neutrals[0].speaker.encode()])
        neutrals = [neutrals[i] for i in generator.permutation(len(neutrals))]
    return neutrals[: config.count]


def _same_text(
    config: ReferenceConfig,
    utterance: SupervisionSegment,
    neutrals: list[SupervisionSegment],
    by_text: Mapping[str | None, list[SupervisionSegment]],
) -> list[SupervisionSegment]:
    """Return neutrals with the utterance's text, then others, both in file order."""
    text = utterance.text
    same = by_text.get(text, []) if text is not None else []
    others = (n for n in neutrals if text is None or n.text != text)
    fitting = (n for n in chain(same, others) if n.id != utterance.id)
    return list(islice(fitting, config.count))


def read_fields(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Read lines of fields separated by white space, one after the other: there may be many.

    Returns:
        For each line where it stands (`file:line`) and its fields.

    Raises:
        FoldError: no such file, or an empty line.
    """
    if not path.is_file():
        raise FoldError(f"{path}: no such file; run the recipe with --stage 2")
    name = str(path)
    for number, line in enumerate(read_lines(path), start=1):
        fields = line.split()
        if not fields:
            raise FoldError(f"{name}:{number}: empty line; remove it")
        yield f"{name}:{number}", fields


def read_references(
    task_dir: Path,
    utt2spk: Mapping[str, str],
    neutral2spk: Mapping[str, str],
    fallback_speakers: Collection[str],
    without_reference: Collection[str] = (),
) -> tuple[dict[str, list[str]], set[str]]:
    """Read the references of a task as a person may have edited them.

    Args:
        task_dir: folder with spk2neutral or utt2neutral.
        utt2spk: the utterances of the task.
        neutral2spk: the utterances that may serve.
        fallback_speakers: speakers of whom any utterance of the task may serve.
        without_reference: speakers who need no line.

    Returns:
        References of each utterance of the task (itself excluded; may be empty), and the set of
        neutral utterances that serve as reference; those of fallback speakers are not in it.

    Raises:
        FoldError: names file and line of what does not fit.
    """
    names = [name for name in (SPK2NEUTRAL, UTT2NEUTRAL) if (task_dir / name).exists()]
    if len(names) != 1:
        raise FoldError(
            f"{task_dir}: exactly one of {SPK2NEUTRAL} and {UTT2NEUTRAL} must be there, "
            f"found {' and '.join(names) or 'none'}; run the recipe with --stage 2"
        )
    path = task_dir / names[0]
    by_speaker = names[0] == SPK2NEUTRAL
    speaker_of = {spk: spk for spk in utt2spk.values()} if by_speaker else utt2spk
    table: dict[str, list[str]] = {}
    for where, (key, *references) in read_fields(path):
        if key not in speaker_of:
            kind = "speaker" if by_speaker else "utterance"
            raise FoldError(f"{where}: '{key}' is no {kind} of this task; correct or remove it")
        if key in table:
            raise FoldError(f"{where}: '{key}' has a line already; join the two")
        if not references:
            raise FoldError(f"{where}: '{key}' has no reference; add one from neutral2spk")
        if len(set(references)) < len(references):
            raise FoldError(f"{where}: an utterance stands there twice; keep one")
        speaker = speaker_of[key]
        for reference in references:
            if reference == key and not by_speaker:
                raise FoldError(f"{where}: '{key}' cannot be its own reference; remove it there")
            _check_reference(where, reference, speaker, utt2spk, neutral2spk, fallback_speakers)
        table[key] = references
    own: dict[str, set[str]] = {}
    for utt, speaker in neutral2spk.items():
        own.setdefault(speaker, set()).add(utt)
    expected = set(utt2spk.values()) - set(without_reference)
    if not by_speaker:
        expected = {utt for utt, speaker in utt2spk.items() if own.get(speaker, set()) - {utt}}
    forgotten = sorted(expected - set(table))
    if forgotten:
        raise FoldError(f"{path}: no line for '{forgotten[0]}'; add one, choosing from neutral2spk")
    used = {reference for references in table.values() for reference in references}
    return _by_utterance(names[0], table, utt2spk), used & set(neutral2spk)


def _check_reference(
    where: str,
    reference: str,
    speaker: str,
    utt2spk: Mapping[str, str],
    neutral2spk: Mapping[str, str],
    fallback_speakers: Collection[str],
) -> None:
    owner = neutral2spk.get(reference, utt2spk.get(reference))
    if owner is None:
        raise FoldError(
            f"{where}: '{reference}' is neither a neutral utterance nor one of this task; "
            "choose from neutral2spk"
        )
    if owner != speaker:
        raise FoldError(
            f"{where}: '{reference}' is an utterance of speaker {owner}, not of {speaker}; "
            "references are of the same speaker"
        )
    if reference not in neutral2spk and speaker not in fallback_speakers:
        raise FoldError(f"{where}: '{reference}' is not neutral; choose from neutral2spk")
