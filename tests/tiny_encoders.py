"""Tiny encoders of random numbers, in the files of the Hugging Face hub and with its names.

Depths, kernels and strides are those of the real ones; widths are not.
Axes: C channels, D hidden size, K kernel size.
"""

import json
from pathlib import Path

import torch
from torch import Tensor

D, HEADS, INNER, C = 16, 2, 32, 16
KERNELS, STRIDES = [10, 3, 3, 3, 3, 2, 2], [5, 2, 2, 2, 2, 2, 2]  # 400 samples, every 320


def whisper(num_layers: int = 4, num_mel_bins: int = 80) -> tuple[dict, dict]:
    """Return what is in config.json and preprocessor_config.json of a Whisper."""
    return {
        "model_type": "whisper",
        "architectures": ["WhisperForConditionalGeneration"],
        "d_model": D,
        "encoder_layers": num_layers,
        "encoder_attention_heads": HEADS,
        "encoder_ffn_dim": INNER,
        "decoder_layers": 1,
        "decoder_attention_heads": HEADS,
        "decoder_ffn_dim": INNER,
        "num_mel_bins": num_mel_bins,
        "max_source_positions": 1500,
    }, {
        "feature_extractor_type": "WhisperFeatureExtractor",
        "feature_size": num_mel_bins,
        "sampling_rate": 16000,
        "hop_length": 160,
        "n_fft": 400,
        "chunk_length": 30,
        "return_attention_mask": False,
    }


def wav2vec2(
    num_layers: int = 4, model_type: str = "wav2vec2", large: bool = False
) -> tuple[dict, dict]:
    """Return the same of a wav2vec 2.0 and its kin, in its base or its large form."""
    data2vec = model_type == "data2vec-audio"
    positions = {"num_conv_pos_embeddings": 3, "conv_pos_kernel_size": 19}
    return {
        "model_type": model_type,
        "hidden_size": D,
        "num_hidden_layers": num_layers,
        "num_attention_heads": HEADS,
        "intermediate_size": INNER,
        "conv_dim": [C] * len(KERNELS),
        "conv_kernel": KERNELS,
        "conv_stride": STRIDES,
        "conv_bias": large and model_type != "wavlm",
        "feat_extract_norm": "layer" if large else "group",
        "do_stable_layer_norm": large,
        "num_conv_pos_embedding_groups": 4,
        **(positions if data2vec else {"num_conv_pos_embeddings": 32}),
        "vocab_size": 32,
    }, {
        "feature_extractor_type": "Wav2Vec2FeatureExtractor",
        "feature_size": 1,
        "sampling_rate": 16000,
        "padding_side": "right",
        "padding_value": 0.0,
        "do_normalize": large or data2vec,
        "return_attention_mask": large,
    }


SHIPPED = {  # those of egs/conf/features
    "openai/whisper-base": whisper(6),
    "openai/whisper-small": whisper(12),
    "openai/whisper-large-v3": whisper(32, num_mel_bins=128),
    "microsoft/wavlm-base-plus": wav2vec2(12, "wavlm"),
    "microsoft/wavlm-large": wav2vec2(24, "wavlm", large=True),
    "facebook/hubert-base-ls960": wav2vec2(12, "hubert"),
    "facebook/hubert-large-ll60k": wav2vec2(24, "hubert", large=True),
    "facebook/wav2vec2-base": wav2vec2(12),
    "facebook/wav2vec2-large-robust": wav2vec2(24, large=True),
}


def write_encoder(folder: Path, settings: tuple[dict, dict], seed: int = 0) -> Path:
    """Write an encoder with weights drawn from `seed`; returns the folder."""
    folder.mkdir(parents=True)
    for name, values in zip(("config.json", "preprocessor_config.json"), settings, strict=True):
        (folder / name).write_text(json.dumps(values))
    torch.save(random_weights(settings, seed), folder / "pytorch_model.bin")
    return folder


