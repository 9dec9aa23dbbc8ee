"""Copies of utterances at other speeds: as Lhotse plays them, and like any to the rest."""

from pathlib import Path

import numpy as np
import pytest
import torch
from lhotse import CutSet, validate

from dsnet.errors import FeatureError
from dsnet.features.combine import combine
from dsnet.features.extract import compute_shard
from dsnet.features.fbank import Fbank, FbankConfig, compute_fbank
from dsnet.features.feats import read_feats_scp
from dsnet.features.pretrained import PretrainedConfig
from dsnet.features.resample import rate_at, resample
from dsnet.features.store import FeatureStore

MANIFESTS, FEATS = Path("data/manifests"), Path("data/fbank")
SPEEDS = [0.9, 1.1]


class AtSpeeds(Fbank):
    speeds = SPEEDS


def stage1(extractor, nj=2):
    for job in range(1, nj + 1):
        compute_shard(MANIFESTS, FEATS, extractor, job, nj)
    return combine(MANIFESTS, FEATS, extractor)


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
@pytest.mark.parametrize("speed", SPEEDS)
def test_a_tone_is_higher_and_shorter_by_the_speed(rate, speed):
    tone = np.sin(2 * np.pi * 500 * np.arange(rate) / rate).astype("float32")
    size = round(16000 / speed)
    heard = resample(torch.from_numpy(tone), rate_at(rate, speed), 16000, size).numpy()
    assert len(heard) == size
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(size)))
    assert spectrum.argmax() * 16000 / size == pytest.approx(500 * speed, abs=16000 / size)


def test_copies_are_those_of_lhotse(recipe):
    """Ids, lengths and sound of each copy are what Lhotse makes of the utterance."""
    info = stage1(AtSpeeds("fbank", FbankConfig()))
    assert (info.num_utterances, info.speeds) == (6, SPEEDS)
    cuts = CutSet.from_file("data/fbank/cuts.jsonl.gz").to_eager()
    validate(cuts, read_data=True)
    store = FeatureStore.open(FEATS)
    assert (
        list(store.index) == [cut.id for cut in cuts] == list(read_feats_scp(FEATS / "feats.scp"))
    )
    cuts = list(cuts)
    for own, *copies in (cuts[i : i + 3] for i in range(0, len(cuts), 3)):
        for copy, speed in zip(copies, SPEEDS, strict=True):
            expected = own.perturb_speed(speed)
            assert copy.id == copy.supervisions[0].id == expected.id
            assert copy.recording_id == expected.recording_id
            assert copy.duration == pytest.approx(expected.duration, abs=2e-4)
            assert copy.supervisions[0].speaker == own.supervisions[0].speaker
            heard = torch.from_numpy(copy.load_audio()[0])
            theirs = compute_fbank(heard, FbankConfig()).numpy()
            ours = copy.load_features()
            frames = min(len(ours), len(theirs))
            # another filter: alike where there is speech, not beyond half of the lower rate
            difference = np.abs(ours[2 : frames - 2, :40] - theirs[2 : frames - 2, :40])
            assert np.median(difference) < 0.05


def test_a_job_killed_between_the_copies_of_an_utterance_goes_on(recipe):
    class Killed(AtSpeeds):
        left = 4

        def __call__(self, samples):
            self.left -= 1
            if self.left < 0:
                raise FeatureError("killed")
            return super().__call__(samples)

    whole = stage1(AtSpeeds("fbank", FbankConfig()), nj=1)
    expected = (FEATS / "frames.bin").read_bytes()
    for path in FEATS.glob("**/*"):
        if path.is_file():
            path.unlink()
    with pytest.raises(FeatureError, match=r"utterance 'part1_sp0\.9': killed"):
        stage1(Killed("fbank", FbankConfig()), nj=1)
    assert stage1(AtSpeeds("fbank", FbankConfig()), nj=1).digest == whole.digest
    assert (FEATS / "frames.bin").read_bytes() == expected


def test_a_damaged_copy_is_refused_with_its_utterance(recipe):
    stage1(AtSpeeds("fbank", FbankConfig()))
    store = FeatureStore.open(FEATS)
    store.require(["u0", "u1"])
    row = store.index["u1_sp1.1"]
    size = store.frames.shape[1] * 4
    with (FEATS / "frames.bin").open("r+b") as stream:
        stream.seek(int(store.offsets[row]) * size + 17)
        stream.write(b"\x7f")
    damaged = FeatureStore.open(FEATS)
    damaged.require(["u0"])
    with pytest.raises(FeatureError, match=r"the frames of 'u1_sp1\.1' are damaged"):
        damaged.require(["u0", "u1"])


@pytest.mark.parametrize("speeds", [[1.0], [0.9, 0.9], [0.0], [-1.0], [2.5], [float("nan")]])
def test_speeds_that_are_none_are_refused(speeds):
    with pytest.raises(ValueError, match=r"different factors from 0\.5 to 2"):
        PretrainedConfig(speeds=speeds).check()
