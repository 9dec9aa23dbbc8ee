"""Encoders of 4 layers in the hub's format, and what tests ask of them.

Axes: L layers, T frames, D hidden size.
"""

from dataclasses import asdict

import torch
from tiny_encoders import D, wav2vec2, whisper

from dsnet.features.feats import FeatsInfo
from dsnet.features.pretrained import Pretrained, PretrainedConfig

RATE = 16000
SETTINGS = {
    "whisper": whisper(),
    "wav2vec2": wav2vec2(),
    "wav2vec2_large": wav2vec2(large=True),
    "hubert": wav2vec2(model_type="hubert"),
    "hubert_large": wav2vec2(model_type="hubert", large=True),
    "wavlm": wav2vec2(model_type="wavlm"),
    "wavlm_large": wav2vec2(model_type="wavlm", large=True),
    "data2vec": wav2vec2(model_type="data2vec-audio"),
}
KIN = [name for name in SETTINGS if name != "whisper"]  # of wav2vec 2.0


def noise(num_samples, seed=0):
    """Return noise that gets louder and softer."""
    generator = torch.Generator().manual_seed(seed)
    swell = 1.1 + torch.sin(torch.arange(num_samples) / 1500)
    return 0.1 * swell * torch.randn(num_samples, generator=generator)


def pretrained(folder, **changes):
    return Pretrained("toy", PretrainedConfig(model=str(folder), **changes))


def known(extractor):
    """Return what stage 1 says of features of two utterances."""
    name, kind = extractor.name, extractor.kind
    facts = {"identity": extractor.identity(), "num_layers": extractor.num_layers}
    config = asdict(extractor.config)
    return FeatsInfo(name, kind, extractor.dim, 20.0, config, "states", "m", 2, 200, **facts)


def hidden_states(folder, samples, layers=()):
    """Return (L, T, D)."""
    config = {"layers": [*layers], "combine": "concat", "storage": "float32"}
    return pretrained(folder, **config)(samples).unflatten(1, (-1, D)).transpose(0, 1)


def reference(folder):
    import transformers

    return transformers.AutoModel.from_pretrained(folder).eval()


def rewritten(folder, weights, form="pytorch_model.bin"):
    """Give an encoder other weights, in a file of another form."""
    (folder / "pytorch_model.bin").unlink()
    if form.endswith(".bin"):
        torch.save(weights, folder / form)
    else:
        from safetensors.torch import save_file

        save_file(weights, folder / form, metadata={"format": "pt"})
    return folder
