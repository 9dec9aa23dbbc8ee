"""Upper layers of a pretrained encoder, trained on a state that stage 1 stored.

Features are state k, which the frozen layers below gave once; here layers k + 1 to m run in each
step and are trained: their weights, or low-rank adapters beside frozen weights (LoRA). What is
frozen is loaded from the encoder's files when a network is built, and is no part of what is saved.
Layers keep the dropout that the encoder's settings name; none is ever left out (no layer drop).
Axes: B utterances, T frames, D hidden size, H heads.
"""

from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from dsnet.config import from_values
from dsnet.errors import ConfigError, FeatureError
from dsnet.features.pretrained import Pretrained, PretrainedConfig
from dsnet.features.stored_encoder import StoredEncoder
from dsnet.models.front_end import Features
from dsnet.models.masking import frame_mask

TARGETS = {  # what the linear maps are called, of Whisper and of wav2vec 2.0 and its kin
    "feed_forward": ["fc1", "fc2", "intermediate_dense", "output_dense"],
    "attention": ["q_proj", "k_proj", "v_proj", "out_proj"],
}


@dataclass
class FinetunedConfig:
    """What is trained of an encoder.

    last_layer: m, the last layer that is run; 0: the encoder's last.
    lora_rank: of the adapters; 0: the weights of the layers themselves are trained.
    lora_alpha: what adapters add is multiplied by lora_alpha / lora_rank.
    lora_targets: which maps of a layer have adapters: feed_forward, attention.
    learning_rate_factor: by which train.learning_rate is multiplied for what is trained here.

    Sources: Hu et al. 2021, LoRA, arXiv 2106.09685; Feng and Narayanan 2023, adapters of speech
    encoders for emotions, arXiv 2306.05350.
    """

    last_layer: int = 0
    lora_rank: int = 8
    lora_alpha: float = 16.0
    lora_targets: str = "feed_forward"
    learning_rate_factor: float = 0.1

    def check(self) -> None:
        for name in ("last_layer", "lora_rank"):
            if getattr(self, name) < 0:
                found = getattr(self, name)
                raise ValueError(f"encoder.finetuned.{name} must be 0 or above, found {found}")
        for name in ("lora_alpha", "learning_rate_factor"):
            if getattr(self, name) <= 0:
                found = getattr(self, name)
                raise ValueError(f"encoder.finetuned.{name} must be above 0, found {found:g}")
        if self.lora_targets not in TARGETS:
            raise ValueError(
                f"encoder.finetuned.lora_targets is '{self.lora_targets}'; allowed: "
                f"{', '.join(TARGETS)}"
            )


