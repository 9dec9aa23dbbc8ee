"""Recordings that are identical: which utterances they are, and which speakers share them."""

from collections.abc import Mapping
from itertools import combinations


def same_audio(utt2hash: Mapping[str, str]) -> list[list[str]]:
    """Return the groups of two or more utterances whose samples are equal, in the order given.

    Args:
        utt2hash: digest of the samples of each utterance.
    """
    by_hash: dict[str, list[str]] = {}
    for utt, audio_hash in utt2hash.items():
        by_hash.setdefault(audio_hash, []).append(utt)
    return [utts for utts in by_hash.values() if len(utts) > 1]


def shared_by_speakers(
    groups: list[list[str]], utt2spk: Mapping[str, str]
) -> dict[tuple[str, str], int]:
    """Return how many recordings two speakers share, the pair that shares most first.

    Args:
        groups: from `same_audio`.
        utt2spk: speaker of each utterance in them.
    """
    pairs: dict[tuple[str, str], int] = {}
    for utts in groups:
        for pair in combinations(sorted({utt2spk[utt] for utt in utts}), 2):
            pairs[pair] = pairs.get(pair, 0) + 1
    return dict(sorted(pairs.items(), key=lambda item: (-item[1], item[0])))


def in_words(pairs: Mapping[tuple[str, str], int]) -> list[str]:
    """Say for each two speakers with several identical recordings that they may be one person."""
    return [
        f"speakers {a} and {b} have {number} identical recordings: one person under two names?"
        for (a, b), number in pairs.items()
        if number > 1
    ]
