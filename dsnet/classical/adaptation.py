"""Takes what is the speaker's out of functionals, with what may be known of the speaker.

Axes: U utterances of the corpus, N utterances of a fold, F functionals. No label is read here.
"""

from collections.abc import Sequence

import numpy as np
from sklearn.preprocessing import StandardScaler

from dsnet.errors import FoldError
from dsnet.features.functionals import Functionals
from dsnet.folds.protocols import Fold
from dsnet.folds.task_data import TaskData

MAX_REFERENCES = 3


def standardise_speakers(functionals: Functionals) -> np.ndarray:
    """Standardise each speaker by mean and deviation of all of that speaker's audio.

    All means every utterance of the corpus, in the task or not: which are in it is told by labels.

    Returns:
        (U, F) of mean 0 and deviation 1 within each speaker; 0 where a speaker's are all equal.
    """
    values = functionals.values.astype(np.float64)
    for speaker in np.unique(functionals.speakers):
        own = functionals.speakers == speaker
        values[own] = StandardScaler().fit_transform(values[own])
    return values


def subtract_references(
    functionals: Functionals, utt_ids: Sequence[str], references: Sequence[Sequence[str]]
) -> np.ndarray:
    """Subtract from each utterance the mean functionals of its references.

    Args:
        functionals: of the corpus.
        utt_ids: N utterances.
        references: N lists of neutral utterances, none of them empty.

    Returns:
        (N, F).
    """
    values = functionals.values.astype(np.float64)
    neutral = [values[functionals.rows(refs)].mean(0) for refs in references]
    return values[functionals.rows(utt_ids)] - np.stack(neutral)


def fold_references(task: TaskData, fold: Fold) -> dict[str, list[str]]:
    """Return at most three references of each utterance of a fold, best first, never itself.

    A training speaker's utterance that the fold leaves out serves nobody in it.

    Raises:
        FoldError: an utterance without any.
    """
    trained = set(fold.train)
    references = {
        utt: [ref for ref in task.references[utt] if ref in trained or ref not in task.utt2spk]
        for utt in fold.train
    } | {utt: task.references[utt] for utt in [*fold.dev, *fold.test]}
    alone = [utt for utt, refs in references.items() if not refs]
    if alone:
        raise FoldError(
            f"{task.task_dir}: {len(alone)} utterances have no neutral reference beside themselves "
            f"in this fold, such as {alone[0]}; give their speakers another one: edit "
            "spk2neutral, or raise references.count in the task's config and rerun from stage 2"
        )
    return {utt: refs[:MAX_REFERENCES] for utt, refs in references.items()}
