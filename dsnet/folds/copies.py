"""One recording on two sides of a fold: identical samples, near copies, spans that overlap."""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import NamedTuple

from dsnet.corpus.gate import first_ten
from dsnet.corpus.same_audio import in_words, shared_by_speakers
from dsnet.errors import FoldError

COPY = 0.5  # share of the shorter of two spans from which on they are near copies


class Span(NamedTuple):
    """Where an utterance lies: in seconds of some channels of a recording."""

    recording: str
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
    pairs: Iterable[tuple[str, str]], utt2hash: Mapping[str, str]
) -> list[tuple[str, str]]:
    """Return, once each, the pairs of near copies whose samples are not equal.

    Args:
        pairs: of utterances.
        utt2hash: digest of the samples of each, where known.
    """
    distinct = dict.fromkeys((min(pair), max(pair)) for pair in pairs)
    return [(a, b) for a, b in distinct if utt2hash.get(a, a) != utt2hash.get(b, b)]


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


def overlaps(spans: Mapping[str, Span]) -> list[tuple[str, str, float]]:
    """Return the pairs of utterances that share samples of a file, and how many seconds of it."""
    of_recording: dict[str, list[str]] = {}
    for utt in sorted(spans, key=lambda utt: spans[utt].start):
        of_recording.setdefault(spans[utt].recording, []).append(utt)
    return [pair for utts in of_recording.values() for pair in _overlaps(utts, spans)]


def _overlaps(utts: Sequence[str], spans: Mapping[str, Span]) -> Iterator[tuple[str, str, float]]:
    """Yield those of utterances of one recording, in the order of their beginnings."""
    for i, one in enumerate(utts):
        for other in utts[i + 1 :]:
            shared = min(spans[one].end, spans[other].end) - spans[other].start
            if shared <= 0:
                break
            if spans[one].channels & spans[other].channels:
                yield one, other, shared


def contained(
    found: Sequence[tuple[str, str, float]], spans: Mapping[str, Span]
) -> list[tuple[str, str]]:
    """Return those pairs of `overlaps` of which one is, for the most part, the other's audio."""
    return [
        (a, b)
        for a, b, shared in found
        if shared >= COPY * min(spans[utt].end - spans[utt].start for utt in (a, b))
    ]


def shared_files(
    folds: Mapping[str, Mapping[str, str]],
    spans: Mapping[str, Span],
    found: Sequence[tuple[str, str, float]],
    speaker_of: Mapping[str, str],
) -> list[str]:
    """Return warnings of files that are on two sides of a fold, and of overlaps there.

    Args:
        folds: side of each speaker, by fold.
        spans: of the utterances.
        found: from `overlaps`.
        speaker_of: speaker of each utterance.
    """
    speakers: dict[str, set[str]] = {}
    for utt, span in spans.items():
        speakers.setdefault(span.recording, set()).add(speaker_of[utt])
    split = [name for name, own in sorted(speakers.items()) if _are_split(folds, own)]
    warnings = []
    if split:
        warnings.append(
            f"{len(split)} files are on two sides of a fold, as several speakers are in each "
            f"(start, end): their room and microphone are heard in training: {first_ten(split)}"
        )
    both = [(a, b, s) for a, b, s in found if _are_split(folds, {speaker_of[a], speaker_of[b]})]
    if both:
        named = [f"{a} and {b} ({shared:.2f} s)" for a, b, shared in both]
        warnings.append(
            f"{len(both)} pairs of utterances overlap in their file and are on two sides of a "
            f"fold, so that what both say is heard in training: {first_ten(named)}"
        )
    return warnings


def _are_split(folds: Mapping[str, Mapping[str, str]], speakers: Set[str]) -> bool:
    """Say whether some fold has speakers on two sides."""
    return len(speakers) > 1 and any(
        len({sides[speaker] for speaker in speakers if speaker in sides}) > 1
        for sides in folds.values()
    )