class FinetunedLayers(nn.Module):
    """State k of an encoder to its state m: (B, T, D) -> (B, T, D).

    Before a step of training, and with adapters too, that is what the frozen encoder says. Of audio
    of more than 30 s, these layers hear all at once, the features windows of it.

    Raises:
        ConfigError: features that are not one state, or layers that the encoder does not have.
        FeatureError: transformers or peft is not installed; the encoder's files are missing, or are
            not those by which the features were computed.
    """

    def __init__(self, config: FinetunedConfig, features: Features):
        super().__init__()
        self.learning_rate_factor = config.learning_rate_factor
        source, identity = _source(features)
        stored = StoredEncoder(source.model, source.revision)
        first, last = source.layers[0], config.last_layer or stored.depth
        if not first < last <= stored.depth:
            raise ConfigError(
                f"encoder.finetuned.last_layer is {config.last_layer or f'0, that is {last}'}; the "
                f"features '{features.name}' are state {first} of {source.model}, which has "
                f"{stored.depth} layers: expected a layer above {first}, {stored.depth} at most"
            )
        encoder = stored.load()
        _require_same(stored, encoder, identity, features.name)
        stack = stored.stack(encoder)
        self.kind = stored.settings.model_type
        self.layers = stack.layers[first:last]
        ends = stored.ends_in_norm and last == stored.depth
        self.norm = stack.layer_norm if ends else nn.Identity()
        # the first layer of a WavLM says how far apart frames are, to those above it, too
        self.distances = stack.layers[0].attention if self.kind == "wavlm" and first > 0 else None
        if config.lora_rank:
            self._add_adapters(config)
        else:
            self.layers.requires_grad_(True)
            self.norm.requires_grad_(True)
        self._frozen = {n: p for n, p in self.named_parameters() if not p.requires_grad}
        self.register_state_dict_post_hook(_without_frozen)
        self.register_load_state_dict_pre_hook(_with_frozen)

    def _add_adapters(self, config: FinetunedConfig) -> None:
        peft = _import_peft()
        if self.kind == "wavlm" and config.lora_targets == "attention":
            raise ConfigError(
                "encoder.finetuned.lora_targets is attention, but the attention of a WavLM takes "
                "weights without their adapters: set it to feed_forward"
            )
        there = {name.rpartition(".")[2] for name, _ in self.layers.named_modules()}
        wanted = peft.LoraConfig(
            r=config.lora_rank,
            lora_alpha=config.lora_alpha,
            target_modules=[name for name in TARGETS[config.lora_targets] if name in there],
        )
        peft.inject_adapter_in_model(wanted, self.layers)

    def forward(self, states: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return state m; padding does not change what is real.

        Args:
            states: (B, T, D), state k.
            lengths: (B,) int, frames before padding; None if there is no padding.
        """
        mask = None if lengths is None else frame_mask(lengths, states.shape[1])
        given: dict[str, Any] = {}
        if self.kind == "wavlm":
            given["attention_mask"] = None if mask is None else mask.long()
            given["position_bias"] = None if self.distances is None else self._bias(states)
        else:
            given["attention_mask"] = None if mask is None else _added(mask, states.dtype)
        for layer in self.layers:
            found = layer(states, **given)
            states = found[0] if isinstance(found, tuple) else found  # by version of transformers
            if self.kind == "wavlm":
                given["position_bias"] = found[1]
        return self.norm(states)

    def _bias(self, states: Tensor) -> Tensor:
        """Return (B * H, T, T), as a WavLM's first layer hands it on."""
        batch, frames, _ = states.shape
        return self.distances.compute_bias(frames, frames).repeat(batch, 1, 1)


def _added(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """Return what is added to attention's scores, (B, 1, 1, T), by a (B, T) mask."""
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill(
        ~mask, float("-inf")
    )[:, None, None]


def _without_frozen(
    module: FinetunedLayers, values: dict[str, Tensor], prefix: str, metadata: Any
) -> None:
    """Leave out of a state dict what is loaded from the encoder's files."""
    for name in module._frozen:
        del values[prefix + name]


def _with_frozen(
    module: FinetunedLayers, values: dict[str, Tensor], prefix: str, *rest: Any
) -> None:
    """Let a state dict that is loaded have what `_without_frozen` left out."""
    for name, value in module._frozen.items():
        values[prefix + name] = value


def _source(features: Features) -> tuple[PretrainedConfig, dict[str, str] | None]:
    """Return how features were computed, and the digests of the encoder that did; None: not yet."""
    if isinstance(features, Pretrained):
        config, identity = features.config, None
    else:
        config = from_values(features.config, PretrainedConfig, f"features {features.name}")
        identity = features.identity
    if len(config.layers) != 1 or config.pooling != "none":
        found = f"layers {config.layers or 'all'}, pooling {config.pooling}"
        raise ConfigError(
            f"encoder.kind finetuned goes on from one state of an encoder; the features "
            f"'{features.name}' have {found}. Name features such as whisper_base_layer2"
        )
    return config, identity


def _require_same(
    stored: StoredEncoder, encoder: nn.Module, wanted: dict[str, str] | None, name: str
) -> None:
    if wanted is None:
        return
    found = stored.identity(encoder)
    differing = [key for key, value in found.items() if wanted.get(key) != value]
    if differing:
        raise FeatureError(
            f"{stored.folder}: another encoder than the one that computed the features '{name}': "
            f"its {' and '.join(differing)} differ. Give the folder of that one (--models-dir, "
            f"DSNET_MODELS or --encoder; {stored.model}), or compute features and train anew "
            "(--stage 1)"
        )


def _import_peft() -> ModuleType:
    try:
        import peft
    except ImportError as error:
        raise FeatureError(
            f"peft, which adds adapters (encoder.finetuned.lora_rank), is not there ({error}); "
            "install it with `. path.sh && python -m pip install -e '.[pretrained]'` in the root "
            "of the project, or set lora_rank to 0"
        ) from error
    return peft
