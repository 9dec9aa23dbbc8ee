"""Hidden states equal those of the reference, of each utterance alone and however long it is.

Axes: L layers, T frames, H heads, D hidden size.
"""

import fnmatch
import json
import pickle
import re
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import torch.nn.functional as F
import torchaudio
from lhotse import CutSet, validate
from tiny_encoders import HEADS, D, random_weights, wav2vec2, whisper, write_encoder
from torch.nn.modules.module import register_module_forward_hook

from dsnet.errors import FeatureError
from dsnet.features.combine import combine
from dsnet.features.encoder_files import find_model
from dsnet.features.extract import compute_shard
from dsnet.features.pretrained import Pretrained, PretrainedConfig
from dsnet.features.store import FeatureStore

transformers = pytest.importorskip("transformers")
hub = pytest.importorskip("huggingface_hub")

RATE = 16000
SECONDS_30 = 30 * RATE
MANIFESTS = Path("data/manifests")
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


@pytest.fixture(scope="module")
def encoders(tmp_path_factory):
    """Return the folders of encoders of 4 layers; a test does not change them."""
    top = tmp_path_factory.mktemp("encoders")
    return {name: write_encoder(top / name, values) for name, values in SETTINGS.items()}


def noise(num_samples, seed=0):
    """Return noise that gets louder and softer."""
    generator = torch.Generator().manual_seed(seed)
    swell = 1.1 + torch.sin(torch.arange(num_samples) / 1500)
    return 0.1 * swell * torch.randn(num_samples, generator=generator)


def pretrained(folder, **changes):
    return Pretrained("toy", PretrainedConfig(model=str(folder), **changes))


def hidden_states(folder, samples, layers=()):
    """Return (L, T, D)."""
    config = {"layers": [*layers], "combine": "concat", "storage": "float32"}
    return pretrained(folder, **config)(samples).unflatten(1, (-1, D)).transpose(0, 1)


def reference(folder):
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
        ({"compression_method": 8}, "compression_method must be 0 to 7, found 8"),
    ],
)
def test_settings_that_are_not_allowed(changes, message):
    PretrainedConfig(layers=[0, 1, 5]).check()
    with pytest.raises(ValueError, match=message):
        PretrainedConfig(**changes).check()


# Which weights


def with_prefix(weights, prefix):
    return {f"{prefix}{name.removeprefix('model.encoder.')}": w for name, w in weights.items()}


@pytest.fixture
def another(tmp_path):
    """Return a function that writes an encoder with given weights."""
    numbers = iter(range(9))

    def write(name, weights, form="pytorch_model.bin"):
        folder = write_encoder(tmp_path / f"{name}{next(numbers)}", SETTINGS[name])
        return rewritten(folder, weights, form)

    return write


def test_whisper_is_its_encoder_however_stored(another):
    plain, samples = random_weights(whisper()), noise(8000)
    decoder = {
        "model.decoder.layer_norm.weight": torch.ones(D),
        "proj_out.weight": torch.ones(9, D),
    }
    folders = [
        another("whisper", plain),
        another("whisper", plain, "model.safetensors"),
        another("whisper", plain | decoder, "model.safetensors"),
        another("whisper", with_prefix(plain, "encoder.")),
        another("whisper", with_prefix(plain, "")),
    ]
    assert len({pretrained(folder).identity()["weights"] for folder in folders}) == 1
    feats = [pretrained(folder)(samples) for folder in folders]
    assert all(torch.equal(feats[0], one) for one in feats)


@pytest.mark.parametrize("name", ["wav2vec2", "wavlm_large", "data2vec"])
def test_an_encoder_is_itself_with_or_without_what_was_trained_on_it(another, name):
    plain = random_weights(SETTINGS[name])
    prefix = {"data2vec": "data2vec_audio"}.get(name, name.partition("_")[0])
    head = {"lm_head.weight": torch.ones(32, D), "lm_head.bias": torch.ones(32)}
    folders = [
        another(name, plain),
        another(name, plain, "model.safetensors"),
        another(name, {k: v for k, v in plain.items() if k != "masked_spec_embed"}),
        another(name, with_prefix(plain, f"{prefix}.") | head),
    ]
    assert len({pretrained(folder).identity()["weights"] for folder in folders}) == 1
    feats = [pretrained(folder)(noise(8000)) for folder in folders]
    assert all(torch.equal(feats[0], one) for one in feats)


