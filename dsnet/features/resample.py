"""Other sampling rates.

The filter is that of "kaiser best": 64 zero crossings on each side, 80 dB down beyond the new half
sampling rate.
"""

from functools import lru_cache
from math import gcd

import numpy as np
import torch
import torchaudio

ZERO_CROSSINGS = 64
ROLLOFF = 0.9475937167399596
BETA = 14.769656459379492
MOST_PHASES = 1000  # torchaudio keeps a whole filter for each phase, and applies all of them


@lru_cache(8)
def resampler(source_rate: int, target_rate: int) -> torchaudio.transforms.Resample:
    """Return the filter of `resample`, for rates whose ratio it takes."""
    return torchaudio.transforms.Resample(
        source_rate,
        target_rate,
        resampling_method="sinc_interp_kaiser",
        lowpass_filter_width=ZERO_CROSSINGS,
        rolloff=ROLLOFF,
        beta=BETA,
    )


@lru_cache(8)
def _low_pass(up: int, down: int) -> np.ndarray:
    from scipy.signal import firwin  # takes a third of a second to import, and is seldom needed

    slower = max(up, down)
    half = round(ZERO_CROSSINGS / ROLLOFF * slower)
    return firwin(2 * half + 1, ROLLOFF / slower, window=("kaiser", BETA))


def resample(
    samples: torch.Tensor, source_rate: int, target_rate: int, num_samples: int
) -> torch.Tensor:
    """Return (num_samples,) samples at `target_rate`, low-passed so that nothing is folded back.

    `num_samples` is the length rounded to the nearest sample, as Lhotse rounds it; the filter
    itself rounds up.
    """
    if source_rate == target_rate:
        return samples[:num_samples]
    divisor = gcd(source_rate, target_rate)
    up, down = target_rate // divisor, source_rate // divisor
    if max(up, down) > MOST_PHASES:  # such as 16001 Hz
        from scipy.signal import resample_poly

        found = resample_poly(samples.double().numpy(), up, down, window=_low_pass(up, down))
        return torch.from_numpy(found).float()[:num_samples]
    return resampler(source_rate, target_rate)(samples)[:num_samples]


def rate_at(sampling_rate: int, speed: float) -> int:
    """Return the rate, in Hz, at which samples must be played to be faster by a factor."""
    return round(sampling_rate * speed)
