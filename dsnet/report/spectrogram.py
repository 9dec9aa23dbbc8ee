"""Sound as something that a page can hold: a spectrogram to look at, a clip to play.

Axes: N samples, T frames, F mel bins.
"""

import base64
import dataclasses
import io

import matplotlib.image
import numpy as np
import soundfile
import torch

from dsnet.features.fbank import FbankConfig, compute_fbank
from dsnet.features.resample import resample

RATE = 16000  # Hz, of the player
COLUMNS = 1500  # of a picture, at most; a screen shows no more
DYNAMIC_RANGE = 14.0  # nats, 60 dB: what lies that far below the loudest is as dark as silence


def spectrogram_uri(
    samples: np.ndarray, sampling_rate: int, config: FbankConfig, columns: int = COLUMNS
) -> str:
    """Return a PNG of the log-mel energies as a data URI, low pitches at the bottom.

    Args:
        samples: (N,) in [-1, 1].
        sampling_rate: Hz.
        config: of the energies.
        columns: of the picture, at most; more frames are averaged.
    """
    # a frame for every shift, so that the picture ends where the sound does
    config = dataclasses.replace(config, use_log=True, snip_edges=False)
    heard = torch.from_numpy(resampled(samples, sampling_rate, config.sampling_rate))
    values = compute_fbank(heard, config).numpy().T  # (F, T)
    edges = np.linspace(0, values.shape[1], min(columns, values.shape[1]), endpoint=False)
    starts = edges.astype(int)
    values = np.add.reduceat(values, starts, 1) / np.diff([*starts, values.shape[1]])
    top = values.max()
    buffer = io.BytesIO()
    matplotlib.image.imsave(
        buffer,
        values,
        vmin=max(top - DYNAMIC_RANGE, values.min()),
        vmax=top,
        cmap="magma",
        origin="lower",
        format="png",
        metadata={"Software": None},
    )
    return data_uri("image/png", buffer.getvalue())


def sound_uri(samples: np.ndarray, sampling_rate: int) -> str:
    """Return sound at RATE as a WAV file in a data URI.

    Args:
        samples: (N,) in [-1, 1].
        sampling_rate: Hz.
    """
    buffer = io.BytesIO()
    played = resampled(samples, sampling_rate, RATE)
    soundfile.write(buffer, played, RATE, subtype="PCM_16", format="WAV")
    return data_uri("audio/wav", buffer.getvalue())


def resampled(samples: np.ndarray, source_rate: int, target_rate: int) -> np.ndarray:
    """Return sound at another rate, as long as before."""
    wanted = round(len(samples) * target_rate / source_rate)
    return resample(torch.from_numpy(samples), source_rate, target_rate, wanted).numpy()


def data_uri(kind: str, content: bytes) -> str:
    """Return a file as a URI that holds it."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
