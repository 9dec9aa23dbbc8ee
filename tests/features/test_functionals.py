"""Functionals equal openSMILE's own, and belong to the audio that is there now."""

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from lhotse import CutSet

from dsnet.corpus.prepare import prepare
from dsnet.corpus.utterance import Utterance
from dsnet.errors import CorpusError, FeatureError
from dsnet.features.combine import combine
from dsnet.features.extract import compute_shard
from dsnet.features.functionals import DIMS, Functionals, FunctionalsConfig
from dsnet.features.store import FeatureStore

RATE = 16000
MANIFESTS, FEATS = Path("data/manifests"), Path("data/egemaps")


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


def stage1(feature_set="eGeMAPSv02", nj=1):
    """Return what is there after stage 1: the store, and a copy of each utterance's vector."""
    extractor = Functionals("egemaps", FunctionalsConfig(feature_set=feature_set))
    for job in range(1, nj + 1):
        compute_shard(MANIFESTS, FEATS, extractor, job, nj)
    combine(MANIFESTS, FEATS, extractor)
    store = FeatureStore.open(FEATS)
    return store, {utt: store.frames[row].numpy().copy() for utt, row in store.index.items()}


def test_functionals_cannot_be_compressed():
    """Beside one of 1e11, those below 1e6 would all be the same to Kaldi's 8 and 16 bits."""
    with pytest.raises(ValueError, match="0 where an utterance is one vector, found 3"):
        FunctionalsConfig(compression_method=3).check()


@pytest.mark.parametrize("feature_set", DIMS)
def test_functionals_equal_those_of_the_file(stage0, feature_set):
    opensmile = pytest.importorskip("opensmile")
    store, values = stage1(feature_set, nj=2)
    assert store.frames.shape == (3, DIMS[feature_set])
    assert store.lengths.tolist() == [1, 1, 1]
    assert store.info.frame_shift_ms is None
    assert store.info.identity == {"opensmile": opensmile.__version__}
    smile = opensmile.Smile(opensmile.FeatureSet[feature_set], "func")
    for utt in ("u0", "u1"):
        np.testing.assert_array_equal(values[utt], smile.process_file(f"{utt}.wav").to_numpy()[0])
    # cut out of a longer file, the same samples give the same functionals
    np.testing.assert_array_equal(values["inside"], values["u0"])
    cut = next(iter(CutSet.from_file(FEATS / "cuts.jsonl.gz")))
    assert cut.id == "inside"
    assert (cut.start, cut.duration, cut.has_features) == (0.6, 0.6, False)


def test_what_was_computed_belongs_to_the_audio(stage0):
    pytest.importorskip("opensmile")
    before, values = stage1()
    again, _ = stage1(nj=2)
    assert again.info == before.info
    soundfile.write("u1.wav", tone(150), RATE)
    with pytest.raises(CorpusError, match="'u1' is not what stage 0 saw"):
        stage1()
    stage0()
    after, other = stage1()
    assert after.info.digest != before.info.digest
    same = {utt: np.array_equal(values[utt], other[utt]) for utt in values}
    assert same == {"inside": True, "u0": True, "u1": False}


def test_full_scale_does_not_flip():
    opensmile = pytest.importorskip("opensmile")
    loud = np.clip(4 * tone(120), -1, 1).astype(np.float32)  # 1.0 itself, which int16 lacks
    extractor = Functionals("egemaps", FunctionalsConfig(feature_set="eGeMAPSv02"))
    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, "func")
    expected = smile(np.minimum(loud, np.float32(32767 / 32768)), RATE)[0, :, 0]
    np.testing.assert_array_equal(extractor(torch.from_numpy(loud))[0], expected)


@pytest.mark.filterwarnings("ignore:Segment too short")
def test_an_utterance_too_short_for_functionals_is_an_error():
    pytest.importorskip("opensmile")
    extractor = Functionals("egemaps", FunctionalsConfig(feature_set="eGeMAPSv02"))
    with pytest.raises(FeatureError, match=r"0.010 s: \d+ of 88 functionals are not finite"):
        extractor(torch.zeros(160))


def test_without_opensmile_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "opensmile", None)  # how Python marks what cannot be imported
    with pytest.raises(FeatureError, match=r"pip install -e '.\[opensmile\]'"):
        Functionals("compare", FunctionalsConfig())


def test_unknown_sets_are_answered_by_the_known_ones():
    with pytest.raises(ValueError, match="'GeMAPS'; allowed: eGeMAPSv02, ComParE_2016"):
        FunctionalsConfig(feature_set="GeMAPS").check()
