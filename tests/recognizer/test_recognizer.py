import subprocess
import sys

import numpy as np
import pytest
import torch
from tiny_bundles import BINS, CLASSES, RATE, sound, write_tiny
from torchaudio.compliance import kaldi

from dsnet.corpus.sound import BadAudio
from dsnet.errors import BundleError
from dsnet.recognizer.recognizer import Recognizer


def test_scores_are_probabilities_of_the_classes(recognizer):
    result = recognizer(sound(), RATE)
    assert list(result.scores) == CLASSES
    assert sum(result.scores.values()) == pytest.approx(1)
    assert result.label == max(result.scores, key=result.scores.get)
    assert result.confidence == max(result.scores.values())
    assert {name: x.shape for name, x in result.embeddings.items()} == dict.fromkeys("hse", (8,))
    assert result.embedding is result.embeddings["e"]


def test_features_are_kaldis(recognizer):
    samples = sound(0.7)
    expected = kaldi.fbank(
        torch.from_numpy(samples)[None] * 32768,
        num_mel_bins=BINS,
        low_freq=0,
        high_freq=8000,
        frame_length=40,
        window_type="hamming",
        snip_edges=False,
        dither=0,
    )
    assert torch.allclose(recognizer.features(samples, RATE), expected, atol=1e-4)


def test_company_does_not_change_a_result(recognizer):
    sounds = [sound(seconds, seed) for seed, seconds in enumerate([1, 0.3, 1, 2.2, 1])]
    alone = [recognizer(samples, RATE) for samples in sounds]
    together = recognizer.judge(sounds, RATE)
    for one, other in zip(alone, together, strict=True):
        assert one.label == other.label
        assert list(one.scores.values()) == pytest.approx(list(other.scores.values()), abs=1e-6)


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000])
def test_another_sampling_rate_is_heard_as_the_same_sound(recognizer, rate):
    time = np.arange(rate) / rate
    tone = (0.1 * np.sin(2 * np.pi * 440 * time) + 0.05 * np.sin(2 * np.pi * 1000 * time)).astype(
        "float32"
    )
    ours = np.arange(RATE) / RATE
    same = 0.1 * np.sin(2 * np.pi * 440 * ours) + 0.05 * np.sin(2 * np.pi * 1000 * ours)
    feats = recognizer.features(tone, rate)[5:-5, :6]
    expected = recognizer.features(same.astype("float32"), RATE)[5:-5, :6]
    assert torch.allclose(feats, expected, atol=0.1)


@pytest.mark.parametrize("dtype", ["int16", ">i2", "int32", "float64"])
def test_number_formats_are_the_same_sound(recognizer, dtype):
    samples = np.round(sound() * 32768) / 32768
    scale = 1 if dtype == "float64" else -float(np.iinfo(dtype).min)
    result = recognizer((samples * scale).astype(dtype), RATE)
    assert result.scores == recognizer(samples.astype("float32"), RATE).scores


def test_channels_are_averaged(recognizer):
    left, right = sound(seed=1), sound(seed=2)
    mixed = recognizer((left / 2 + right / 2).astype("float32"), RATE).scores
    both = recognizer(np.stack([left, right], 1), RATE).scores
    assert list(both.values()) == pytest.approx(list(mixed.values()), abs=1e-5)


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        (np.zeros(RATE), "no signal: every sample is 0"),
        (np.full(RATE, np.nan), "not finite"),
        (np.where(np.arange(RATE) == 5, np.inf, sound()), "not finite"),
        (sound(0.01), r"0\.010 s are too short, 0\.1 s are needed"),
        (np.zeros(0), "too short"),
        (sound() * 30000, "16-bit integers stored as floats"),
        (np.array(["a"] * RATE), "must be float, int16 or int32"),
        (np.round(sound() * 30000).astype(int), r"found int64; .* \.astype\('int16'\)"),
        (np.round(sound() * 30000).astype("int32"), r"int32 reach \d+, .* of 16 bits\?"),
        (np.zeros((2, RATE)), r"turn it with \.T"),
        (np.zeros((RATE, 2, 2)), r"\(N,\) or \(N, channels\)"),
        (np.zeros(RATE, dtype="uint8"), "uint8"),
    ],
)
def test_what_is_no_sound_is_refused(recognizer, samples, words):
    with pytest.raises(BadAudio, match=words):
        recognizer(samples, RATE)


@pytest.mark.parametrize("rate", [16, 16000.5, 999_983, float("nan")])
def test_a_sampling_rate_that_is_none_is_refused(recognizer, rate):
    with pytest.raises(BadAudio, match="must be in Hz"):
        recognizer(sound(), rate)


def test_a_whole_sampling_rate_may_be_a_float(recognizer):
    assert recognizer(sound(), 16000.0).scores == recognizer(sound(), RATE).scores


