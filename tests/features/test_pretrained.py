"""Hidden states equal those of the reference, of each utterance alone and however long it is.

Axes: L layers, T frames, H heads, D hidden size.
"""

from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import torch.nn.functional as F
import torchaudio
from encoder_kinds import (
    KIN,
    RATE,
    SETTINGS,
    hidden_states,
    noise,
    pretrained,
    reference,
    rewritten,
)
from lhotse import CutSet, validate
from tiny_encoders import HEADS, D, random_weights, whisper, write_encoder
from torch.nn.modules.module import register_module_forward_hook

from dsnet.errors import FeatureError
from dsnet.features.combine import combine
from dsnet.features.extract import compute_shard
from dsnet.features.pretrained import PretrainedConfig
from dsnet.features.store import FeatureStore

transformers = pytest.importorskip("transformers")
hub = pytest.importorskip("huggingface_hub")

SECONDS_30 = 30 * RATE
MANIFESTS = Path("data/manifests")


@contextmanager
def watching(what, note):
    """Yield a list of what is noted of each call of a module whose class is called so."""
    seen = []

    def hook(module, inputs, output):
        if what in type(module).__name__:
            seen.append(note(inputs))

    handle = register_module_forward_hook(hook)
    yield seen
    handle.remove()


# What the numbers are


@pytest.mark.parametrize("name", KIN)
def test_hidden_states_equal_those_of_transformers(encoders, name):
    samples = noise(20000)
    model = reference(encoders[name])
    front = transformers.AutoFeatureExtractor.from_pretrained(encoders[name])
    values = front(samples.numpy(), sampling_rate=RATE, return_tensors="pt").input_values
    entered, left = [], []
    for layer in model.encoder.layers:
        layer.register_forward_pre_hook(lambda _, inputs: entered.append(inputs[0][0]))
        layer.register_forward_hook(lambda _, inputs, output: left.append(first(output)[0]))
    with torch.no_grad():
        found = model(values, output_hidden_states=True)
        norm = model.encoder.layer_norm if name.endswith("_large") else torch.nn.Identity()
        expected = torch.stack([*entered, norm(left[-1])])
    assert expected.shape == (5, 62, D)
    torch.testing.assert_close(hidden_states(encoders[name], samples), expected)
    torch.testing.assert_close(torch.cat(found.hidden_states[:-1]), expected[:-1])
    torch.testing.assert_close(found.last_hidden_state[0], expected[-1])


def first(output):
    """Return the hidden state of what a layer returns, by version of transformers."""
    return output[0] if isinstance(output, tuple) else output


@pytest.mark.parametrize("name", KIN)
def test_the_reference_has_the_numbers_of_the_file(encoders, name):
    found = dict(reference(encoders[name]).named_parameters())
    renamed = {"weight_g": "parametrizations.weight.original0"}
    renamed["weight_v"] = "parametrizations.weight.original1"
    for key, value in random_weights(SETTINGS[name]).items():
        stem, _, last = key.rpartition(".")
        torch.testing.assert_close(found.pop(f"{stem}.{renamed.get(last, last)}".strip(".")), value)
    assert not found


def whisper_log_mels(samples, num_mel_bins=80):
    """Return (F, T) as the paper has them: 25 ms every 10 ms, 8 decades below the maximum kept."""
    window = torch.hann_window(400)
    spectrum = torch.stft(samples, 400, 160, window=window, return_complex=True)[:, :-1]
    filters = torchaudio.functional.melscale_fbanks(
        201, 0.0, 8000.0, num_mel_bins, RATE, norm="slaney", mel_scale="slaney"
    )
    log_mels = (filters.T @ spectrum.abs().square()).clamp(min=1e-10).log10()
    return (log_mels.clamp(min=log_mels.max() - 8) + 4) / 4


