"""The one interface of everything that turns an utterance into features.

Axes: T frames, F dimensions.
"""

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor


def at_speed(utt_id: str, speed: float) -> str:
    """Return the id of an utterance played faster by a factor, as Lhotse forms it."""
    return utt_id if speed == 1 else f"{utt_id}_sp{speed}"


def check_speeds(speeds: list[float]) -> None:
    """Make sure that these can be the `speeds` of a config.

    They are the factors at which every utterance is computed once more, higher and faster or lower
    and slower, like other voices. Training draws among these copies and the utterance as it is; a
    decision is the mean over all of them (of log posteriors).

    Raises:
        ValueError: they cannot.
    """
    fit = [isinstance(s, float) and 0.5 <= s <= 2 and s == round(s, 2) for s in speeds]
    if not all(fit) or len({1, *speeds}) <= len(speeds):
        raise ValueError(
            "speeds must be different factors from 0.5 to 2, of two decimals at most, and not 1, "
            f"which is always there; found {speeds}"
        )


def check_compression(method: int, one_vector: bool) -> None:
    """Make sure that this can be the `compression_method` of a config, one of Kaldi's.

    Methods 4, 6 and 7 round to a grid that no features lie on. All but 0 share one range among the
    values of a matrix, or of a column; where an utterance is one vector, its smallest dimensions
    would vanish beside its largest.

    Args:
        method: 0 none, 1 automatic, 2 for features in 8 bits, 3 in 16 bits, 5 all in 8 bits.
        one_vector: whether an utterance is one vector.

    Raises:
        ValueError: it cannot.
    """
    if method not in (0, 1, 2, 3, 5):
        raise ValueError(f"compression_method must be 0, 1, 2, 3 or 5, found {method}")
    if method and one_vector:
        raise ValueError(
            f"compression_method must be 0 where an utterance is one vector, found {method}: "
            "Kaldi's other methods would round its small dimensions to nothing"
        )


class Extractor(ABC):
    """Computes one type of features.

    Attributes:
        name: of the type, such as fbank_64: its config file and its folder in data/.
        kind: a key of FEATURES.
        config: of the type, with `speeds` (see `check_speeds`) and `compression_method`; everything
            in it counts for the digest of the features.
        sampling_rate: Hz, of the samples that it takes.
        dim: F.
        frame_shift_ms: None: T is 1, one vector an utterance.
        num_layers: so many blocks of equal size, of one layer of an encoder each, make up F.
        storage: of the feature store: float32 or float16.
    """

    name: str
    kind: str
    config: Any
    sampling_rate: int
    dim: int
    frame_shift_ms: float | None
    num_layers: int = 1
    storage: str = "float32"

    @abstractmethod
    def num_frames(self, num_samples: int) -> int:
        """Return T of an utterance of `num_samples` at `sampling_rate`."""

    @abstractmethod
    def __call__(self, samples: Tensor) -> Tensor:
        """Compute the features of one utterance.

        Args:
            samples: (num_samples,) float in [-1, 1] at `sampling_rate`.

        Returns:
            (T, F) float32.

        Raises:
            FeatureError: nothing can be computed, such as for too short an utterance.
        """

    @property
    def all_speeds(self) -> list[float]:
        """Return the factors of speed at which an utterance is computed, 1 first."""
        return [1, *self.config.speeds]

    def to(self, device: torch.device) -> "Extractor":
        """Compute there, if it makes a difference; returns itself."""
        return self

    @property
    def device(self) -> str:
        """Return where it computes: cpu or cuda."""
        return "cpu"

    def files(self) -> dict[str, str]:
        """Return what tells whether the files that it is made of were replaced, by name."""
        return {}

    def libraries(self) -> dict[str, str]:
        """Return versions of libraries that decide about the values, by name."""
        return {}

    def identity(self) -> dict[str, str]:
        """Return all that changes the values beside the config: libraries, weights."""
        return self.libraries()
