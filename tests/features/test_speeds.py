"""Copies of utterances at other speeds: as Lhotse plays them, and like any to the rest."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from encoder_kinds import SETTINGS
from lhotse import CutSet, validate
from tiny_encoders import write_encoder

from dsnet.corpus.manifests import read_manifests, write_manifests
from dsnet.errors import FeatureError
from dsnet.features import FEATURES, build_extractor
from dsnet.features.combine import combine
from dsnet.features.extract import compute_shard
from dsnet.features.fbank import Fbank, FbankConfig, compute_fbank
from dsnet.features.feats import read_feats_scp
from dsnet.features.resample import rate_at, resample
from dsnet.features.store import FeatureStore
from dsnet.models.encoder import EncoderConfig
from dsnet.recognizer.bundle import FeaturesFacts, Member, write_bundle
from dsnet.recognizer.recognizer import Recognizer
from dsnet.systems import build_system
from dsnet.systems.config import InputConfig, SystemConfig
from dsnet.training.frames import Frames
from dsnet.training.inference import predict

MANIFESTS, FEATS = Path("data/manifests"), Path("data/fbank")
SPEEDS = [0.9, 1.1]


def log_mels(kind=Fbank):
    return kind("fbank", FbankConfig(speeds=SPEEDS))


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
    info = stage1(log_mels())
    assert (info.num_utterances, info.all_speeds) == (6, [1, *SPEEDS])
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
    class Killed(Fbank):
        left = 4

        def __call__(self, samples):
            self.left -= 1
            if self.left < 0:
                raise FeatureError("killed")
            return super().__call__(samples)

    whole = stage1(log_mels(), nj=1)
    expected = (FEATS / "frames.bin").read_bytes()
    for path in FEATS.glob("**/*"):
        if path.is_file():
            path.unlink()
    with pytest.raises(FeatureError, match=r"utterance 'part1_sp0\.9': killed"):
        stage1(log_mels(Killed), nj=1)
    assert stage1(log_mels(), nj=1).digest == whole.digest
    assert (FEATS / "frames.bin").read_bytes() == expected


def test_a_damaged_copy_is_refused_with_its_utterance(recipe):
    stage1(log_mels())
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


@pytest.mark.parametrize(
    "speeds", [[1.0], [0.9, 0.9], [0.0], [-1.0], [2.5], [float("nan")], [0.901], [[0.9]], ["x"]]
)
@pytest.mark.parametrize("config", [config for config, _ in FEATURES.values()])
def test_speeds_that_are_none_are_refused(config, speeds):
    with pytest.raises(ValueError, match=r"different factors from 0\.5 to 2"):
        config(speeds=speeds).check()


def test_an_utterance_with_the_id_of_a_copy_is_refused(recipe):
    """As in a corpus that holds copies already: another's audio would be taken for the copy."""
    recordings, supervisions = read_manifests(MANIFESTS)
    for segment in supervisions:
        segment.id = {"u1": "u0_sp0.9"}.get(segment.id, segment.id)
    write_manifests(MANIFESTS, recordings, supervisions)
    compute_shard(MANIFESTS, FEATS, Fbank("fbank", FbankConfig()), 1, 1)
    with pytest.raises(FeatureError, match=r"1 ids stand for .* speeds \[0\.9, 1\.1\]: u0_sp0\.9"):
        stage1(log_mels(), nj=1)


def test_a_store_whose_copies_lie_elsewhere_is_refused(recipe):
    stage1(log_mels())
    path = FEATS / "utt2num_frames"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([lines[0], *lines[2:], lines[1]]))
    with pytest.raises(FeatureError, match=r"'part0_sp1\.1' in line 2, expected every utterance"):
        FeatureStore.open(FEATS)


def test_from_a_config_file_to_a_decision(recipe, tmp_path):
    """What stage 1 computes and stage 4 decides is what a recognizer makes of the sound files."""
    pytest.importorskip("transformers")
    encoder = write_encoder(tmp_path / "encoder", SETTINGS["whisper"])
    Path("conf/features").mkdir(parents=True)
    Path("conf/features/toy_sp.yaml").write_text(
        f"kind: pretrained\nmodel: '{encoder}'\nlayers: [2]\nspeeds: [0.9, 1.1]\n"
    )
    extractor = build_extractor("toy_sp")
    compute_shard(MANIFESTS, Path("data/toy_sp"), extractor, 1, 1)
    info = combine(MANIFESTS, Path("data/toy_sp"), extractor)
    frames = Frames(FeatureStore.open(Path("data/toy_sp")), "cpu")
    torch.manual_seed(0)
    config = SystemConfig(
        kind="base",
        encoder=EncoderConfig(kind="frames", channels=[6, 6], embed_dim=8),
        input=InputConfig(mode="crop"),
    )
    system = build_system(config, info, 3, 2)
    for _ in range(20):  # statistics of its batch norms
        system(frames.fixed(torch.arange(18), 60))
    system.eval()
    expected = predict(system, frames, ["u0", "u1", "u2"], {}, config).posteriors
    facts = {name: getattr(info, name) for name in FeaturesFacts.__dataclass_fields__}
    curve = {"confidence": [0.9, 0.5], "error": [0.1, 0.4]}
    member = Member(config, 2, 1.0, curve, system.state_dict(), {})
    ones = torch.ones(info.dim, dtype=torch.double)
    made = ("toy", ["x", "y", "z"], FeaturesFacts(**facts), {"none": member}, ones, 1.0, {}, "")
    write_bundle(tmp_path / "bundle", *made)
    recognizer = Recognizer.load(tmp_path / "bundle", encoder=encoder)
    for i, scores in enumerate(expected):
        samples, rate = soundfile.read(f"corpus/u{i}.wav", dtype="float32")
        found = recognizer(samples[:, i % 2], rate)
        np.testing.assert_allclose(list(found.scores.values()), scores, atol=1e-5)