def random_weights(settings: tuple[dict, dict], seed: int = 0) -> dict[str, Tensor]:
    """Return weights at whose sizes every part of the encoder makes a difference."""
    generator = torch.Generator().manual_seed(seed)
    shapes = _whisper(settings[0]) if "d_model" in settings[0] else _wav2vec2(settings[0])
    weights = {}
    for name, shape in shapes.items():
        value = torch.randn(shape, generator=generator)
        if name.endswith("weight") and len(shape) == 1:  # of a norm
            weights[name] = 1 + 0.2 * value
        elif name.endswith("weight_g"):
            weights[name] = 1 + 0.2 * value.abs()
        elif len(shape) == 1:
            weights[name] = 0.1 * value
        else:
            weights[name] = value / (value.numel() / shape[0]) ** 0.5
    return weights


def _linear(name: str, out_size: int, *in_sizes: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (out_size, *in_sizes), f"{name}.bias": (out_size,)}


def _norm(name: str, size: int = D) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (size,), f"{name}.bias": (size,)}


def _whisper(config: dict) -> dict[str, tuple[int, ...]]:
    shapes = _linear("conv1", D, config["num_mel_bins"], 3) | _linear("conv2", D, D, 3)
    shapes["embed_positions.weight"] = (config["max_source_positions"], D)
    for number in range(config["encoder_layers"]):
        layer = f"layers.{number}"
        for one in ("q", "k", "v", "out"):
            shapes |= _linear(f"{layer}.self_attn.{one}_proj", D, D)
        del shapes[f"{layer}.self_attn.k_proj.bias"]
        shapes |= _norm(f"{layer}.self_attn_layer_norm") | _norm(f"{layer}.final_layer_norm")
        shapes |= _linear(f"{layer}.fc1", INNER, D) | _linear(f"{layer}.fc2", D, INNER)
    shapes |= _norm("layer_norm")
    return {f"model.encoder.{name}": shape for name, shape in shapes.items()}


def _wav2vec2(config: dict) -> dict[str, tuple[int, ...]]:
    kind, groups = config["model_type"], config["num_conv_pos_embedding_groups"]
    every_norm = config["feat_extract_norm"] == "layer" or kind == "data2vec-audio"
    shapes: dict[str, tuple[int, ...]] = {"masked_spec_embed": (D,)}
    for number, size in enumerate(KERNELS):
        conv = f"feature_extractor.conv_layers.{number}"
        shapes |= _linear(f"{conv}.conv", C, C if number else 1, size)
        if not config["conv_bias"]:
            del shapes[f"{conv}.conv.bias"]
        if every_norm or number == 0:
            shapes |= _norm(f"{conv}.layer_norm", C)
    shapes |= _norm("feature_projection.layer_norm", C)
    shapes |= _linear("feature_projection.projection", D, C)
    positions, num_positions = "encoder.pos_conv_embed", config["num_conv_pos_embeddings"]
    if kind == "data2vec-audio":
        for number in range(num_positions):
            size = config["conv_pos_kernel_size"]
            shapes |= _linear(f"{positions}.layers.{number}.conv", D, D // groups, size)
    else:  # with weight norm
        shapes[f"{positions}.conv.bias"] = (D,)
        shapes[f"{positions}.conv.weight_g"] = (1, 1, num_positions)
        shapes[f"{positions}.conv.weight_v"] = (D, D // groups, num_positions)
    shapes |= _norm("encoder.layer_norm")
    for number in range(config["num_hidden_layers"]):
        layer = f"encoder.layers.{number}"
        for one in ("q", "k", "v", "out"):
            shapes |= _linear(f"{layer}.attention.{one}_proj", D, D)
        if kind == "wavlm":
            shapes |= _linear(f"{layer}.attention.gru_rel_pos_linear", 8, D // HEADS)
            shapes[f"{layer}.attention.gru_rel_pos_const"] = (1, HEADS, 1, 1)
            if number == 0:
                shapes[f"{layer}.attention.rel_attn_embed.weight"] = (320, HEADS)
        shapes |= _norm(f"{layer}.layer_norm") | _norm(f"{layer}.final_layer_norm")
        shapes |= _linear(f"{layer}.feed_forward.intermediate_dense", INNER, D)
        shapes |= _linear(f"{layer}.feed_forward.output_dense", D, INNER)
    return shapes
