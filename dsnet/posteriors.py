"""Writes tables of class probabilities: what networks, SVMs and ensembles leave for scoring."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dsnet.files import write_text


def write_posteriors(
    path: Path, utt_ids: Sequence[str], classes: Sequence[str], posteriors: np.ndarray
) -> None:
    """Write a header, then a row an utterance, sorted by its id; six digits.

    Args:
        path: posteriors.tsv.
        utt_ids: N utterances.
        classes: K names.
        posteriors: (N, K) probabilities.
    """
    rows = [
        [utt, *(f"{p:.6g}" for p in row)]
        for utt, row in zip(utt_ids, np.asarray(posteriors, dtype=float).tolist(), strict=True)
    ]
    lines = ["\t".join(row) + "\n" for row in [["utt_id", *classes], *sorted(rows)]]
    write_text(path, "".join(lines))
