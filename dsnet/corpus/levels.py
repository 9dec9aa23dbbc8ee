"""Levels of samples: what no system can use, and what a person should look at."""

from pathlib import Path

import numpy as np

from dsnet.corpus.sound import BadAudio, NoSignal

FULL_SCALE = 0.99  # of 1.0; the largest sample of 8-bit audio is 0.992
MAX_CLIPPED = 0.01  # of the samples
MOST = 16.0  # no float recording overshoots full scale so far; one of integers without scale does
LOUD = 2.0  # lossy codecs and float recordings overshoot full scale a little
INAUDIBLE = 1e-3  # of full scale: -60 dB
WEAK = 1e-2  # of the level of another channel: -40 dB
WEAKER = f"{-20 * np.log10(WEAK):.0f} dB weaker than another channel of the file"


class EmptyChannel(NoSignal):
    """Samples that are all the same, while another channel has signal."""


def check_samples(samples: np.ndarray, name: Path | str, channel: str = "") -> None:
    """Raise BadAudio for samples that are not numbers, all the same, or far beyond full scale.

    Args:
        samples: (num_samples,).
        name: of what they are from.
        channel: such as " of channel 0", where there are several.
    """
    low, high = samples.min(), samples.max()
    if not np.isfinite(low + high):
        raise BadAudio(f"{name}: holds samples that are not finite (NaN or infinity)")
    if low == high:
        raise NoSignal(f"{name}: no signal: every sample{channel} is {low:g}")
    peak = max(high, -low)
    if peak > MOST:
        raise BadAudio(
            f"{name}: samples reach {peak:g}; full scale is 1. Are they 16-bit integers stored as "
            "floats? Divide them by 32768"
        )


def check_channel(
    samples: np.ndarray, channels: np.ndarray, channel: int | list[int], name: Path | str
) -> None:
    """Do what `check_samples` does, and name the other channels if there lies the signal.

    Args:
        samples: (num_samples,) what is taken.
        channels: (num_samples, C) all channels of the file.
        channel: the one that is taken, or those that are averaged.
        name: of the file.

    Raises:
        EmptyChannel: the samples are all the same, and those of another channel are not.
        BadAudio: as `check_samples`.
    """
    several = channels.shape[1] > 1
    taken = f"the mean of channels {channel}" if isinstance(channel, list) else f"channel {channel}"
    try:
        check_samples(samples, name, f" of {taken}" if several else "")
    except NoSignal as error:
        others = [str(c) for c in np.flatnonzero(np.ptp(channels, axis=0) > 0)]
        if not others:
            raise
        raise EmptyChannel(
            f"{error}, but there is signal on channel {' and '.join(others)}; choose it for this "
            "file, or for all (egs/README.md, Channels)"
        ) from error


def remarks(samples: np.ndarray) -> list[str]:
    """Return what is unusual about the level of (num_samples,) samples, in words.

    >>> remarks(np.array([0.0, 1e-4]))
    ['inaudible: the peak is below -60 dB of full scale']
    """
    low, high = float(samples.min()), float(samples.max())
    peak = max(high, -low)
    found = []
    if peak >= FULL_SCALE and (np.abs(samples) >= 0.999 * peak).mean() > MAX_CLIPPED:
        found.append(f"clipped: over {MAX_CLIPPED:.0%} of the samples are at full scale")
    if peak > LOUD:
        found.append(f"too loud: samples reach more than {LOUD:g}, and full scale is 1")
    if (high - low) / 2 < INAUDIBLE:  # a constant is not heard
        found.append(
            f"inaudible: the peak is below {20 * np.log10(INAUDIBLE):.0f} dB of full scale"
        )
    return found


def is_weak(samples: np.ndarray, channels: np.ndarray) -> bool:
    """Say whether another channel is 40 dB louder than what is taken, so has the voice.

    The mean of two channels is that weak, too, if one is the other upside down.

    Args:
        samples: (num_samples,) what is taken.
        channels: (num_samples, C) all channels of the file.
    """
    return channels.shape[1] > 1 and bool(samples.std() < WEAK * channels.std(axis=0).max())