def whisper_by_hand(weights, log_mels):
    """Return every hidden state (L, T, D), from the architecture."""
    weights = {name.removeprefix("model.encoder."): value for name, value in weights.items()}

    def linear(x, name):
        return F.linear(x, weights[f"{name}.weight"], weights.get(f"{name}.bias"))

    def norm(x, name):
        return F.layer_norm(x, (D,), weights[f"{name}.weight"], weights[f"{name}.bias"])

    def conv(x, name, stride):
        return F.conv1d(x, weights[f"{name}.weight"], weights[f"{name}.bias"], stride, padding=1)

    x = F.gelu(conv(F.gelu(conv(log_mels[None], "conv1", 1)), "conv2", 2))[0].T
    x = x + weights["embed_positions.weight"][: len(x)]
    states = [x]
    for layer in (f"layers.{number}" for number in range(4)):
        y = norm(x, f"{layer}.self_attn_layer_norm")
        q, k, v = (
            linear(y, f"{layer}.self_attn.{one}_proj").unflatten(1, (HEADS, -1)).transpose(0, 1)
            for one in "qkv"
        )  # (H, T, D / H)
        attention = (q @ k.transpose(1, 2) / (D // HEADS) ** 0.5).softmax(-1)
        heads = (attention @ v).transpose(0, 1).flatten(1)
        x = x + linear(heads, f"{layer}.self_attn.out_proj")
        y = F.gelu(linear(norm(x, f"{layer}.final_layer_norm"), f"{layer}.fc1"))
        x = x + linear(y, f"{layer}.fc2")
        states.append(x)
    return torch.stack([*states[:-1], norm(x, "layer_norm")])


@pytest.mark.parametrize("num_samples", [12345, 40000])
def test_whisper_hears_the_utterance_alone(encoders, num_samples):
    samples = noise(num_samples)
    ours = hidden_states(encoders["whisper"], samples)
    expected = whisper_by_hand(random_weights(whisper()), whisper_log_mels(samples))
    assert ours.shape == (5, {12345: 39, 40000: 125}[num_samples], D)
    torch.testing.assert_close(ours, expected, rtol=1e-3, atol=1e-3)
    silence = torch.zeros(SECONDS_30 - num_samples)
    padded = whisper_by_hand(
        random_weights(whisper()), whisper_log_mels(torch.cat([samples, silence]))
    )[:, : ours.shape[1]]
    assert (padded - ours)[-1].abs().mean() > 0.1  # what padding would do


def test_whisper_of_30_seconds_equals_transformers(encoders):
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    model = WhisperEncoder(transformers.WhisperConfig(**SETTINGS["whisper"][0])).eval()
    weights = random_weights(whisper())
    model.load_state_dict({name.removeprefix("model.encoder."): w for name, w in weights.items()})
    front = transformers.AutoFeatureExtractor.from_pretrained(encoders["whisper"])
    samples = noise(SECONDS_30)
    mels = front(samples.numpy(), sampling_rate=RATE, return_tensors="pt").input_features
    with torch.no_grad():
        found = model(mels, output_hidden_states=True)
    ours = hidden_states(encoders["whisper"], samples)
    torch.testing.assert_close(ours[:-1], torch.cat(found.hidden_states[:-1]))
    torch.testing.assert_close(ours[-1], found.last_hidden_state[0])


@pytest.mark.parametrize("layers", [[0], [1, 2], [0, 3], [4]], ids=str)
@pytest.mark.parametrize("name", SETTINGS)
def test_no_more_layers_are_run_than_asked_for(encoders, name, layers):
    samples = noise(9000)
    expected = hidden_states(encoders[name], samples)[layers]
    with watching("EncoderLayer", id) as runs:
        found = hidden_states(encoders[name], samples, layers)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
    assert len(runs) == max(layers[-1], 1)


@pytest.mark.parametrize("name", ["whisper", "wav2vec2"])
def test_what_is_made_of_the_states(encoders, name):
    samples, layers = noise(15000), [1, 3]
    states = hidden_states(encoders[name], samples, layers).numpy().astype(np.float64)
    statistics = [f(state, axis=0) for state in states for f in (np.mean, np.std)]
    expected = {
        ("mean", "none"): states.mean(0),
        ("concat", "none"): np.concatenate([*states], axis=1),
        ("concat", "statistics"): np.concatenate(statistics)[None],
    }
    for (how, pooling), values in expected.items():
        extractor = pretrained(
            encoders[name], layers=layers, combine=how, pooling=pooling, storage="float32"
        )
        feats = extractor(samples)
        assert feats.dtype == torch.float32
        np.testing.assert_allclose(feats, values, rtol=1e-4, atol=1e-5)
        assert (extractor.num_frames(15000), extractor.dim) == values.shape
        assert extractor.num_layers == (1 if how == "mean" else 2)
        assert extractor.frame_shift_ms == (None if pooling == "statistics" else 20.0)


@pytest.mark.parametrize("name", ["whisper", "wavlm", "wavlm_large"])
def test_bfloat16_is_coarser_and_the_same(encoders, name):
    exact, coarse = (
        pretrained(encoders[name], pooling="statistics", precision=precision)(noise(9000))
        for precision in ("float32", "bfloat16")
    )
    error = (coarse - exact).norm() / exact.norm()
    assert 1e-5 < error < 0.03
    assert coarse.dtype == torch.float32


# Each utterance alone


@pytest.mark.parametrize("with_mask", [False, True])
def test_padding_would_change_hidden_states(encoders, with_mask):
    """The trap of batches: group norm is over all of time, silence included."""
    short, model = noise(8000), reference(encoders["wav2vec2"])
    batch = torch.stack([torch.cat([short, torch.zeros(24000)]), noise(32000, seed=1)])
    mask = torch.zeros(2, 32000, dtype=torch.long)
    mask[0, :8000] = mask[1] = 1
    with torch.no_grad():
        alone = model(short[None]).last_hidden_state[0]
        padded = model(batch, attention_mask=mask if with_mask else None).last_hidden_state[0]
    assert (padded[: len(alone)] - alone).abs().mean() > 0.1
    ours = hidden_states(encoders["wav2vec2"], short, [4])[0]
    torch.testing.assert_close(ours, alone)


@pytest.mark.parametrize("name", SETTINGS)
def test_what_was_heard_before_makes_no_difference(encoders, name):
    extractor = pretrained(encoders[name])
    utterances = [noise(size, seed) for seed, size in enumerate([8000, 31000, 8000])]
    forth = [extractor(samples) for samples in utterances]
    back = [extractor(samples) for samples in reversed(utterances)][::-1]
    assert all(map(torch.equal, forth, back))


@pytest.mark.parametrize("name", SETTINGS)
def test_large_models_do_not_hear_how_loud_it_is(encoders, name):
    samples = noise(16000)
    soft, loud = (hidden_states(encoders[name], factor * samples, [1]) for factor in (1, 3))
    same = torch.allclose(soft, loud, rtol=1e-3, atol=1e-3)
    assert same == SETTINGS[name][1].get("do_normalize", False)


# Counts and long audio


@pytest.mark.parametrize("name", ["whisper", "wav2vec2"])
def test_a_frame_more_for_every_320_samples(encoders, name):
    extractor = pretrained(encoders[name], layers=[0])
    samples = noise(20000)
    counts = [len(extractor(samples[: 4000 + 320 * i])) for i in range(5)]
    assert np.diff(counts).tolist() == [1] * 4
    assert extractor.frame_shift_ms == 1000 * 320 / RATE


@pytest.mark.parametrize("name", ["whisper", "wav2vec2"])
def test_counts_are_known_before(encoders, name):
    extractor = pretrained(encoders[name], layers=[0])
    samples = noise(60 * RATE)
    near = [end + more for end in (SECONDS_30, 55 * RATE) for more in (-1, 0, 1, 159, 161, 321)]
    for size in [*range(640, 1700, 53), 47999, 48000, *near, 33 * RATE + 7]:
        assert len(extractor(samples[:size])) == extractor.num_frames(size), size


@pytest.mark.parametrize("name", ["whisper", "wav2vec2", "wavlm"])
def test_long_audio_is_heard_in_windows_of_30_seconds(encoders, name):
    """Windows begin at 0, 25 and 50 s; they give way to each other at 27.5 and 52.5 s."""
    samples = noise(int(63.21 * RATE))
    longest = "WhisperEncoderLayer" if name == "whisper" else "Conv1d"
    with watching(longest, lambda inputs: max(inputs[0].shape)) as sizes:
        whole = hidden_states(encoders[name], samples, [0, 2])
    assert max(sizes) == (1500 if name == "whisper" else SECONDS_30)
    parts = [
        hidden_states(encoders[name], samples[RATE * start :][:SECONDS_30], [0, 2])
        for start in (0, 25, 50)
    ]
    expected = [parts[0][:, :1375], parts[1][:, 125:1375], parts[2][:, 125:]]
    torch.testing.assert_close(whole, torch.cat(expected, 1))
    assert whole.shape[1] == {"whisper": 3161}.get(name, 3160)
    # where both hear it, two windows agree where neither ends: frames stand at the same times
    # (whisper's positions count from the beginning of its window)
    if name != "whisper":
        torch.testing.assert_close(parts[0][0, 1300:1400], parts[1][0, 50:150], rtol=0.1, atol=0.1)


# What cannot be computed or kept


@pytest.mark.parametrize("name", ["whisper", "wav2vec2", "wav2vec2_large"])
def test_too_short(encoders, name):
    extractor = pretrained(encoders[name])
    assert len(extractor(noise(640))) == extractor.num_frames(640) > 0
    for size, seconds in ((0, "0.000"), (399, "0.025"), (639, "0.040")):
        with pytest.raises(FeatureError, match=f"{seconds} s: too short for .*leave it out"):
            extractor(noise(size))


def test_what_half_precision_does_not_hold(tmp_path):
    folder = write_encoder(tmp_path / "big", whisper())
    weights = random_weights(whisper())
    weights["model.encoder.layer_norm.weight"] *= 1e6
    rewritten(folder, weights)
    with pytest.raises(FeatureError, match=r"up to \d.* into float16 .*set storage to float32"):
        pretrained(folder, layers=[4])(noise(8000))
    assert pretrained(folder, layers=[4], storage="float32")(noise(8000)).abs().max() > 65504


@pytest.mark.parametrize("storage", ["float16", "float32"])
def test_what_is_not_a_number(encoders, storage):
    samples = noise(8000)
    samples[4000] = torch.nan
    with pytest.raises(FeatureError, match="not finite .*are its weights whole"):
        pretrained(encoders["wav2vec2"], storage=storage)(samples)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"combine": "sum"}, "combine is 'sum'; allowed: mean, concat"),
        ({"pooling": "max"}, "pooling is 'max'; allowed: none, statistics"),
        ({"precision": "float16"}, "precision is 'float16'; allowed: float32, bfloat16"),
        ({"storage": "bfloat16"}, "storage is 'bfloat16'; allowed: float16, float32"),
        ({"layers": [3, 2]}, r"layers must be numbers from 0, rising, found \[3, 2\]"),
        ({"layers": [2, 2]}, r"rising, found \[2, 2\]"),
        ({"layers": [-1, 2]}, r"rising, found \[-1, 2\]"),
        ({"compression_method": 8}, "compression_method must be 0, 1, 2, 3 or 5, found 8"),
        (
            {"combine": "concat", "pooling": "statistics", "compression_method": 2},
            "compression_method must be 0 where an utterance is one vector, found 2",
        ),
    ],
)
def test_settings_that_are_not_allowed(changes, message):
    PretrainedConfig(layers=[0, 1, 5]).check()
    with pytest.raises(ValueError, match=message):
        PretrainedConfig(**changes).check()


