"""The classical systems by name, and what one of them makes of one fold.

Axes: N utterances, K classes.
"""

from dataclasses import dataclass

import numpy as np

from dsnet.classical.adaptation import (
    MAX_REFERENCES,
    fold_references,
    standardise_speakers,
    subtract_references,
)
from dsnet.classical.svm import Selected, decide, select_svm
from dsnet.features.functionals import Functionals
from dsnet.folds.task_data import TaskData

# From hardly any training to (nearly) no training error; the more functionals, the sooner.
C_EXPONENTS = {"egemaps": range(-4, 1), "compare": range(-6, -1)}
KINDS = {"none": "svm", "speaker": "svm_transductive", "neutral": "svm_neutral"}


@dataclass(frozen=True)
class ClassicalConfig:
    """What a system is; all of it counts for the digest of its config.

    Args:
        features: a key of functionals.FEATURE_SETS.
        adaptation: none; speaker: z-norm by all audio of each speaker, the test speaker included;
            neutral: minus the mean of the neutral references.
    """

    features: str
    adaptation: str
    c_values: list[float]  # what validation chooses from, in ascending order

    @property
    def kind(self) -> str:
        return KINDS[self.adaptation]

    @property
    def side_information(self) -> str:
        """What the system knows of a test speaker beside the utterance that it judges."""
        return {
            "none": "none",
            "speaker": "all unlabelled audio of the test speaker",
            "neutral": f"{MAX_REFERENCES} neutral clips of the test speaker",
        }[self.adaptation]


def _system(features: str, adaptation: str) -> ClassicalConfig:
    return ClassicalConfig(features, adaptation, [10.0**k for k in C_EXPONENTS[features]])


SYSTEMS = {
    "egemaps_svm": _system("egemaps", "none"),
    "egemaps_svm_speaker_norm": _system("egemaps", "speaker"),
    "compare_svm": _system("compare", "none"),
    "compare_svm_speaker_norm": _system("compare", "speaker"),
    "compare_svm_neutral3": _system("compare", "neutral"),
}


@dataclass(frozen=True)
class FoldOutcome:
    """The chosen SVM, and (N, K) decision values of the fold's dev and test utterances."""

    selected: Selected
    decisions: dict[str, np.ndarray]


def run_fold(
    config: ClassicalConfig, functionals: Functionals, task: TaskData, fold_name: str, seed: int
) -> FoldOutcome:
    """Adapt the functionals to their speakers, choose C, decide on dev and test.

    Raises:
        FeatureError: an utterance without functionals.
        FoldError: an utterance without a neutral reference, where the system needs one.
    """
    fold = task.fold(fold_name)
    if config.adaptation == "speaker":
        adapted = standardise_speakers(functionals)
        inputs = {part: adapted[functionals.rows(utts)] for part, utts in fold.parts().items()}
    elif config.adaptation == "neutral":
        references = fold_references(task, fold)
        inputs = {
            part: subtract_references(functionals, utts, [references[utt] for utt in utts])
            for part, utts in fold.parts().items()
        }
    else:
        inputs = {
            part: functionals.values[functionals.rows(utts)].astype(np.float64)
            for part, utts in fold.parts().items()
        }
    labels = {
        part: np.array([task.classes.index(task.utt2emo[utt]) for utt in getattr(fold, part)])
        for part in ("train", "dev")
    }
    num_classes = len(task.classes)
    selected = select_svm(
        (inputs["train"], labels["train"]),
        (inputs["dev"], labels["dev"]),
        num_classes,
        config.c_values,
        seed,
    )
    return FoldOutcome(
        selected,
        {part: decide(selected.model, inputs[part], num_classes) for part in ("dev", "test")},
    )
