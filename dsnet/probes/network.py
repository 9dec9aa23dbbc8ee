"""All probes of one network: what <fold>/probes.json holds.

Reads <fold>/{train,dev,test}/embeddings.npz and, where the system can swap parts, the network.

Axes: N utterances of training speakers, M of held-out speakers, D embedding.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dsnet.errors import ScoringError
from dsnet.folds.task_data import TaskData
from dsnet.probes.classifiers import answer
from dsnet.probes.labels import Labels, pose_all
from dsnet.probes.similarity import MIN_UTTERANCES, compare
from dsnet.probes.swap import Separable, swap_test
from dsnet.probes.verification import pair_up, verify
from dsnet.results.embeddings import is_constant, read_arrays, variation

PARTS = ("h", "s", "e")
MAX_IN_PAIRS = 1000  # held-out utterances whose pairs are looked at; of more, so many are drawn
RANDOM_SEED = 0  # of permutations and pairs


@dataclass(frozen=True)
class Embeddings:
    """Utterances of one or two parts of a fold, and their named (N, D) embeddings."""

    utt_ids: list[str]
    arrays: dict[str, np.ndarray]


def read_embeddings(path: Path, expected: list[str]) -> Embeddings:
    """Read the parts h, s and e that a system has.

    Args:
        path: embeddings.npz of stage 4.
        expected: the utterances that should be in it, in any order.

    Raises:
        ScoringError: no such file, a damaged one, or other utterances; an embedding that is not
            finite.
    """
    stored = read_arrays(path)
    utt_ids = stored["utt_ids"].tolist()
    arrays = {part: stored[part] for part in PARTS if part in stored}
    if sorted(utt_ids) != sorted(expected):
        strange = sorted(set(utt_ids) ^ set(expected)) or ["one that stands there twice"]
        raise ScoringError(
            f"{path}: {len(utt_ids)} utterances, expected the {len(expected)} of the fold; they "
            f"differ in {strange[0]}. The folds have changed: rerun from stage 3"
        )
    for part, array in arrays.items():
        if not np.isfinite(array).all():
            raise ScoringError(f"{path}: '{part}' is not finite; rerun stages 3 and 4")
    return Embeddings(utt_ids, arrays)


def probe_network(
    fold_dir: Path, task: TaskData, fold_name: str, labels: Labels, system: Separable | None
) -> dict[str, Any]:
    """Probe every part of one network.

    Args:
        fold_dir: folder of the network.
        task: that it was trained for.
        fold_name: the fold that it leaves out.
        labels: of the task's utterances.
        system: the network, in evaluation mode; None if it cannot put parts together.

    Returns:
        `targets`: for each target what a guess would score, None if it cannot be asked here;
        `variation` of each part over the held-out utterances, None of a single one;
        `parts`: for each part and target the EER, or the scores of each probe, None if the part is
        constant; `similarity` of s and e and `swap`: None for systems without these parts, if one
        of them is constant, or where they cannot be computed.
        All values are plain, for JSON.

    Raises:
        ScoringError: files of stage 4 that are missing or do not fit the fold.
    """
    fold = task.fold(fold_name)
    sides = {
        part: read_embeddings(fold_dir / part / "embeddings.npz", utts)
        for part, utts in fold.parts().items()
        if utts  # perhaps nobody validates
    }
    train = sides.pop("train")
    held_out = Embeddings(
        [utt for side in sides.values() for utt in side.utt_ids],
        {
            part: np.concatenate([side.arrays[part] for side in sides.values()])
            for part in train.arrays
        },
    )
    rows = _in_pairs(len(held_out.utt_ids))
    pairs = pair_up([held_out.utt_ids[row] for row in rows], labels)
    questions = pose_all(train.utt_ids, held_out.utt_ids, labels)

    variations = {part: variation(array) for part, array in held_out.arrays.items()}
    varying = {part for part, found in variations.items() if not is_constant(found)}

    def probe(part: str) -> dict[str, Any]:
        if part not in varying:
            return dict.fromkeys((*pairs, *questions))
        known, unknown = train.arrays[part], held_out.arrays[part]
        return {
            **{name: verify(p, known, unknown[rows]) if p else None for name, p in pairs.items()},
            **{name: answer(q, known, unknown) if q else None for name, q in questions.items()},
        }

    rng = np.random.default_rng(RANDOM_SEED)
    similarity = swap = None
    if {"s", "e"} <= varying and len(held_out.utt_ids) >= MIN_UTTERANCES:
        s, e = held_out.arrays["s"], held_out.arrays["e"]
        similarity = compare(s, e, rng)
        if system is not None:
            swap = swap_test(system, held_out.arrays["h"][rows], s[rows], e[rows], rng)
    return {
        "num_train": len(train.utt_ids),
        "num_held_out": len(held_out.utt_ids),
        "targets": {name: q.describe() if q else None for name, q in (pairs | questions).items()},
        "variation": variations,
        "parts": {part: probe(part) for part in held_out.arrays},
        "similarity": similarity,
        "swap": swap,
    }


def _in_pairs(count: int) -> np.ndarray:
    """Return all row numbers below `count`, or MAX_IN_PAIRS of them by lot."""
    if count <= MAX_IN_PAIRS:
        return np.arange(count)
    return np.sort(np.random.default_rng(RANDOM_SEED).choice(count, MAX_IN_PAIRS, replace=False))
