"""Tables of class probabilities: what networks, SVMs and ensembles leave for scoring.

Axes: N utterances, K classes.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dsnet.errors import ScoringError
from dsnet.files import read_lines, write_text

SUM_TOLERANCE = 1e-4  # of probabilities written with 6 digits


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


def read_posteriors(path: Path, classes: list[str]) -> tuple[list[str], np.ndarray]:
    """Read a table `utt_id<TAB>class<TAB>class...` of class probabilities.

    Args:
        path: posteriors.tsv.
        classes: the task's classes, in the order of their indices.

    Returns:
        Utterance ids in the order of the file, and (N, K) probabilities.

    Raises:
        ScoringError: other classes or another order, or rows that are no probabilities.
    """
    header, *lines = read_lines(path) or [""]
    expected, columns = ["utt_id", *classes], header.split("\t")
    if columns != expected:
        raise ScoringError(
            f"{path}:1: expected the columns {' '.join(expected)}, found {' '.join(columns)}; "
            "the classes or their order have changed: rerun from stage 3"
        )
    utt_ids, rows = [], []
    for number, line in enumerate(lines, 2):
        utt, *cells = line.split("\t")
        try:
            row = [float(cell) for cell in cells]
        except ValueError as error:
            raise ScoringError(f"{path}:{number}: {error}; rerun stage 4") from error
        if len(row) != len(classes):
            raise ScoringError(
                f"{path}:{number}: expected {len(classes)} probabilities for {utt}, found "
                f"{len(row)}; rerun stage 4"
            )
        if not np.isfinite(row).all() or min(row) < 0 or abs(sum(row) - 1) > SUM_TOLERANCE:
            raise ScoringError(
                f"{path}:{number}: expected probabilities of {utt} that sum to 1, found "
                f"{' '.join(cells)}; rerun stage 4, or stage 3 if they are not finite"
            )
        utt_ids.append(utt)
        rows.append(row)
    return utt_ids, np.array(rows).reshape(-1, len(classes))
