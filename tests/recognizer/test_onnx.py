"""Exported models in onnxruntime, against the recognizer and torchaudio's Kaldi features."""

import json
import sys

import numpy as np
import pytest
import soundfile
import torch
from tiny_bundles import CLASSES, RATE, sound, write_tiny

from dsnet import __main__ as program
from dsnet.errors import BundleError
from dsnet.features.fbank import FbankConfig, compute_fbank
from dsnet.recognizer.onnx import KaldiFbank, export, speaker_inputs
from dsnet.recognizer.recognizer import Recognizer

pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
onnxruntime = pytest.importorskip("onnxruntime")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"snip_edges": True},
        {"window": "povey", "frame_length_ms": 25.0},
        {"window": "blackman", "remove_dc": False, "preemphasis": 0.0},
        {"use_power": False},
        {"use_log": False},
        {"num_mel_bins": 23, "low_freq_hz": 20.0, "high_freq_hz": 7600.0},
        {"sampling_rate": 8000, "high_freq_hz": 0.0, "num_mel_bins": 40},
        {"frame_length_ms": 10.0, "num_mel_bins": 20},
    ],
)
def test_log_mels_are_torchaudios(changes):
    config = FbankConfig(**changes)
    module = KaldiFbank(config)
    for size in (config.window_samples, 1601, 5000, 16000, 16079, 16080, 48123):
        samples = torch.from_numpy(sound(size / RATE, seed=size))
        expected = compute_fbank(samples, config)
        found = module(samples[None])[0]
        assert found.shape == expected.shape
        relative = 1e-3 * expected.abs().clamp(min=1) if not config.use_log else 1e-3
        assert ((found - expected).abs() <= relative).all()


@pytest.fixture(scope="module")
def sessions(tiny_folder, tmp_path_factory):
    """Each member of the tiny bundle in onnxruntime."""
    folder, found = tmp_path_factory.mktemp("onnx"), {}
    recognizer = Recognizer.load(tiny_folder)
    for given in ("none", "neutral", "any"):
        path = folder / f"{given}.onnx"
        assert export(recognizer, given, path) < 1e-4
        found[given] = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert sorted(p.name for p in folder.iterdir()) == ["any.onnx", "neutral.onnx", "none.onnx"]
    return found


@pytest.mark.parametrize("seconds", [0.1, 0.13, 0.16, 0.5, 1.0, 3.21, 12.0])
def test_any_length_and_batch(sessions, recognizer, seconds):
    batch = np.stack([sound(seconds, seed) for seed in range(3)])
    found = sessions["none"].run(None, {"samples": batch})[0]
    expected = [list(result.scores.values()) for result in recognizer.judge(batch, RATE)]
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("given", ["neutral", "any"])
@pytest.mark.parametrize("number", [1, 4])
def test_what_is_known_of_the_speaker_is_an_input(sessions, recognizer, given, number):
    clips = [(sound(1.0, seed + 50), RATE) for seed in range(number)]
    speaker = recognizer.enrol("anna", clips, given)
    batch = np.stack([sound(1.5, seed) for seed in range(2)])
    feeds = {"samples": batch, **speaker_inputs(speaker.measured(), 2)}
    found = sessions[given].run(None, feeds)[0]
    expected = [list(r.scores.values()) for r in recognizer.judge(batch, RATE, speaker)]
    np.testing.assert_allclose(found, expected, atol=1e-4)
    other = {**feeds, "speaker_mean": feeds["speaker_mean"] + 2}
    ratio = np.log(sessions[given].run(None, other)[0] / found)
    assert np.abs(ratio).max() > 1e-3


@pytest.mark.parametrize("kind", ["base", "base_matched", "dsnet_plus"])
def test_kinds_and_fixed_input(tmp_path, kind):
    write_tiny(tmp_path / "model", kind=kind, mode="fixed")
    recognizer = Recognizer.load(tmp_path / "model")
    assert export(recognizer, "none", tmp_path / "model.onnx") < 1e-4
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    for seconds in (0.1, 1.9, 2.5):
        samples = sound(seconds)
        found = session.run(None, {"samples": samples[None]})[0][0]
        np.testing.assert_allclose(
            found, list(recognizer(samples, RATE).scores.values()), atol=1e-4
        )


def test_the_file_says_what_it_is(sessions, recognizer):
    about = sessions["any"].get_modelmeta().custom_metadata_map
    assert json.loads(about["classes"]) == CLASSES
    assert (about["sampling_rate"], about["given"]) == ("16000", "any")
    assert (about["name"], about["id"]) == ("tiny", recognizer.bundle.id)


def test_the_program(tiny_folder, tmp_path, monkeypatch, capsys):
    def call(*words):
        monkeypatch.setattr(sys, "argv", ["dsnet", "export", "--model", str(tiny_folder), *words])
        return program.main(), *capsys.readouterr()

    path = tmp_path / "model.onnx"
    status, out, err = call(str(path))
    assert (status, err) == (0, "")
    assert out.startswith(f"{path}: ") and "probabilities within" in out
    status, _, err = call(str(path))
    assert (status, "exists; choose another name, or give --overwrite" in err) == (1, True)
    status, _, err = call(str(tmp_path / "none" / "model.onnx"))
    assert (status, "no such folder" in err) == (1, True)


def test_what_differs_is_not_written(recognizer, tmp_path, monkeypatch):
    monkeypatch.setattr("dsnet.recognizer.onnx.compare", lambda *_: 0.2)
    with pytest.raises(BundleError, match="differ by 2.0e-01"):
        export(recognizer, "none", tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_a_member_that_there_is_not(recognizer, tmp_path):
    with pytest.raises(BundleError, match="has members for none, neutral, any"):
        export(recognizer, "angry", tmp_path / "model.onnx")


def test_a_missing_package_is_named(recognizer, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(BundleError, match=r"needs the package onnxscript.*\[onnx\]"):
        export(recognizer, "none", tmp_path / "model.onnx")


def test_real_sound_files(write_sound, sessions, recognizer):
    """What goes through a file: 16 bits, and silence in between."""
    path = write_sound("a.wav", 2.0)
    samples, rate = soundfile.read(path, dtype="float32")
    samples[8000:16000] = 0
    found = sessions["none"].run(None, {"samples": samples[None]})[0][0]
    expected = list(recognizer(samples, rate).scores.values())
    np.testing.assert_allclose(found, expected, atol=1e-4)
