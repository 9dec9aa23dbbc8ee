"""A linear SVM on one vector an utterance, such as openSMILE functionals; not a network.

    feats -- standardise -- K hyperplanes, one class against the rest -- decision values

C, the weight of the training errors against the size of the coefficients, is chosen by
cross-validation over the training speakers. One validation speaker would be too few to choose by.
Axes: N utterances, F dimensions, K classes.
Source: Fan et al. 2008 (LIBLINEAR): squared hinge loss.
"""

import time
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dsnet.errors import ConfigError, TrainingError
from dsnet.models.front_end import Features
from dsnet.systems.config import SystemConfig
from dsnet.systems.system import Output, System

MAX_ITERATIONS = 20_000  # scikit-learn warns if these do not do
MAX_GROUPS = 10  # parts of the cross-validation; each speaker's utterances stay together


class SVM(System):
    """Its logits are decision values: their order is all that UAR, WAR and F1 ask for."""

    is_network = False

    def __init__(
        self, config: SystemConfig, features: Features, num_classes: int, num_speakers: int
    ):
        super().__init__()
        if features.frame_shift_ms is not None:
            raise ConfigError(
                f"kind svm takes one vector an utterance; the features '{features.name}' have a "
                f"frame every {features.frame_shift_ms:g} ms. Choose functionals, such as compare"
            )
        self.c_values = sorted(config.svm.c_values)
        for name, shape in {
            "mean": (features.dim,),
            "scale": (features.dim,),
            "coefficients": (num_classes, features.dim),
            "intercepts": (num_classes,),
        }.items():
            self.register_buffer(name, torch.zeros(shape, dtype=torch.double))

    def forward(self, feats: Tensor, lengths: Tensor | None = None) -> Output:
        """Classify (B, 1, F) functionals."""
        values = (feats[:, 0].double() - self.mean) / self.scale
        return Output(values @ self.coefficients.T + self.intercepts, {})

    def inference_parameters(self) -> int:
        """Return how many parameters a decision needs: standardisation can be folded in."""
        return self.coefficients.numel() + self.intercepts.numel()

    def fit(
        self, values: np.ndarray, labels: np.ndarray, speakers: np.ndarray, seed: int
    ) -> list[dict[str, Any]]:
        """Choose C, then train on everything.

        Of values of C with equal UAR the smallest is kept.

        Args:
            values: (N, F).
            labels: (N,) class indices.
            speakers: (N,) names.
            seed: of LIBLINEAR, which visits the utterances in random order.

        Returns:
            An entry for each C tried, smallest first: `C`, `uar` (of all training utterances, each
            judged by an SVM that was not trained on its speaker; values are standardised over
            all), `seconds`, `chosen`.

        Raises:
            TrainingError: one speaker only.
        """
        if len(np.unique(speakers)) < 2:
            raise TrainingError(
                f"the training part has one speaker, {speakers[0]}; an SVM chooses C by speakers "
                "that are left out, so it needs two or more. Choose folds with fewer speakers in "
                "validation and test"
            )
        # here, since every start of a recipe imports this module, and scikit-learn takes seconds
        from sklearn.decomposition import PCA
        from sklearn.metrics import recall_score
        from sklearn.model_selection import GroupKFold, cross_val_predict
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import LinearSVC

        def new_svm(c: float) -> LinearSVC:
            # which of the two forms is solved faster depends on the number of dimensions before
            wide = values.shape[0] < values.shape[1]
            return LinearSVC(C=c, dual=wide, max_iter=MAX_ITERATIONS, random_state=seed)

        scaler = StandardScaler().fit(values)
        # A rotation to as many axes as there are utterances: the same SVM in a tenth of the time,
        # since its coefficients lie in the space that the training utterances span.
        rotation = PCA().fit(scaler.transform(values))
        rotated = rotation.transform(scaler.transform(values))
        groups = GroupKFold(min(MAX_GROUPS, len(np.unique(speakers))))
        log = []
        for c in self.c_values:
            begin = time.perf_counter()
            guesses = cross_val_predict(new_svm(c), rotated, labels, groups=speakers, cv=groups)
            uar = recall_score(labels, guesses, average="macro")
            seconds = round(time.perf_counter() - begin, 3)
            log.append({"C": c, "uar": float(uar), "seconds": seconds, "chosen": False})
        chosen = max(log, key=lambda entry: entry["uar"])  # the first of equals
        chosen["chosen"] = True
        svm = new_svm(chosen["C"]).fit(rotated, labels)
        coefficients, intercepts = svm.coef_, svm.intercept_
        if len(svm.classes_) == 2:  # two classes share one hyperplane
            coefficients = np.concatenate([-coefficients, coefficients])
            intercepts = np.concatenate([-intercepts, intercepts])
        coefficients = coefficients @ rotation.components_
        self.mean.copy_(torch.from_numpy(scaler.mean_))
        self.scale.copy_(torch.from_numpy(scaler.scale_))
        self.intercepts.fill_(-torch.inf)  # of a class without a training utterance
        places = torch.from_numpy(svm.classes_)
        self.coefficients[places] = torch.from_numpy(coefficients)
        # the rotation's mean is 0 up to rounding, since the values are standardised
        shift = intercepts - coefficients @ rotation.mean_
        self.intercepts[places] = torch.from_numpy(shift)
        return log
