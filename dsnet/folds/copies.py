"""One recording on two sides of a fold: identical samples, near copies, spans that overlap."""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import NamedTuple

from dsnet.corpus.gate import first_ten
from dsnet.corpus.near_copies import near_copies
from dsnet.corpus.same_audio import in_words, shared_by_speakers
from dsnet.errors import FoldError

COPY = 0.5  # share of the shorter of two spans from which on they are one utterance
LEAST_OVERLAP = 1e-6  # seconds; less is rounding where one ends and the next begins


class Span(NamedTuple):
    """Where an utterance lies: in seconds of some channels of a file."""

    file: str
    channels: Set[int]
    start: float
    end: float


def check_same_audio(
    folds: Mapping[str, Mapping[str, str]],
    groups: list[list[str]],
    speaker_of: Mapping[str, str],
) -> None:
    """Stop if a fold has a recording on two sides.

    Args:
        folds: side of each speaker, by fold.
        groups: utterances with equal samples, from `same_audio`.
        speaker_of: speaker of each utterance and reference.

    Raises:
        FoldError: names the first ten pairs of the first such fold.
    """
    for name, sides in folds.items():
        found = []
        for utts in groups:
            placed = [(sides[speaker_of[utt]], utt) for utt in utts if speaker_of[utt] in sides]
            other = [p for p in placed if p[0] != placed[0][0]]
            found += [(*placed[0], *other[0])] if other else []
        if found:
            raise FoldError(
                f"fold {name}: the same audio is "
                + first_ten([f"in {a} as {u} and in {b} as {v}" for a, u, b, v in found], "; ")
                + "; find out which is mislabelled and leave it out in stage 0"
                + "".join(f". Note: {p}" for p in in_words(shared_by_speakers(groups, speaker_of)))
            )


def unequal_copies(
    utt2print: Mapping[str, str], utt2hash: Mapping[str, str]
) -> list[tuple[str, str]]:
    """Return the pairs of near copies whose samples are not equal.

    Args:
        utt2print: fingerprint of each utterance.
        utt2hash: digest of the samples of each, where known.
    """
    return [(a, b) for a, b in near_copies(utt2print) if utt2hash.get(a, a) != utt2hash.get(b, b)]


def check_near_copies(
    folds: Mapping[str, Mapping[str, str]],
    copies: Sequence[tuple[str, str]],
    speaker_of: Mapping[str, str],
    allow: bool,
) -> list[str]:
    """Stop if a fold has near copies on two sides, or return a warning where that is allowed.

    Args:
        folds: side of each speaker, by fold.
        copies: pairs of utterances.
        speaker_of: speaker of each utterance and reference.
        allow: go on all the same.

    Raises:
        FoldError: counts the pairs and names the first ten, with the first fold that splits each.
    """
    found = []
    for pair in copies:
        speakers = [speaker_of[utt] for utt in pair]
        for name, sides in folds.items():
            first, second = (sides.get(speaker) for speaker in speakers)
            if first and second and first != second:
                named = [f"{utt} (speaker {spk})" for utt, spk in zip(pair, speakers, strict=True)]
                found.append(f"{named[0]} in {first} and {named[1]} in {second} of fold {name}")
                break
    if not found:
        return []
    words = f"near copies ({len(found)}) on two sides: {first_ten(found, '; ')}"
    if not allow:
        raise FoldError(
            f"{words}. Either holds (a part of) the other's recording, if changed: trimmed, scaled "
            "or re-encoded. Listen to them, and leave out in stage 0 what is mislabelled; "
            "--allow-near-copies true goes on"
        )
    return [f"{words}; allowed by --allow-near-copies"]


def check_overlaps(
    folds: Mapping[str, Mapping[str, str]],
    spans: Mapping[str, Span],
    speaker_of: Mapping[str, str],
    allow: bool,
) -> list[str]:
    """Stop if two sides of a fold hold the same part of a file, or return warnings.

    Args:
        folds: side of each speaker, by fold.
        spans: of the utterances.
        speaker_of: speaker of each utterance.
        allow: go on all the same.

    Raises:
        FoldError: pairs of which one holds the other for the most part.
    """
    speakers: dict[str, set[str]] = {}
    for utt, span in spans.items():
        speakers.setdefault(span.file, set()).add(speaker_of[utt])
    split = [name for name, own in sorted(speakers.items()) if _are_split(folds, own)]
    warnings = []
    if split:
        warnings.append(
            f"{len(split)} files are on two sides of a fold, since several speakers are in each: "
            f"their room and microphone are heard in training: {first_ten(split)}"
        )
    shared = {
        (a, b): seconds
        for a, b, seconds in overlaps(spans)
        if _are_split(folds, {speaker_of[a], speaker_of[b]})
    }
    copies = [
        pair
        for pair, seconds in shared.items()
        if seconds >= COPY * min(spans[utt].end - spans[utt].start for utt in pair)
    ]
    if copies and not allow:
        raise FoldError(
            f"utterances ({len(copies)} pairs) of which one holds half of the other or more, of "
            f"two speakers who are on two sides of a fold: {_in_words(copies, shared)}. Correct "
            "their times (start, end) or speakers in stage 0; if two people talk at once, "
            "--allow-near-copies true goes on"
        )
    if shared:
        warnings.append(
            f"{len(shared)} pairs of utterances overlap in their file and are on two sides of a "
            f"fold, so that what is tested is heard in training, too: {_in_words(shared, shared)}"
        )
    return warnings


def overlaps(spans: Mapping[str, Span]) -> Iterator[tuple[str, str, float]]:
    """Yield the pairs of utterances that share samples of a file, and how many seconds of it."""
    of_file: dict[str, list[str]] = {}
    for utt in sorted(spans, key=lambda utt: spans[utt].start):
        of_file.setdefault(spans[utt].file, []).append(utt)
    for utts in of_file.values():
        for i, one in enumerate(utts):
            for other in utts[i + 1 :]:
                shared = min(spans[one].end, spans[other].end) - spans[other].start
                if shared < LEAST_OVERLAP:
                    break  # all others begin later
                if spans[one].channels & spans[other].channels:
                    yield one, other, shared


def _in_words(pairs: Iterable[tuple[str, str]], seconds: Mapping[tuple[str, str], float]) -> str:
    return first_ten([f"{a} and {b} ({seconds[a, b]:.2f} s)" for a, b in pairs])


def _are_split(folds: Mapping[str, Mapping[str, str]], speakers: Set[str]) -> bool:
    """Say whether some fold has speakers on two sides."""
    return len(speakers) > 1 and any(
        len({sides[speaker] for speaker in speakers if speaker in sides}) > 1
        for sides in folds.values()
    )
