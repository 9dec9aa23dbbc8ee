"""Near copies: utterances with the speech of another, trimmed, padded, scaled or re-encoded.

Two utterances are near copies if, of the 256 bits of a landmark's print, 48 or fewer differ, or 64
or fewer of two landmarks that lie equally far apart in both. Prints are compared only if they agree
in all bands at one of their 16 times, which an index finds: one pair of 2000 does.

Found, of changed copies of 134 utterances of EmoDB and 120 of RAVDESS, in percent:

    0.2 s cut off at both ends, 0.3 s of zeros or of faint noise added, scaled by 0.5   100   100
    mp3 as libsndfile writes it, ogg, opus, mu-law at 8 kHz                             100   100
    mp3 of the lowest quality                                                           100    96
    resampled from 16 to 8 kHz, and back; to 44.1 kHz; 2 % faster                       100   100
    any half of the utterance; scaled by 0.3 and as mp3 besides                   97 and 94   100
    any quarter, which may be too short for a landmark                                   40    57
    white noise added, 20 dB below it                                                    96   100
    GSM                                                                                  94    70
    an artificial room added                                                              0     0

False alarms: none between two speakers, of whose 94 million pairs of landmarks the closest differ
in 75 bits. Of one speaker's takes, one pair of 14,716 in EmoDB (09a05Wb, 09a05Wc), and in RAVDESS
only the one of 42,480 that is a copy. Time: 0.2 ms a second of 16 kHz speech to take fingerprints,
and 10 ms to compare the 12,470 landmarks of RAVDESS.
"""

from collections.abc import Iterator, Mapping

import numpy as np

from dsnet.corpus.fingerprint import BITS, TIMES, read_fingerprint

ALONE = 48  # bits of which one pair of landmarks may differ
AMONG = 64  # and each of two or more at one lag
SLACK = 2  # frames between two lags that count as one


def near_copies(utt2print: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the pairs of utterances that hold the same recording, or parts of it.

    Args:
        utt2print: fingerprint of each utterance; those without landmarks have no copies.

    Returns:
        Pairs in the order of the utterances, copies without any change among them.
    """
    utts = list(utt2print)
    landmarks = [read_fingerprint(text) for text in utt2print.values()]
    pairs = sorted({pair for some in _candidates(landmarks) for pair in some})
    return [(utts[a], utts[b]) for a, b in pairs if is_copy(landmarks[a], landmarks[b])]


def is_copy(here: tuple[np.ndarray, np.ndarray], there: tuple[np.ndarray, np.ndarray]) -> bool:
    """Say whether landmarks of two utterances are those of one recording.

    Args:
        here, there: frames and prints, from `read_fingerprint`.
    """
    differing = _differing(here[1][:, None], there[1][None])
    if (differing <= ALONE).any():
        return True
    a, b = np.nonzero(differing <= AMONG)
    lags = np.sort(here[0][a] - there[0][b])
    # landmarks of an utterance are further apart than the slack: one lag means two of each
    return bool((np.diff(lags) <= SLACK).any())


def _differing(here: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Return of how many bits prints differ, (..., 32) uint8 or the same as (..., 4) uint64."""
    return np.bitwise_count(here ^ there).sum(axis=-1, dtype=np.int64)


def _candidates(
    landmarks: list[tuple[np.ndarray, np.ndarray]],
) -> Iterator[set[tuple[int, int]]]:
    """Yield pairs of utterances of which two prints are alike, as numbers in the list."""
    prints = np.concatenate([prints for _, prints in landmarks] or [np.zeros((0, BITS // 8), "u1")])
    owners = np.repeat(np.arange(len(landmarks)), [len(frames) for frames, _ in landmarks])
    words = np.ascontiguousarray(prints).view("<u2")  # (L, times)
    for time in range(len(TIMES)):
        order = np.argsort(words[:, time], kind="stable")
        word, owner = words[order, time], owners[order]
        wide = words[order].view("<u8")  # (L, 4): few large numbers are compared faster
        # the first of each run of equal words with the second, then the third, ...
        starts, step = np.arange(len(word)), 0
        while len(starts):
            step += 1
            starts = starts[: np.searchsorted(starts, len(word) - step)]
            starts = starts[word[starts] == word[starts + step]]
            alike = starts[_differing(wide[starts], wide[starts + step]) <= AMONG]
            a, b = owner[alike], owner[alike + step]
            found = np.sort(np.stack([a, b], axis=1)[a != b], axis=1)
            yield {(int(first), int(second)) for first, second in found}
