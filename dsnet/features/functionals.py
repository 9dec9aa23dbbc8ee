"""openSMILE functionals: one vector an utterance.

Sources: eGeMAPSv02: Eyben et al. 2016, doi 10.1109/TAFFC.2015.2457417; ComParE_2016: Schuller et
al. 2016, doi 10.21437/Interspeech.2016-129.
"""

from dataclasses import dataclass, field
from functools import cached_property
from types import ModuleType

import numpy as np
import torch
from torch import Tensor

from dsnet.errors import FeatureError
from dsnet.features.extractor import Extractor, check_compression, check_speeds

DIMS = {"eGeMAPSv02": 88, "ComParE_2016": 6373}
LOUDEST = 1 - 2**-15  # openSMILE turns samples into int16, where 1.0 would become -1.0


@dataclass
class FunctionalsConfig:
    """Which functionals.

    `feature_set` is openSMILE's name of a set; sampling_rate is what the networks hear too.
    `speeds` are factors at which every utterance is computed once more (see `check_speeds`).
    """

    kind: str = "opensmile"
    feature_set: str = "ComParE_2016"
    sampling_rate: int = 16000
    compression_method: int = 0
    speeds: list[float] = field(default_factory=list)

    def check(self) -> None:
        if self.feature_set not in DIMS:
            raise ValueError(f"feature_set is '{self.feature_set}'; allowed: {', '.join(DIMS)}")
        check_compression(self.compression_method, one_vector=True)
        check_speeds(self.speeds)


class Functionals(Extractor):
    """Functionals of a whole utterance; T = 1.

    Raises:
        FeatureError: openSMILE is not installed.
    """

    kind = "opensmile"
    frame_shift_ms = None

    def __init__(self, name: str, config: FunctionalsConfig):
        self.name, self.config = name, config
        self.sampling_rate = config.sampling_rate
        self.dim = DIMS[config.feature_set]
        self._opensmile = _import_opensmile()

    @cached_property
    def _smile(self):
        return self._opensmile.Smile(
            self._opensmile.FeatureSet[self.config.feature_set],
            self._opensmile.FeatureLevel.Functionals,
        )

    def num_frames(self, num_samples: int) -> int:
        return 1

    def __call__(self, samples: Tensor) -> Tensor:
        values = self._smile(samples.clamp(-1, LOUDEST).numpy(), self.sampling_rate)[0, :, 0]
        if not np.isfinite(values).all():  # also how openSMILE says "too short"
            raise FeatureError(
                f"{len(samples) / self.sampling_rate:.3f} s: "
                f"{np.count_nonzero(~np.isfinite(values))} of {len(values)} functionals are not "
                "finite; is it too short or silent? Leave it out in stage 0"
            )
        return torch.from_numpy(values)[None].float()

    def libraries(self) -> dict[str, str]:
        return {"opensmile": self._opensmile.__version__}


def _import_opensmile() -> ModuleType:
    try:
        import opensmile
    except ImportError as error:
        raise FeatureError(
            f"openSMILE, which computes functionals, is not there ({error}); install it with "
            "`. path.sh && python -m pip install -e '.[opensmile]'` in the root of the project"
        ) from error
    return opensmile
