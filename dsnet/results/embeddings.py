"""embeddings.npz of stage 4, read whole or refused by name; no pickle is loaded.

Axes: N utterances, D embedding.
"""

from pathlib import Path

import numpy as np

from dsnet.errors import ScoringError
from dsnet.files import damage_of_zip

CONSTANT = 1e-3  # a variation of no more: the embedding is the same for every utterance


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Return `utt_ids` (N,) and the embeddings (N, D) by name.

    Raises:
        ScoringError: no such file, a damaged one, or another one's.
    """
    if not path.is_file():
        raise ScoringError(f"{path}: no such file; run --stage 4")
    if damage := damage_of_zip(path):
        raise ScoringError(f"{path}: damaged: {damage}; delete it, then rerun stage 4")
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = dict(stored)
    except ValueError as error:  # an array of objects, which would be a pickle
        raise ScoringError(f"{path}: not what stage 4 writes ({error}); rerun it") from error
    if "utt_ids" not in arrays:
        raise ScoringError(f"{path}: no 'utt_ids' in it; rerun stage 4")
    return arrays


def variation(embeddings: np.ndarray) -> float | None:
    """Return how far (N, D) embeddings are from their mean, as a share of their size.

    Both are root mean squares of norms: 0 if all embeddings are equal, 1 if their mean is 0. None
    of fewer than two. What is constant must not be standardised, which would show its rounding as
    if it were voices.
    """
    if len(embeddings) < 2:
        return None
    x = embeddings.astype(np.float64)
    size = np.square(x).sum()
    return float(np.sqrt(np.square(x - x.mean(0)).sum() / size)) if size else 0.0


def is_constant(found: float | None) -> bool:
    """Say whether a variation is that of an embedding that is the same for every utterance."""
    return found is not None and found <= CONSTANT