def test_half_precision_in_the_file_is_read_as_it_is(another):
    half = {name: value.half() for name, value in random_weights(whisper()).items()}
    single = {name: value.float() for name, value in half.items()}
    one, two = (pretrained(another("whisper", weights)) for weights in (half, single))
    assert one.identity() == two.identity()
    assert torch.equal(one(noise(8000)), two(noise(8000)))


def test_weights_in_several_files(another):
    from safetensors.torch import save_file

    weights = random_weights(whisper())
    whole = another("whisper", weights)
    folder = another("whisper", weights)
    (folder / "pytorch_model.bin").unlink()
    names = {key: f"model-0000{1 + i % 2}-of-00002.safetensors" for i, key in enumerate(weights)}
    for name in {*names.values()}:
        part = {key: weights[key] for key in weights if names[key] == name}
        save_file(part, folder / name, metadata={"format": "pt"})
    index = {"metadata": {}, "weight_map": names}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert pretrained(folder).identity() == pretrained(whole).identity()
    (folder / name).unlink()
    with pytest.raises(FeatureError, match=r"model\.safetensors \(or .* is missing"):
        pretrained(folder)


def test_a_layer_that_is_not_asked_for_counts_too(another):
    weights = random_weights(whisper())
    before = pretrained(another("whisper", weights), layers=[1])
    weights["model.encoder.layers.3.fc2.bias"] += 1
    after = pretrained(another("whisper", weights), layers=[1])
    assert torch.equal(before(noise(8000)), after(noise(8000)))
    assert before.identity() != after.identity()


