"""Hidden states of a frozen pretrained encoder: Whisper, WavLM, HuBERT, wav2vec 2.0, data2vec.

Hidden states are numbered as they enter the layers: state 0 is what the first of L layers takes,
state k what layer k gives. Where an encoder ends in a layer norm, state L is behind it.

Utterances are encoded one by one, never padded: padding changes hidden states (group norm over time
in wav2vec 2.0 and its kin, 30 s of silence in Whisper). Audio of more than 30 s is encoded in
windows of 30 s that overlap by 5 s, of which each gives the half that lies nearer to it.
Axes: T frames, L layers, D hidden size, F dimensions.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from dsnet.errors import FeatureError
from dsnet.features.extractor import Extractor, check_compression, check_speeds
from dsnet.features.stored_encoder import StoredEncoder

WINDOW_SECONDS, OVERLAP_SECONDS = 30, 5
SAMPLING_RATE = 16000  # of all of them


@dataclass
class PretrainedConfig:
    """Which encoder, and what is kept of it.

    model: name on the Hugging Face hub, or a folder that holds what a repository there does.
    revision: commit on the hub.
    layers: numbers of hidden states, 0 to L; empty: all of them.
    combine: mean (F = D) or concat (F = D for each, side by side; encoder kind frames learns a
        weight for each).
    pooling: none; statistics: one vector an utterance, of each layer mean and standard deviation
        over time (F = 2D for each).
    precision: float32, or bfloat16 for speed on a GPU.
    storage: of the feature store: float16 or float32.
    speeds: factors of speed at which every utterance is encoded once more (see `check_speeds`).
    """

    kind: str = "pretrained"
    model: str = "openai/whisper-base"
    revision: str = "main"
    layers: list[int] = field(default_factory=list)
    combine: str = "mean"
    pooling: str = "none"
    precision: str = "float32"
    storage: str = "float16"
    compression_method: int = 0
    speeds: list[float] = field(default_factory=list)

    def check(self) -> None:
        allowed = {
            "combine": ("mean", "concat"),
            "pooling": ("none", "statistics"),
            "precision": ("float32", "bfloat16"),
            "storage": ("float16", "float32"),
        }
        for name, values in allowed.items():
            if getattr(self, name) not in values:
                found = getattr(self, name)
                raise ValueError(f"{name} is '{found}'; allowed: {', '.join(values)}")
        if self.layers != sorted(set(self.layers)) or min(self.layers, default=0) < 0:
            raise ValueError(f"layers must be numbers from 0, rising, found {self.layers}")
        check_speeds(self.speeds)
        if self.pooling == "statistics" and self.combine == "mean":
            raise ValueError("pooling statistics keeps every layer: set combine to concat")
        check_compression(self.compression_method, self.pooling != "none")


class Pretrained(Extractor):
    """Hidden states of some layers, or their statistics over time.

    Raises:
        FeatureError: transformers is not installed, or the weights are not there.
    """

    kind = "pretrained"
    sampling_rate = SAMPLING_RATE

    def __init__(self, name: str, config: PretrainedConfig):
        self.name, self.config = name, config
        self._stored = StoredEncoder(config.model, config.revision)
        self._device = torch.device("cpu")
        depth = self._stored.depth
        self.layers = config.layers or list(range(depth + 1))
        if self.layers[-1] > depth:
            raise FeatureError(
                f"features {name}: no hidden state {self.layers[-1]}; {config.model} has 0 to "
                f"{depth} (conf/features: layers)"
            )
        kept = 1 if config.combine == "mean" and config.pooling == "none" else len(self.layers)
        self.num_layers = kept
        self.dim = kept * self._stored.settings.hidden_size
        self.storage = config.storage
        self.frame_shift_ms = 1000 * self._stride / SAMPLING_RATE
        if config.pooling == "statistics":
            self.frame_shift_ms = None
            self.dim *= 2

    @cached_property
    def _stride(self) -> int:
        """Return samples from frame to frame."""
        if self._stored.is_whisper:
            return 2 * self._stored.front.hop_length
        stride = 1
        for one in self._stored.settings.conv_stride:
            stride *= one
        return stride

    @cached_property
    def _whole(self) -> nn.Module:
        return self._stored.load()

    @cached_property
    def _identity(self) -> dict[str, str]:
        return self._stored.identity(self._whole)

    @cached_property
    def _model(self) -> nn.Module:
        """Return the encoder up to the last layer that is asked for."""
        _ = self._identity  # of all layers
        model, last = self._whole, self.layers[-1]
        stack = self._stored.stack(model)
        if last < len(stack.layers):
            del stack.layers[max(last, 1) :]  # state 0 is seen as the input of the first
            if self._stored.ends_in_norm:
                stack.layer_norm = nn.Identity()
        return model

    def files(self) -> dict[str, str]:
        return self._stored.files()

    def libraries(self) -> dict[str, str]:
        return {"transformers": self._stored.transformers.__version__}

    def identity(self) -> dict[str, str]:
        return {**self._identity, **self.libraries()}

    def to(self, device: torch.device) -> "Pretrained":
        self._device = device
        return self

    @property
    def device(self) -> str:
        return self._device.type

    def num_frames(self, num_samples: int) -> int:
        return 1 if self.frame_shift_ms is None else self._num_frames(num_samples)

    def _num_frames(self, num_samples: int) -> int:
        if self._stored.is_whisper:
            return (num_samples // self._stored.front.hop_length + 1) // 2
        for kernel, stride in zip(
            self._stored.settings.conv_kernel, self._stored.settings.conv_stride, strict=True
        ):
            num_samples = (num_samples - kernel) // stride + 1
        return num_samples

    @torch.inference_mode()
    def __call__(self, samples: Tensor) -> Tensor:
        if len(samples) < 2 * self._stride or self._num_frames(len(samples)) < 1:
            raise FeatureError(
                f"{len(samples) / SAMPLING_RATE:.3f} s: too short for {self.config.model}; leave "
                "it out in stage 0"
            )
        if not self._stored.is_whisper and self._stored.front.do_normalize:  # large models want it
            samples = (samples - samples.mean()) / (samples.var(correction=0) + 1e-7).sqrt()
        states = self._all_states(samples.to(self._device))  # (L, T, D)
        if self.config.pooling == "statistics":
            both = [states.mean(1), states.std(1, correction=0)]
            feats = torch.stack(both, 1).flatten()[None]
        elif self.config.combine == "mean":
            feats = states.mean(0)
        else:
            feats = states.transpose(0, 1).flatten(1)
        feats = feats.cpu()
        if not feats.isfinite().all():
            raise FeatureError(
                f"hidden states of {self.config.model} are not finite (precision "
                f"{self.config.precision}); are its weights whole, and the audio numbers?"
            )
        if not feats.to(getattr(torch, self.storage)).isfinite().all():
            raise FeatureError(
                f"hidden states of up to {float(feats.abs().max()):g} do not fit into "
                f"{self.storage} (conf/features: set storage to float32)"
            )
        return feats

    def _all_states(self, samples: Tensor) -> Tensor:
        """Return (L, T, D) of the layers asked for, of windows if the utterance is long."""
        parts = []
        for start, end, first, last in self._windows(len(samples)):
            parts.append(self._states(samples[start:end])[:, first:last])
        return torch.cat(parts, 1)

    def _windows(self, num_samples: int) -> Iterator[tuple[int, int, int, int | None]]:
        """Yield each window: first and last sample, first and last frame that is kept of it."""
        window = WINDOW_SECONDS * SAMPLING_RATE
        hop = window - OVERLAP_SECONDS * SAMPLING_RATE
        half = OVERLAP_SECONDS * SAMPLING_RATE // self._stride // 2
        start = 0
        while True:
            end = min(start + window, num_samples)
            final = end == num_samples
            yield start, end, half if start else 0, None if final else hop // self._stride + half
            if final:
                return
            start += hop

    def _states(self, samples: Tensor) -> Tensor:
        """Return (L, T, D) of the layers asked for, of at most 30 s."""
        model = self._model.to(self._device)
        bf16 = self.config.precision == "bfloat16"
        heard = self._log_mels(samples) if self._stored.is_whisper else samples[None]
        with (
            torch.autocast(self._device.type, torch.bfloat16, enabled=bf16),
            torch.backends.cudnn.flags(allow_tf32=False),  # float32 means it on a GPU, too
        ):
            if self._stored.is_whisper:
                states = _whisper_states(model, heard)
            else:
                found = model(heard, output_hidden_states=True)
                # hidden_states[-1] is behind the final norm or not, by version of transformers
                states = [*found.hidden_states[:-1], found.last_hidden_state]
        return torch.stack([states[layer][0].float() for layer in self.layers])

    def _log_mels(self, samples: Tensor) -> Tensor:
        """Return (1, mel bins, frames of 10 ms) of the utterance alone, without padding."""
        mels = self._stored.front(
            samples.cpu().numpy(),
            sampling_rate=SAMPLING_RATE,
            padding="do_not_pad",
            return_tensors="pt",
        )
        return mels.input_features.to(self._device)


def _whisper_states(encoder: nn.Module, mels: Tensor) -> list[Tensor]:
    """Return every hidden state, (1, T, D), at the first T positions.

    transformers' own forward insists on 30 s.
    """
    x = gelu(encoder.conv2(gelu(encoder.conv1(mels)))).transpose(1, 2)
    x = x + encoder.embed_positions.weight[: x.shape[1]]
    states = [x]
    for layer in encoder.layers:
        x = layer(states[-1], None)
        states.append(x[0] if isinstance(x, tuple) else x)  # by version of transformers
    states[-1] = encoder.layer_norm(states[-1])
    return states
