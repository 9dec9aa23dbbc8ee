"""Log-mel filterbank as Kaldi defines it.

Axes: T frames, F mel bins.
"""

from dataclasses import dataclass, field

import torch
from torchaudio.compliance import kaldi

from dsnet.errors import FeatureError
from dsnet.features.extractor import Extractor, check_compression, check_speeds

MAX_INT16 = 32768.0  # Kaldi takes samples in the range of 16-bit integers


@dataclass
class FbankConfig:
    """How features are computed; everything here changes their digest.

    `high_freq_hz` 0 means half the sampling rate. With `snip_edges` only frames that fit whole into
    the utterance are kept; without, there is one for every shift and the edges are mirrored.
    `compression_method` is Kaldi's: 0 none (float32), 2 for features in 8 bits, 3 in 16 bits (see
    `check_compression`).
    `speeds` are factors at which every utterance is computed once more (see `check_speeds`).
    """

    kind: str = "fbank"
    sampling_rate: int = 16000
    num_mel_bins: int = 80
    low_freq_hz: float = 0.0
    high_freq_hz: float = 8000.0
    frame_length_ms: float = 40.0
    frame_shift_ms: float = 10.0
    window: str = "hamming"
    preemphasis: float = 0.97
    remove_dc: bool = True
    use_power: bool = True
    use_log: bool = True
    snip_edges: bool = False
    compression_method: int = 0
    speeds: list[float] = field(default_factory=list)

    @property
    def window_samples(self) -> int:
        """Length of a frame."""
        return int(self.sampling_rate * self.frame_length_ms * 0.001)

    @property
    def shift_samples(self) -> int:
        """Distance of two frames."""
        return round(self.sampling_rate * self.frame_shift_ms / 1000)

    def check(self) -> None:
        nyquist = self.sampling_rate / 2
        if self.sampling_rate < 1000:
            raise ValueError(
                f"sampling_rate must be in Hz, 1000 or more; found {self.sampling_rate}"
            )
        if not 0 <= self.high_freq_hz <= nyquist:
            raise ValueError(
                f"high_freq_hz must be between 0 and {nyquist:g}, half the sampling rate "
                f"(0 means just that); found {self.high_freq_hz:g}"
            )
        if not 0 <= self.low_freq_hz < (self.high_freq_hz or nyquist):
            raise ValueError(
                f"low_freq_hz must be 0 or more and below high_freq_hz; found {self.low_freq_hz:g}"
            )
        if self.window not in kaldi.WINDOWS:
            raise ValueError(f"window is '{self.window}'; allowed: {', '.join(kaldi.WINDOWS)}")
        if not 0 <= self.preemphasis <= 1:
            raise ValueError(f"preemphasis must be between 0 and 1, found {self.preemphasis:g}")
        check_compression(self.compression_method, one_vector=False)
        check_speeds(self.speeds)
        self._check_frames()
        if self.num_mel_bins < 4:
            raise ValueError(f"num_mel_bins must be 4 or more, found {self.num_mel_bins}")
        empty = int((mel_banks(self).sum(1) == 0).sum())
        if empty:
            raise ValueError(
                f"num_mel_bins {self.num_mel_bins} is too many for frames of "
                f"{self.frame_length_ms:g} ms: {empty} bins lie between two lines of the spectrum"
            )

    def _check_frames(self) -> None:
        shift = self.sampling_rate * self.frame_shift_ms / 1000
        # Lhotse asks for whole samples; torchaudio rounds down, which float errors can upset
        down = int(self.sampling_rate * self.frame_shift_ms * 0.001)
        if shift < 1 or abs(shift - round(shift)) > 1e-9 or down != self.shift_samples:
            raise ValueError(
                f"frame_shift_ms must be a whole number of samples at {self.sampling_rate} Hz; "
                f"{self.frame_shift_ms:g} ms is {shift:g} samples"
            )
        if self.window_samples < max(2, self.shift_samples):
            raise ValueError(
                f"frame_length_ms must be frame_shift_ms ({self.frame_shift_ms:g}) or more, "
                f"found {self.frame_length_ms:g}"
            )


def mel_banks(config: FbankConfig) -> torch.Tensor:
    """Return the (F, spectrum lines) weights of the mel filters."""
    padded = 1 << (config.window_samples - 1).bit_length()
    return kaldi.get_mel_banks(
        config.num_mel_bins,
        padded,
        float(config.sampling_rate),
        config.low_freq_hz,
        config.high_freq_hz,
        100.0,  # these three warp the vocal tract; a factor of 1.0 does not
        -500.0,
        1.0,
    )[0]


def num_frames(config: FbankConfig, num_samples: int) -> int:
    """Return how many frames an utterance of `num_samples` at the config's sampling rate has."""
    if config.snip_edges:
        return max(0, 1 + (num_samples - config.window_samples) // config.shift_samples)
    return (num_samples + config.shift_samples // 2) // config.shift_samples


def compute_fbank(samples: torch.Tensor, config: FbankConfig) -> torch.Tensor:
    """Compute the filterbank features of one utterance.

    Args:
        samples: (num_samples,) float in [-1, 1] at the config's sampling rate.
        config: what to compute.

    Returns:
        (T, F) float32; natural logarithms unless `use_log` is off.

    Raises:
        FeatureError: the utterance is shorter than one frame.
    """
    if len(samples) < config.window_samples:
        raise FeatureError(
            f"{len(samples)} samples at {config.sampling_rate} Hz are less than one frame of "
            f"{config.frame_length_ms:g} ms ({config.window_samples} samples); shorten "
            "frame_length_ms or leave the utterance out"
        )
    return kaldi.fbank(
        samples[None].float() * MAX_INT16,
        sample_frequency=float(config.sampling_rate),
        num_mel_bins=config.num_mel_bins,
        low_freq=config.low_freq_hz,
        high_freq=config.high_freq_hz,
        frame_length=config.frame_length_ms,
        frame_shift=config.frame_shift_ms,
        window_type=config.window,
        preemphasis_coefficient=config.preemphasis,
        remove_dc_offset=config.remove_dc,
        use_power=config.use_power,
        use_log_fbank=config.use_log,
        snip_edges=config.snip_edges,
        dither=0.0,
    )


class Fbank(Extractor):
    """Log-mels as an FbankConfig says."""

    kind = "fbank"

    def __init__(self, name: str, config: FbankConfig):
        self.name, self.config = name, config
        self.sampling_rate = config.sampling_rate
        self.dim = config.num_mel_bins
        self.frame_shift_ms = config.frame_shift_ms

    def num_frames(self, num_samples: int) -> int:
        return num_frames(self.config, num_samples)

    def __call__(self, samples: torch.Tensor) -> torch.Tensor:
        return compute_fbank(samples, self.config)