class Touch:
    """What makes a pickle dangerous: it is called when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("name", ["whisper", "wavlm"])
@pytest.mark.parametrize(
    "save", [torch.save, lambda x, path: path.write_bytes(pickle.dumps(x, protocol=2))]
)
def test_code_in_a_pickle_is_not_run(tmp_path, name, save):
    folder = write_encoder(tmp_path / "evil", SETTINGS[name])
    mark = tmp_path / "mark"
    save(random_weights(SETTINGS[name]) | {"more": Touch(mark)}, folder / "pytorch_model.bin")
    with pytest.raises(
        FeatureError, match="evil: pytorch_model.bin is not loaded: .* run anything"
    ):
        pretrained(folder)(noise(8000))
    assert not mark.exists()
    pickle.loads(pickle.dumps(Touch(mark)))
    assert mark.exists()  # it would have been


def test_code_in_a_folder_is_not_run(tmp_path):
    folder, mark = write_encoder(tmp_path / "evil", whisper()), tmp_path / "mark"
    (folder / "code.py").write_text(f"open({str(mark)!r}, 'w')\nclass Any: pass\n")
    for name in ("config.json", "preprocessor_config.json"):
        values = json.loads((folder / name).read_text())
        values["auto_map"] = dict.fromkeys(("AutoConfig", "AutoFeatureExtractor"), "code.Any")
        (folder / name).write_text(json.dumps(values))
    assert pretrained(folder)(noise(8000)).shape == (25, D)
    assert not mark.exists()


# Files that are not there, or not what they should be


def edit(folder, name, **values):
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def spoil(folder, how):
    if how == "unknown type":
        edit(folder, "config.json", model_type="whsper")
    elif how == "another type":
        edit(folder, "config.json", model_type="bert")
    elif how == "broken settings":
        (folder / "config.json").write_text("{")
    elif how == "no settings":
        (folder / "config.json").write_text("[]")
    elif how == "broken front":
        (folder / "preprocessor_config.json").write_text("{")
    elif how == "no front":
        (folder / "preprocessor_config.json").unlink()
    elif how == "no weights":
        (folder / "pytorch_model.bin").unlink()
    elif how == "no weights nor front":
        spoil(folder, "no front")
        spoil(folder, "no weights")
    elif how == "more layers":
        edit(folder, "config.json", encoder_layers=5)
    elif how == "other sizes":
        edit(folder, "config.json", num_mel_bins=128)
    elif how == "another model":
        torch.save(random_weights(wav2vec2()), folder / "pytorch_model.bin")
    elif how == "cut off":
        path = folder / "pytorch_model.bin"
        path.write_bytes(path.read_bytes()[:9999])
    elif how == "empty":
        (folder / "pytorch_model.bin").write_bytes(b"")
    elif how == "a page":
        (folder / "pytorch_model.bin").write_text("version https://git-lfs.github.com/spec/v1\n")
    elif how == "a page, safetensors":
        (folder / "pytorch_model.bin").rename(folder / "model.safetensors")
        (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\n")


@pytest.mark.parametrize(
    ("how", "message"),
    [
        (
            "unknown type",
            "config.json: model_type is 'whsper'; known are whisper, wav2vec2, hubert",
        ),
        ("another type", "config.json: model_type is 'bert'; known are whisper, "),
        ("broken settings", "config.json: not the settings of an encoder: Expecting"),
        ("no settings", "config.json: not the settings of an encoder"),
        ("broken front", "preprocessor_config.json: .*not a valid JSON"),
        ("no front", "spoilt: preprocessor_config.json is missing; copy it there"),
        ("no weights", r"spoilt: model.safetensors \(or pytorch_model.bin\) is missing; copy it"),
        ("no weights nor front", r"preprocessor_config.json and model.safetensors .* is missing"),
        (
            "more layers",
            r"15 weights of .*spoilt are missing or .*, first: layers\.4\..*another model\?",
        ),
        ("other sizes", "1 weights of .* are missing or of another size, first: conv1.weight. Is"),
        ("another model", "57 weights of .* are missing or .*, first: conv1.bias, conv1.weight, "),
        ("cut off", "spoilt: weights that cannot be read: "),
        ("empty", "spoilt: weights that cannot be read: "),
        ("a page", "spoilt: pytorch_model.bin is not loaded: .*take model.safetensors"),
        ("a page, safetensors", "spoilt: weights that cannot be read: "),
    ],
)
def test_a_folder_that_is_not_whole(tmp_path, how, message):
    folder = write_encoder(tmp_path / "spoilt", whisper())
    spoil(folder, how)
    with pytest.raises(FeatureError, match=message) as raised:
        pretrained(folder)(noise(8000))
    assert "\n" not in str(raised.value)


def test_a_layer_beyond_the_last(encoders):
    assert pretrained(encoders["whisper"], layers=[4]).layers == [4]
    with pytest.raises(FeatureError, match=r"toy: no hidden state 5; .*whisper has 0 to 4 \(conf/"):
        pretrained(encoders["whisper"], layers=[0, 5])


def test_without_transformers_the_error_says_what_to_install(encoders, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(FeatureError, match=r"transformers.*pip install -e '.\[pretrained\]'"):
        pretrained(encoders["whisper"])


@pytest.mark.parametrize("place", ["owner/toy", "toy", "toy-encoder"])
def test_where_an_encoder_may_lie(tmp_path, monkeypatch, place):
    write_encoder(tmp_path / place, whisper(num_layers=3))
    monkeypatch.setenv("DSNET_MODELS", str(tmp_path))
    assert pretrained("owner/toy").layers == [0, 1, 2, 3]


# The hub


class Hub:
    """Stands for the client of the hub, with repositories in a folder."""

    def __init__(self, repositories, cache):
        self.repositories, self.cache, self.calls = repositories, cache, []

    def get_hf_file_metadata(self, url, timeout):
        self.calls.append("request")
        assert timeout <= 10
        owner, name = re.search("([^/]+)/([^/]+)/resolve/", url).groups()
        if not (self.repositories / owner / name).exists():
            raise ConnectionError  # says nothing

    def snapshot_download(self, model, revision, allow_patterns, local_files_only):
        self.calls.append("look" if local_files_only else "download")
        target = self.cache / model / revision
        if not local_files_only:
            target.mkdir(parents=True, exist_ok=True)
            for path in (self.repositories / model).iterdir():
                if any(fnmatch.fnmatch(path.name, pattern) for pattern in allow_patterns):
                    shutil.copy(path, target)
        elif not target.exists():
            raise hub.errors.LocalEntryNotFoundError("nothing there")
        return str(target)


@pytest.fixture
def fake_hub(tmp_path, monkeypatch):
    made = Hub(tmp_path / "hub", tmp_path / "cache")
    for name in ("get_hf_file_metadata", "snapshot_download"):
        monkeypatch.setattr(hub, name, getattr(made, name))
    return made


@pytest.mark.parametrize("given", [None, "of/models"])
def test_neither_folder_nor_hub(fake_hub, monkeypatch, given):
    monkeypatch.delenv("DSNET_MODELS")
    if given:
        monkeypatch.setenv("DSNET_MODELS", given)
    with pytest.raises(FeatureError) as raised:
        pretrained("owner/toy", revision="abc")
    more = ", of/models/owner/toy, of/models/toy, of/models/toy-encoder" if given else ""
    assert str(raised.value) == (
        f"no files of owner/toy: looked at owner/toy{more} and at the Hugging Face hub "
        "(ConnectionError). Without access to the hub, put config.json, preprocessor_config.json "
        "and model.safetensors (or pytorch_model.bin) of "
        "https://huggingface.co/owner/toy/tree/abc into FOLDER/toy and give --models-dir FOLDER, "
        "or set DSNET_MODELS"
    )
    assert fake_hub.calls == ["look", "request"]  # and no download, which tries again and again


def test_the_clients_own_error_without_a_hub(monkeypatch, tmp_path):
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(tmp_path))
    assert hub.constants.HF_HUB_OFFLINE
    with pytest.raises(FeatureError, match=r"looked at owner/toy, .*hub \(OfflineModeIsEnabled: "):
        pretrained("owner/toy")
    with pytest.raises(FeatureError, match=r"looked at /no/such/toy, .*\(HFValidationError: "):
        pretrained("/no/such/toy")


@pytest.mark.parametrize("form", ["pytorch_model.bin", "model.safetensors"])
def test_one_form_of_the_weights_is_fetched_once(fake_hub, encoders, form):
    source = fake_hub.repositories / "owner" / "toy"
    shutil.copytree(encoders["whisper"], source)
    for name in {form, "tf_model.h5", "code.py", "training_args.bin"} - {"pytorch_model.bin"}:
        (source / name).write_text("")
    toy = PretrainedConfig(model="owner/toy")
    folder = fake_hub.cache / "owner" / "toy" / "main"
    folder.mkdir(parents=True)
    shutil.copy(source / "config.json", folder)  # as a download that was stopped leaves it
    assert find_model(toy.model, toy.revision, None) == folder
    assert "request" in fake_hub.calls and "download" in fake_hub.calls
    assert {path.name for path in folder.iterdir()} == {
        "config.json", "preprocessor_config.json", form
    }  # fmt: skip
    fake_hub.calls.clear()
    assert find_model(toy.model, toy.revision, None) == folder
    assert {*fake_hub.calls} == {"look"}


def test_a_hub_that_lacks_a_file(fake_hub, encoders):
    source = fake_hub.repositories / "owner" / "toy"
    shutil.copytree(encoders["whisper"], source)
    (source / "preprocessor_config.json").unlink()
    with pytest.raises(
        FeatureError, match="no files of owner/toy.*preprocessor_config.json is mis"
    ):
        find_model("owner/toy", "main", None)


@pytest.mark.parametrize("revision", ["main", 40 * "a"])
def test_the_cache_of_the_hub_is_enough(monkeypatch, tmp_path, encoders, revision):
    repository = tmp_path / "models--owner--toy"
    shutil.copytree(encoders["wav2vec2"], repository / "snapshots" / (40 * "a"))
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(40 * "a")
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(hub, "get_hf_file_metadata", None)
    found = pretrained("owner/toy", revision=revision)
    assert torch.equal(found(noise(8000)), pretrained(encoders["wav2vec2"])(noise(8000)))


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