# Stage 1


def stage1(extractor, feats, nj=2):
    for job in range(1, nj + 1):
        compute_shard(MANIFESTS, feats, extractor, job, nj)
    return combine(MANIFESTS, feats, extractor)


@pytest.mark.parametrize("name", ["whisper", "wav2vec2", "wavlm_large"])
def test_lhotse_and_the_store_open_the_features(recipe, encoders, name):
    extractor = pretrained(encoders[name], layers=[1, 2], combine="concat")
    info = stage1(extractor, Path("data/toy"))
    assert (info.dim, info.num_layers, info.storage) == (2 * D, 2, "float16")
    assert info.identity == extractor.identity()
    cuts = CutSet.from_file("data/toy/cuts.jsonl.gz").to_eager()
    validate(cuts, read_data=True)
    store = FeatureStore.open(Path("data/toy"))
    assert store.frames.dtype == torch.float16
    # 0.5111 s three times, 0.5 s, 0.7183 s, 1.0005 s; a convolution has no frame for the last 5 ms
    whole, cut_short = [26, 26, 26, 25, 36, 50], [25, 25, 25, 24, 35, 49]
    assert store.lengths.tolist() == (whole if name == "whisper" else cut_short)
    for cut in cuts:
        row = store.index[cut.id]
        stored = store.frames[store.offsets[row] :][: store.lengths[row]].float().numpy()
        np.testing.assert_allclose(stored, cut.load_features(), rtol=2**-11, atol=1e-7)
    samples = torch.from_numpy(soundfile.read("corpus/u0.wav", dtype="float32")[0][:, 0].copy())
    assert torch.equal(torch.from_numpy(cuts["u0"].load_features()), extractor(samples))


