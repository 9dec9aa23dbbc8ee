"""Other sampling rates."""

from functools import lru_cache

import torch
import torchaudio


@lru_cache
def _resampler(source_rate: int, target_rate: int) -> torchaudio.transforms.Resample:
    # torchaudio's settings for "kaiser best": 80 dB down beyond the new half sampling rate
    return torchaudio.transforms.Resample(
        source_rate,
        target_rate,
        resampling_method="sinc_interp_kaiser",
        lowpass_filter_width=64,
        rolloff=0.9475937167399596,
        beta=14.769656459379492,
    )


def resample(
    samples: torch.Tensor, source_rate: int, target_rate: int, num_samples: int
) -> torch.Tensor:
    """Return (num_samples,) samples at `target_rate`, low-passed so that nothing is folded back.

    `num_samples` is the length rounded to the nearest sample, as Lhotse rounds it; the filter
    itself rounds up.
    """
    if source_rate == target_rate:
        return samples[:num_samples]
    return _resampler(source_rate, target_rate)(samples)[:num_samples]