@pytest.mark.parametrize("kind", ["neutral", "any"])
def test_a_profile_is_what_normalisation_by_hand_gives(recognizer, kind):
    clips = [sound(1, 7), sound(1.5, 8), sound(0.8, 9)]
    profile = recognizer.enrol("anna", [(clip, RATE) for clip in clips], kind)
    member = recognizer.bundle.members[kind]
    feats = [recognizer.features(clip, RATE).clamp(min=4).double().numpy() for clip in clips]
    mean = np.mean([f.mean(0) for f in feats], 0)
    deviation = np.mean([np.log(f.std(0)) for f in feats], 0)
    voice = {name: value.numpy() for name, value in member.voice.items()}
    share, of_deviation = (3 / (3 + voice[f"{name}_noise"]) for name in ("mean", "deviation"))
    believed = voice["mean"] + share * (mean - voice["mean"])
    log_deviation = voice["log_deviation"] + of_deviation * (deviation - voice["log_deviation"])
    own = recognizer.features(sound(), RATE).clamp(min=4).double().numpy()
    normalised = voice["mean"] + (own - believed) * np.exp(voice["log_deviation"] - log_deviation)
    system = recognizer.parts[kind].system
    with torch.no_grad():
        logits = system(torch.from_numpy(normalised)[None].float()).logits[0].double()
    expected = (logits / member.temperature).softmax(0)
    found = list(recognizer(sound(), RATE, profile).scores.values())
    assert found == pytest.approx(expected.tolist(), abs=1e-4)


def test_a_clip_says_nothing_about_itself(recognizer):
    clips = [(sound(1, seed), RATE) for seed in range(3)]
    whole = recognizer.enrol("anna", clips)
    without_first = recognizer.enrol("anna", clips[1:])
    samples = clips[0][0]
    assert recognizer(samples, RATE, whole).scores == pytest.approx(
        recognizer(samples, RATE, without_first).scores
    )
    alone = recognizer.enrol("anna", clips[:1])
    with pytest.raises(BundleError, match="the only one that speaker 'anna' was enrolled with"):
        recognizer(samples, RATE, alone)


def test_a_profile_of_another_model_is_refused(recognizer, tmp_path):
    write_tiny(tmp_path / "other", seed=5)
    profile = Recognizer.load(tmp_path / "other").enrol("anna", [(sound(), RATE)])
    with pytest.raises(BundleError, match="enrolled with the model tiny .*, not with tiny"):
        recognizer(sound(), RATE, profile)


def test_a_kind_of_clips_that_the_model_does_not_take_is_refused(recognizer):
    with pytest.raises(BundleError, match="takes no clips of kind angry; it takes: neutral, any"):
        recognizer.enrol("anna", [(sound(), RATE)], "angry")
    with pytest.raises(BundleError, match="no clips to enrol"):
        recognizer.enrol("anna", [])


@pytest.mark.parametrize(
    ("error", "limit"), [(0.5, 0.0), (0.4, 0.0), (0.3, 0.6), (0.2, 0.6), (0.1, 0.9)]
)
def test_thresholds_are_read_off_the_curve(recognizer, error, limit):
    """The curve of the bundle: 0.9 is wrong in 0.1, 0.6 in 0.2, all in 0.4."""
    assert recognizer.threshold(error) == limit


def test_an_error_rate_that_nothing_reaches_is_refused(recognizer):
    with pytest.raises(BundleError, match=r"wrong more often .* the least is 0\.10"):
        recognizer.threshold(0.05)


def test_a_model_that_needs_clips_has_no_threshold_without(recognizer, monkeypatch):
    monkeypatch.delitem(recognizer.parts, "none")
    with pytest.raises(BundleError, match="needs clips of the speaker .*: enrol them"):
        recognizer.threshold(0.2)
    assert recognizer.threshold(0.2, "any") == 0.6


def test_unsure_below_the_threshold(recognizer):
    results = [recognizer(sound(seed=seed), RATE, reject=0.1) for seed in range(8)]
    for result in results:
        assert (result.label == "unsure") == (result.confidence < 0.9)


@pytest.mark.parametrize("seconds", [0.1, 0.5, 2.0, 3.1])
def test_networks_of_fixed_input_hear_the_same_length(tmp_path, seconds):
    """As the recipe feeds them: cut at the end, or repeated from the start."""
    write_tiny(tmp_path / "fixed", mode="fixed")
    recognizer = Recognizer.load(tmp_path / "fixed")
    samples = sound(seconds)
    feats = recognizer.features(samples, RATE)
    repeated = torch.cat([feats] * 25)[:200]
    system = recognizer.parts["none"].system
    with torch.no_grad():
        expected = (system(repeated[None]).logits[0].double() / 4).softmax(0)
    found = list(recognizer(samples, RATE).scores.values())
    assert found == pytest.approx(expected.tolist(), abs=1e-6)


def test_import_is_light():
    code = (
        "import sys, dsnet; from dsnet import Recognizer\n"
        "print([m for m in ('lhotse', 'sklearn', 'pandas', 'transformers', 'dsnet.training',"
        " 'dsnet.results') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