@pytest.mark.parametrize("name", ["whisper", "wavlm"])
def test_the_number_of_jobs_makes_no_difference(recipe, encoders, name):
    infos = [stage1(pretrained(encoders[name]), Path(f"data/by{nj}/toy"), nj) for nj in (1, 2, 6)]
    assert infos[0] == infos[1] == infos[2]
    stored = {Path(f"data/by{nj}/toy/frames.bin").read_bytes() for nj in (1, 2, 6)}
    assert len(stored) == 1


def test_other_weights_are_other_features(recipe, tmp_path):
    folder, feats = write_encoder(tmp_path / "toy", whisper()), Path("data/toy")
    config = {"layers": [1], "pooling": "statistics"}
    before = stage1(pretrained(folder, **config), feats, nj=1)
    assert (before.num_frames, before.frame_shift_ms) == (6, None)
    assert compute_shard(MANIFESTS, feats, pretrained(folder, **config), 1, 1) == (0, 6)
    weights = random_weights(whisper())
    rewritten(folder, weights, "model.safetensors")
    assert compute_shard(MANIFESTS, feats, pretrained(folder, **config), 1, 1) == (0, 6)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    weights["model.encoder.conv1.bias"] += 0.1
    rewritten(folder, weights)
    other = pretrained(folder, **config)
    with pytest.raises(FeatureError, match="something else .*a library .*changed"):
        combine(MANIFESTS, feats, other)
    assert compute_shard(MANIFESTS, feats, other, 1, 1) == (6, 6)
    assert combine(MANIFESTS, feats, other).digest != before.digest
