"""Linear systems on one vector an utterance, such as openSMILE functionals; not networks.

    feats -- layers -- standardise -- K hyperplanes -- decision values

kind svm: one class against the rest, squared hinge loss. kind logistic: multinomial logistic
regression, classes weighted to count alike; its decision values are logits of probabilities.

C, the weight of the training errors against the size of the coefficients, and the layers of a
pretrained encoder that are used, are chosen by cross-validation over the training speakers. One
validation speaker would be too few to choose by.
Axes: N utterances, F dimensions, L layers of an encoder (1 of other features), K classes.
Source of the SVM: Fan et al. 2008 (LIBLINEAR).
"""

import time
from abc import abstractmethod
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
NEIGHBOURS = 3  # layers that are used together


class Linear(System):
    """What both kinds share."""

    is_network = False

    def __init__(
        self, config: SystemConfig, features: Features, num_classes: int, num_speakers: int
    ):
        super().__init__()
        if features.frame_shift_ms is not None:
            raise ConfigError(
                f"kind {config.kind} takes one vector an utterance; the features '{features.name}' "
                f"have a frame every {features.frame_shift_ms:g} ms. Choose functionals, such as "
                "compare, or the pooled states of an encoder, such as whisper_base_pooled"
            )
        self.c_values = sorted(config.linear.c_values)
        self.num_layers = features.num_layers
        for name, shape in {
            "mean": (features.dim,),
            "scale": (features.dim,),
            "coefficients": (num_classes, features.dim),
            "intercepts": (num_classes,),
        }.items():
            self.register_buffer(name, torch.zeros(shape, dtype=torch.double))

    @abstractmethod
    def new_classifier(self, c: float, wide: bool, seed: int) -> Any:
        """Return scikit-learn's classifier; `wide` says whether F is above N, before a rotation."""

    def forward(self, feats: Tensor, lengths: Tensor | None = None) -> Output:
        """Classify (B, 1, F) vectors."""
        values = (feats[:, 0].double() - self.mean) / self.scale
        return Output(values @ self.coefficients.T + self.intercepts, {})

    def inference_parameters(self) -> int:
        """Return how many parameters a decision needs: standardisation can be folded in."""
        return int(self.coefficients.any(0).sum()) * len(self.intercepts) + len(self.intercepts)

    def fit(
        self, values: np.ndarray, labels: np.ndarray, speakers: np.ndarray, seed: int
    ) -> list[dict[str, Any]]:
        """Choose the layers at the middle value of C, then C, then train on everything.

        Layers are tried one by one and in runs of NEIGHBOURS. Of equal UARs the first choice is
        kept: fewer layers, the lower ones, a smaller C.

        Args:
            values: (N, F).
            labels: (N,) class indices.
            speakers: (N,) names.
            seed: of LIBLINEAR, which visits the utterances in random order.

        Returns:
            An entry for each choice tried, in this order: `layers` (places in the features), `C`,
            `uar` (of all training utterances, each judged by a classifier that was not trained on
            its speaker; values are standardised over all), `seconds`, `chosen`.

        Raises:
            TrainingError: one speaker only.
        """
        if len(np.unique(speakers)) < 2:
            raise TrainingError(
                f"the training part has one speaker, {speakers[0]}; linear systems choose by "
                "speakers that are left out, so they need two or more. Choose folds with fewer "
                "speakers in validation and test"
            )
        # here, since every start of a recipe imports this module, and scikit-learn takes seconds
        from sklearn.metrics import recall_score
        from sklearn.model_selection import GroupKFold, cross_val_predict
        from sklearn.preprocessing import StandardScaler

        groups = GroupKFold(min(MAX_GROUPS, len(np.unique(speakers))))
        scaler = StandardScaler().fit(values)
        standardised = scaler.transform(values)
        log: list[dict[str, Any]] = []

        def attempt(layers: tuple[int, ...], c: float, own: np.ndarray) -> None:
            begin = time.perf_counter()
            wide = len(values) < len(self.columns(layers))
            classifier = self.new_classifier(c, wide, seed)
            guesses = cross_val_predict(classifier, own, labels, groups=speakers, cv=groups)
            uar = recall_score(labels, guesses, average="macro")
            seconds = round(time.perf_counter() - begin, 3)
            entry = {"layers": list(layers), "C": c, "uar": float(uar), "seconds": seconds}
            log.append({**entry, "chosen": False})

        runs = layer_runs(self.num_layers)
        middle = self.c_values[len(self.c_values) // 2]
        for layers in runs if len(runs) > 1 else ():
            attempt(layers, middle, rotated(standardised[:, self.columns(layers)])[0])
        layers = tuple(_best(log)["layers"]) if log else runs[0]
        columns = self.columns(layers)
        own, axes = rotated(standardised[:, columns])
        for c in self.c_values:
            if not any(entry["layers"] == list(layers) and entry["C"] == c for entry in log):
                attempt(layers, c, own)
        chosen = _best([entry for entry in log if entry["layers"] == list(layers)])
        chosen["chosen"] = True
        fitted = self.new_classifier(chosen["C"], len(values) < len(columns), seed)
        fitted.fit(own, labels)
        coefficients, intercepts = fitted.coef_, fitted.intercept_
        if len(fitted.classes_) == 2:  # they share one hyperplane, whose value is their difference
            coefficients = np.concatenate([-coefficients, coefficients]) / 2
            intercepts = np.concatenate([-intercepts, intercepts]) / 2
        whole = np.zeros((len(coefficients), values.shape[1]))
        whole[:, columns] = coefficients if axes is None else coefficients @ axes
        self.mean.copy_(torch.from_numpy(scaler.mean_))
        self.scale.copy_(torch.from_numpy(scaler.scale_))
        self.intercepts.fill_(-torch.inf)  # of a class without a training utterance
        places = torch.from_numpy(fitted.classes_)
        self.coefficients[places] = torch.from_numpy(whole)
        self.intercepts[places] = torch.from_numpy(intercepts)
        return log

    def columns(self, layers: tuple[int, ...]) -> np.ndarray:
        """Return the dimensions that belong to some layers."""
        width = len(self.mean) // self.num_layers
        return np.concatenate([np.arange(layer * width, (layer + 1) * width) for layer in layers])


class SVM(Linear):
    """Its logits are decision values (of two classes, half of them, with either sign).

    Their order is all that UAR, WAR and F1 ask for.
    """

    def new_classifier(self, c: float, wide: bool, seed: int) -> Any:
        from sklearn.svm import LinearSVC

        # which of its two forms is solved faster
        return LinearSVC(C=c, dual=wide, max_iter=MAX_ITERATIONS, random_state=seed)


class Logistic(Linear):
    """Its logits are those of probabilities."""

    def new_classifier(self, c: float, wide: bool, seed: int) -> Any:
        from sklearn.linear_model import LogisticRegression

        return LogisticRegression(C=c, class_weight="balanced", max_iter=MAX_ITERATIONS)


def rotated(values: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Turn (N, F) standardised values with F above N to N axes; else they stay.

    The same classifier in a tenth of the time, since its coefficients lie in the space that the
    utterances span.

    Returns:
        The values, and the axes (N, F) or None.
    """
    from sklearn.decomposition import PCA

    if values.shape[1] <= len(values):
        return values, None
    rotation = PCA().fit(values)  # the mean is 0 already
    return values @ rotation.components_.T, rotation.components_


def layer_runs(num_layers: int) -> list[tuple[int, ...]]:
    """Return what may be chosen of so many layers: each alone, and neighbours together."""
    runs = [(layer,) for layer in range(num_layers)]
    if num_layers >= NEIGHBOURS:
        runs += [
            tuple(range(first, first + NEIGHBOURS)) for first in range(num_layers - NEIGHBOURS + 1)
        ]
    return runs


def _best(log: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the entry of the highest UAR; of equals the smallest C, then the first."""
    return max(log, key=lambda entry: (entry["uar"], -entry["C"]))
