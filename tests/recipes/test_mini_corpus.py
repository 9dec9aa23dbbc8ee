"""The synthetic corpus: bytes by seed, counts, and voices that measure as they were drawn."""

import csv
import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy.io import wavfile
from scipy.linalg import solve_toeplitz

from dsnet.errors import CorpusError

LOCAL = Path(__file__).parents[2] / "egs" / "mini" / "local"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"mini_{name}", LOCAL / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


mini = load("make_corpus")
prepare = load("prepare")


def test_same_seed_same_samples():
    first = mini.make_utterance("f1", "happy", 2, seed=0)
    assert first.dtype == np.int16
    assert np.array_equal(first, mini.make_utterance("f1", "happy", 2, seed=0))


@pytest.mark.parametrize(
    "other", [("f2", "happy", 2, 0), ("f1", "sad", 2, 0), ("f1", "happy", 2, 1)]
)
def test_another_speaker_emotion_or_seed_sounds_different(other):
    a, b = mini.make_utterance("f1", "happy", 2, 0), mini.make_utterance(*other)
    shorter = min(len(a), len(b))
    assert abs(np.corrcoef(a[:shorter], b[:shorter])[0, 1]) < 0.3


def test_utterances_last_one_to_three_seconds_without_clipping():
    for sentence in range(len(mini.SENTENCES)):
        samples = mini.make_utterance("m2", "angry", sentence, seed=0)
        assert 1.0 < len(samples) / 16000 < 3.0
        assert 500 < np.abs(samples.astype(int)).max() < 32767


def vowel(speaker, letters: str = "aaaaaa") -> np.ndarray:
    """The middle of a long vowel without accents."""
    flat = mini.Prosody(pitch_range=-10)
    samples = mini.synthesise(speaker, flat, letters, np.random.default_rng(0)).astype(float)
    return samples[len(samples) // 2 - 2048 : len(samples) // 2 + 2048]


def pitch_hz(samples: np.ndarray) -> float:
    """Highest peak of the autocorrelation between 60 and 400 Hz."""
    correlation = np.correlate(samples, samples, "full")[len(samples) - 1 :]
    low, high = 16000 // 400, 16000 // 60
    return 16000 / (low + np.argmax(correlation[low:high]))


def formants_hz(samples: np.ndarray) -> np.ndarray:
    """Sharp resonances of a linear prediction of order 14, after pre-emphasis."""
    emphasised = np.append(samples[0], samples[1:] - 0.97 * samples[:-1]) * np.hamming(len(samples))
    correlation = np.correlate(emphasised, emphasised, "full")[len(samples) - 1 :]
    coefficients = solve_toeplitz(correlation[:14], correlation[1:15])
    roots = np.roots([1, *-coefficients])
    roots = roots[(roots.imag > 0) & (np.abs(roots) > 0.9)]
    return np.sort(np.angle(roots)) * 16000 / (2 * np.pi)


@pytest.mark.parametrize("name", mini.SPEAKERS)
def test_measured_pitch_is_the_speakers(name):
    speaker = mini.make_speaker(name, seed=0)
    assert pitch_hz(vowel(speaker)) == pytest.approx(speaker.pitch_hz, rel=0.06)


def test_formants_are_those_of_the_vowel_and_scale_with_the_tract():
    """Peterson and Barney's 'a' has 730, 1090 and 2440 Hz in a man's tract."""
    speaker = replace(mini.make_speaker("m1", seed=0), pitch_hz=100.0)
    for tract in (1.0, 1.2):
        measured = formants_hz(vowel(replace(speaker, tract=tract)))
        for expected in (730, 1090, 2440):
            assert np.abs(measured - tract * expected).min() < 0.07 * tract * expected


def test_no_two_voices_are_alike():
    voices = {name: mini.make_speaker(name, seed=0) for name in mini.SPEAKERS}
    for part in ("tract", "pitch_hz"):
        values = [getattr(voice, part) for voice in voices.values()]
        assert len(set(values)) == 8
        assert min(values[:4]) > max(values[4:])  # women have shorter tracts and higher voices
    angry = [voice.styles["angry"] for voice in voices.values()]
    assert np.std([style.pitch for style in angry]) > 0.5
    assert {voice.styles["neutral"] for voice in voices.values()} == {mini.Prosody()}


def test_corpus_on_disk_and_what_prepare_makes_of_it(tmp_path, monkeypatch):
    """Silence stands in for speech: the real corpus takes some ten seconds."""
    monkeypatch.setattr(mini, "make_utterance", lambda *_: np.zeros(160, dtype=np.int16))
    monkeypatch.setattr(sys, "argv", ["make_corpus.py", str(tmp_path / "mini corpus")])
    mini.main()
    corpus_dir = tmp_path / "mini corpus"
    with (corpus_dir / "utterances.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 8 * 4 * 7 == len(list((corpus_dir / "wav").iterdir()))
    assert wavfile.read(corpus_dir / rows[0]["path"])[0] == 16000

    found = list(prepare.utterances(corpus_dir))
    assert len({u.id for u in found}) == 224
    assert sum(u.emotion == "sad" and u.sex == "male" for u in found) == 4 * 7
    assert {u.speaker for u in found if u.sex == "female"} == {"f1", "f2", "f3", "f4"}
    assert found[0].path == corpus_dir / "wav" / "f1-angry-1.wav"
    assert found[0].text == "mala sito, neku"  # the comma survives the table


def test_prepare_says_what_to_run_first(tmp_path):
    with pytest.raises(
        CorpusError, match=r"utterances.csv: no such file; run local/make_corpus.py"
    ):
        list(prepare.utterances(tmp_path))
