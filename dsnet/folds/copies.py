"""One recording on two sides of a fold: identical samples, and near copies."""

from collections.abc import Mapping, Sequence

from dsnet.corpus.gate import first_ten
from dsnet.corpus.near_copies import near_copies
from dsnet.corpus.same_audio import in_words, shared_by_speakers
from dsnet.errors import FoldError


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
