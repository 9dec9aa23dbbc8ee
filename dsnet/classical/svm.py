"""A linear SVM on one vector an utterance; validation utterances choose how much it may adapt.

Axes: N utterances, F functionals, K classes.
Source: Fan et al. 2008 (LIBLINEAR): squared hinge loss, one class against the rest.
"""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from dsnet.scoring.metrics import confusion_matrix, uar, war

MAX_ITERATIONS = 20_000  # scikit-learn warns if these do not do


@dataclass(frozen=True)
class Selected:
    """The SVM with the best validation UAR.

    Args:
        model: standardisation and rotation, fitted on the training part, and SVM.
        c: weight of the training errors against the size of the coefficients.
        log: an entry for each value tried, smallest first.
    """

    model: Pipeline
    c: float
    log: list[dict[str, Any]]

    @property
    def num_parameters(self) -> int:
        """Of hyperplanes over the functionals, into which all before the SVM can be folded."""
        return self.model[-1].intercept_.size * (self.model.n_features_in_ + 1)


def select_svm(
    train: tuple[np.ndarray, np.ndarray],
    dev: tuple[np.ndarray, np.ndarray],
    num_classes: int,
    c_values: list[float],
    seed: int,
) -> Selected:
    """Train an SVM for each C and keep the one with the best validation UAR.

    Of equals the smallest C is kept. The UAR is that of all validation utterances together.

    Args:
        train: (N, F) functionals and (N,) class indices.
        dev: the same of the validation part.
        num_classes: K.
        c_values: what to try, in ascending order.
        seed: of LIBLINEAR, which visits the utterances in random order.
    """
    # A rotation to as many axes as there are utterances: the same SVM in a tenth of the time,
    # since its coefficients lie in the space that the training utterances span. Which of its two
    # forms is the faster to solve is told by the number of functionals before.
    wide = train[0].shape[0] < train[0].shape[1]
    prepare = make_pipeline(StandardScaler(), PCA()).fit(train[0])
    train_values, dev_values = prepare.transform(train[0]), prepare.transform(dev[0])
    best: tuple[float, float, LinearSVC] | None = None
    log = []
    for c in c_values:
        begin = time.perf_counter()
        svm = LinearSVC(C=c, dual=wide, max_iter=MAX_ITERATIONS, random_state=seed)
        svm.fit(train_values, train[1])
        loss = squared_hinge(decide(svm, train_values, num_classes), train[1])
        decisions = decide(svm, dev_values, num_classes)
        confusion = confusion_matrix(dev[1], decisions.argmax(1), num_classes)
        score = float(uar(confusion))
        log.append(
            {
                "C": c,
                "train": {"loss": loss},
                "dev": {"uar": score, "war": float(war(confusion))},
                "seconds": round(time.perf_counter() - begin, 3),
            }
        )
        if best is None or score > best[0]:
            best = score, c, svm
    return Selected(model=make_pipeline(*prepare, best[2]), c=best[1], log=log)


def decide(model: Pipeline | LinearSVC, values: np.ndarray, num_classes: int) -> np.ndarray:
    """Return decision values: (N, F) -> (N, K), minus infinity for a class without training."""
    found = model.decision_function(values)
    if found.ndim == 1:  # two classes share one hyperplane
        found = np.stack([-found, found], axis=1)
    decisions = np.full((len(values), num_classes), -np.inf)
    decisions[:, model.classes_] = found
    return decisions


def squared_hinge(decisions: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean over utterances of the squared hinge losses, summed over the classes.

    Args:
        decisions: (N, K); minus infinity costs nothing where the class is not the label.
        labels: (N,) class indices.
    """
    signs = np.where(np.arange(decisions.shape[1]) == labels[:, None], 1, -1)
    return float((np.maximum(0, 1 - signs * decisions) ** 2).sum(1).mean())
