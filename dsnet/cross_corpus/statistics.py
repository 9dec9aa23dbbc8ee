"""Target statistics: shift and scale the target's log-mels to the level of the training part.

Uses the target's audio, never its labels; with it a test is transductive.

Axes: T frames, F bins.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from dsnet.training.frames import FrameStore

TARGET_STATISTICS = ("none", "corpus", "speaker")


@dataclass(frozen=True)
class Moments:
    """Mean and deviation of each bin over many frames: (F,) float64."""

    mean: np.ndarray
    deviation: np.ndarray


def moments(matrices: Iterable[np.ndarray]) -> Moments:
    """Return mean and deviation over the frames of all matrices, each (T, F)."""
    num_frames, total, squares = 0, 0.0, 0.0
    for matrix in matrices:
        wide = matrix.astype(np.float64)
        num_frames += len(wide)
        total = total + wide.sum(0)
        squares = squares + (wide**2).sum(0)
    mean = total / num_frames
    return Moments(mean, np.sqrt(np.maximum(squares / num_frames - mean**2, 0)))


def match(store: FrameStore, groups: Iterable[Sequence[str]], goal: Moments) -> None:
    """Give the frames of each group of utterances, taken together, the moments of `goal`.

    A bin that never changes within a group is only shifted.

    Args:
        store: changed in place.
        groups: utterance ids; no utterance is in two groups.
        goal: such as those of the training part.
    """
    for group in groups:
        rows = [_rows(store, position) for position in store.positions(group).tolist()]
        own = moments(store.frames[r].cpu().numpy() for r in rows)
        flat = own.deviation < 1e-6 * np.maximum(np.abs(own.mean), 1)
        scale = np.where(flat, 1.0, goal.deviation / np.where(flat, 1.0, own.deviation))
        mean, scale, new_mean = (
            torch.tensor(x, dtype=torch.float32, device=store.frames.device)
            for x in (own.mean, scale, goal.mean)
        )
        for r in rows:
            store.frames[r] = (store.frames[r] - mean) * scale + new_mean


def _rows(store: FrameStore, position: int) -> slice:
    start = int(store.offsets[position])
    return slice(start, start + int(store.lengths[position]))


def group_utterances(kind: str, utt2spk: Mapping[str, str]) -> list[list[str]]:
    """Return the groups whose frames are taken together: all of the corpus, or each speaker's.

    Args:
        kind: "corpus" or "speaker".
        utt2spk: the utterances of the target.
    """
    groups: dict[str, list[str]] = {}
    for utt, speaker in sorted(utt2spk.items()):
        groups.setdefault("" if kind == "corpus" else speaker, []).append(utt)
    return list(groups.values())
