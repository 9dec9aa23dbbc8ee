"""Fingerprints of speech: what is left of a recording when it is trimmed, scaled and compressed.

A landmark is a peak of loudness, about five a second. Its print, 256 bits, says of 16 times around
it and 16 pairs of neighbouring mel bands whether the upper band gained on the lower one within
30 ms. Landmarks move with the speech, so it does not matter where a copy begins; differences of
logarithms know no gain and no filter; and the bands end at 3400 Hz, which 8 kHz audio has, too.

Axes: N samples, T frames of 10 ms, L landmarks.
"""

import base64

import numpy as np
from scipy.fft import rfft

WINDOW, SHIFT = 0.04, 0.01  # seconds
LOWEST, HIGHEST, BANDS = 250.0, 3400.0, 17  # Hz; mel-spaced
ENOUGH = 20_000  # Hz; rates from here on are halved
STEP = 3  # frames between two times of a print, and from a frame to that with which it is compared
TIMES = np.arange(-23, 23, STEP)  # frames around a landmark
REACH = 26  # frames that a print needs on either side
SMOOTH, APART = 5, 9  # frames: loudness is averaged over, in which a landmark is the loudest
QUIET = 1e-3  # of the loudest frame: no landmark below
FLOOR = 1e-8  # of the strongest band: its logarithm is not that of rounding
EVEN = (64, 192)  # ones in a print: a tone that does not change has none, and says nothing
BITS = 256
BLOCK = 6000  # frames at once: a minute
ROW = np.dtype([("frame", "<u4"), ("print", "u1", BITS // 8)])


def fingerprint(samples: np.ndarray, sampling_rate: int) -> str:
    """Return the fingerprint of (N,) samples as text: base64 of 36 bytes a landmark.

    It is empty for less than 0.6 s, and may be for less than a second.
    """
    bands = _bands(samples, float(sampling_rate))  # (T, BANDS)
    rows = np.zeros(0, ROW)
    if len(bands) > 2 * REACH:
        at = _landmarks(bands.sum(axis=1))
        gains = np.diff(np.log(bands + FLOOR * bands.max() + 1e-30), axis=1)  # (T, BANDS - 1)
        # (L, times, BANDS - 1)
        bits = gains[at[:, None] + TIMES] > gains[at[:, None] + TIMES - STEP]
        bits = bits.reshape(len(at), BITS)
        says = (bits.sum(axis=1) >= EVEN[0]) & (bits.sum(axis=1) <= EVEN[1])
        rows = np.zeros(says.sum(), ROW)
        rows["frame"], rows["print"] = at[says], np.packbits(bits[says], axis=1)
    return base64.b64encode(rows.tobytes()).decode()


def read_fingerprint(text: str) -> tuple[np.ndarray, np.ndarray]:
    """Return frames (L,) of landmarks and their prints (L, 32) uint8."""
    rows = np.frombuffer(base64.b64decode(text), ROW)
    return rows["frame"].astype(np.int64), rows["print"]


def _bands(samples: np.ndarray, rate: float) -> np.ndarray:
    """Return the energies (T, BANDS) of mel bands; T is 0 for less than a window."""
    samples = samples.astype("float32", copy=False)
    while rate >= ENOUGH:
        samples, rate = _halve(samples), rate / 2
    size = round(WINDOW * rate)
    if len(samples) < size:
        return np.zeros((0, BANDS), "float32")
    filters = _filters(rate, size)
    window = np.hanning(size).astype("float32")
    starts = np.arange(0, len(samples) - size + 1, SHIFT * rate).astype(int)
    frames = np.lib.stride_tricks.sliding_window_view(samples, size)
    blocks = []
    for first in range(0, len(starts), BLOCK):
        some = frames[starts[first : first + BLOCK]] * window
        spectra = rfft(some, axis=1)[:, : len(filters)]
        blocks.append((spectra.real**2 + spectra.imag**2) @ filters)
    return np.concatenate(blocks)


def _halve(samples: np.ndarray) -> np.ndarray:
    """Return samples of half the rate; what would fold to below 3400 Hz is 33 dB weaker."""
    even, odd = samples[: len(samples) // 2 * 2].reshape(-1, 2).T
    outer, inner = even[:-2] + odd[2:], odd[:-2] + even[2:]
    return (outer + 5 * inner + 10 * (even[1:-1] + odd[1:-1])) / 32


def _filters(rate: float, size: int) -> np.ndarray:
    """Return triangles (frequencies of a spectrum, BANDS), evenly spaced in mel."""
    mels = np.linspace(*(2595 * np.log10(1 + hz / 700) for hz in (LOWEST, HIGHEST)), BANDS + 2)
    edges = 700 * (10 ** (mels / 2595) - 1)
    hertz = np.arange(min(int(HIGHEST * size / rate) + 2, size // 2 + 1))[:, None] * rate / size
    rising = (hertz - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - hertz) / np.diff(edges)[1:]
    return np.maximum(0, np.minimum(rising, falling)).astype("float32")


def _landmarks(energies: np.ndarray) -> np.ndarray:
    """Return the frames (L,) that are the loudest of those around them, but for the edges."""
    loudness = np.convolve(energies, np.ones(SMOOTH), "same")
    around = np.lib.stride_tricks.sliding_window_view(np.pad(loudness, APART // 2), APART)
    peaks = (loudness == around.max(axis=1)) & (loudness > QUIET * loudness.max())
    at = np.flatnonzero(peaks)
    return at[(at >= REACH) & (at < len(energies) - REACH)]
