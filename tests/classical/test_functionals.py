"""Functionals equal openSMILE's own, and belong to the audio that is there now."""

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from dsnet.corpus.prepare import prepare
from dsnet.corpus.utterance import Utterance
from dsnet.errors import CorpusError, FeatureError
from dsnet.features.functionals import Functionals, compute_functionals, functionals_path

RATE = 16000
MANIFESTS, FOLDER = Path("data/manifests"), Path("data/opensmile")


def tone(hertz, seconds=0.6):
    """Return a voice-like tone: falling harmonics, a slow tremor, a little noise."""
    t = np.arange(int(seconds * RATE)) / RATE
    wave = sum(np.sin(2 * np.pi * hertz * k * t) / k for k in range(1, 9))
    noise = np.random.default_rng(int(hertz)).normal(size=len(t))
    return 0.2 * wave * (1 + 0.3 * np.sin(2 * np.pi * 5 * t)) + 0.002 * noise


@pytest.fixture
def stage0(tmp_path, monkeypatch):
    """Return stage 0 of a corpus of two utterances in a file each and one inside a file."""
    monkeypatch.chdir(tmp_path)
    soundfile.write("u0.wav", tone(120), RATE)
    soundfile.write("u1.wav", tone(210), RATE)
    soundfile.write("long.wav", np.concatenate([tone(300), tone(120), tone(300)]), RATE)

    def run():
        prepare(
            [
                Utterance("u0", "s0", "N", Path("u0.wav")),
                Utterance("u1", "s1", "W", Path("u1.wav")),
                Utterance("inside", "s1", "W", Path("long.wav"), start=0.6, end=1.2),
            ],
            MANIFESTS,
        )

    run()
    return run


@pytest.mark.parametrize("set_name, num", [("egemaps", 88), ("compare", 6373)])
def test_functionals_equal_those_of_the_file(stage0, set_name, num):
    opensmile = pytest.importorskip("opensmile")
    assert compute_functionals(MANIFESTS, FOLDER, set_name, nj=2)
    found = Functionals.load(FOLDER, set_name)
    assert found.values.shape == (3, num)
    feature_set = {"egemaps": "eGeMAPSv02", "compare": "ComParE_2016"}[set_name]
    smile = opensmile.Smile(opensmile.FeatureSet[feature_set], "func")
    for utt in ("u0", "u1"):
        expected = smile.process_file(f"{utt}.wav").to_numpy()[0]
        np.testing.assert_array_equal(found.values[found.rows([utt])[0]], expected)
    # cut out of a longer file, the same samples give the same functionals
    np.testing.assert_array_equal(*found.values[found.rows(["inside", "u0"])])
    assert found.speakers[found.rows(["u0", "u1", "inside"])].tolist() == ["s0", "s1", "s1"]


def test_the_cache_notices_changed_audio(stage0):
    pytest.importorskip("opensmile")
    assert compute_functionals(MANIFESTS, FOLDER, "egemaps", nj=1)
    before = Functionals.load(FOLDER, "egemaps")
    assert not compute_functionals(MANIFESTS, FOLDER, "egemaps", nj=2)
    soundfile.write("u1.wav", tone(150), RATE)
    stage0()
    assert compute_functionals(MANIFESTS, FOLDER, "egemaps", nj=1)
    after = Functionals.load(FOLDER, "egemaps")
    assert after.digest != before.digest
    same = (after.values == before.values).all(1)
    assert same[after.rows(["u0", "inside"])].all() and not same[after.rows(["u1"])].any()


def test_audio_that_stage_0_has_not_seen_is_refused(stage0):
    pytest.importorskip("opensmile")
    soundfile.write("u1.wav", tone(150), RATE)
    with pytest.raises(CorpusError, match="'u1' is not what stage 0 saw"):
        compute_functionals(MANIFESTS, FOLDER, "egemaps", nj=1)
    assert not functionals_path(FOLDER, "egemaps").exists()


def test_full_scale_does_not_flip(stage0):
    opensmile = pytest.importorskip("opensmile")
    loud = np.clip(4 * tone(120), -1, 1)
    soundfile.write("u0.wav", loud, RATE, subtype="FLOAT")  # 1.0 itself, which int16 lacks
    stage0()
    compute_functionals(MANIFESTS, FOLDER, "egemaps", nj=1)
    found = Functionals.load(FOLDER, "egemaps")
    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, "func")
    expected = smile(np.minimum(loud, 32767 / 32768).astype(np.float32), RATE)[0, :, 0]
    np.testing.assert_array_equal(found.values[found.rows(["u0"])[0]], expected)


def test_without_opensmile_the_error_says_what_to_install(stage0, monkeypatch):
    monkeypatch.setitem(sys.modules, "opensmile", None)  # how Python marks what cannot be imported
    with pytest.raises(FeatureError, match=r"pip install 'dsnet\[opensmile\]'"):
        compute_functionals(MANIFESTS, FOLDER, "egemaps", nj=1)


def test_missing_functionals_say_what_to_run(tmp_path):
    with pytest.raises(FeatureError, match="compute_functionals --set compare"):
        Functionals.load(tmp_path, "compare")


def test_an_utterance_without_functionals_is_named(make_functionals):
    with pytest.raises(FeatureError, match="1 of 2 utterances, first: stranger"):
        make_functionals().rows(["a_sad_0", "stranger"])
