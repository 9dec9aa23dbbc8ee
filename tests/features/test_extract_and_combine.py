"""Stage 1 on a small corpus: Lhotse and Kaldi open it, and nothing stale is trusted."""

import dataclasses
import json
import shutil
from pathlib import Path

import kaldi_native_io
import kaldiio
import numpy as np
import pytest
import soundfile
import torch
from lhotse import CutSet, validate

from dsnet.corpus.manifests import read_manifests, write_manifests
from dsnet.errors import CorpusError, DsnetError, FeatureError
from dsnet.features import extract
from dsnet.features.archive import Shard
from dsnet.features.combine import combine
from dsnet.features.extract import INDEX_FILES, compute_shard, share
from dsnet.features.fbank import Fbank, FbankConfig, compute_fbank
from dsnet.features.feats import FeatsInfo, read_feats_scp
from dsnet.features.store import FeatureStore
from dsnet.files import locked

MANIFESTS, FEATS = Path("data/manifests"), Path("data/fbank")
ALL = ["part0", "part1", "part2", "u0", "u1", "u2"]


def fbank(**changes):
    return Fbank("fbank", FbankConfig(**changes))


def stage1(extractor=None, nj=2, feats=FEATS):
    extractor = extractor or fbank()
    for job in range(1, nj + 1):
        compute_shard(MANIFESTS, feats, extractor, job, nj)
    return combine(MANIFESTS, feats, extractor)


def read_ark(feats=FEATS):
    """Return the matrices of the archives, as kaldiio reads them."""
    return dict(kaldiio.load_scp(str(feats / "feats.scp")).items())


CONFIGS = {
    "default": {},
    "snip_edges": {"snip_edges": True},
    "8 kHz": {
        "sampling_rate": 8000, "high_freq_hz": 0, "num_mel_bins": 40, "frame_shift_ms": 12.5,
    },
    "compressed": {"compression_method": 3},
}  # fmt: skip


@pytest.mark.parametrize("changes", CONFIGS.values(), ids=CONFIGS)
def test_lhotse_kaldi_and_the_store_read_the_same(recipe, changes):
    extractor = fbank(**changes)
    info = stage1(extractor)
    cuts = CutSet.from_file("data/fbank/cuts.jsonl.gz").to_eager()
    validate(cuts, read_data=True)
    assert [cut.id for cut in cuts] == ALL
    matrices, store = read_ark(), FeatureStore.open(FEATS)
    assert list(store.index) == list(matrices) == ALL
    for cut in cuts:
        # exact, but for the last bit of compressed matrices
        tolerance = 1e-6 if extractor.config.compression_method else 0
        np.testing.assert_allclose(cut.load_features(), matrices[cut.id], rtol=tolerance)
        row = store.index[cut.id]
        start, length = int(store.offsets[row]), int(store.lengths[row])
        stored = store.frames[start : start + length].numpy()
        np.testing.assert_allclose(stored, matrices[cut.id], rtol=tolerance)
        assert cut.supervisions[0].custom["emotion"] in "NW"
        assert cut.duration <= cut.recording.duration
    assert store.info == info == FeatsInfo.load(FEATS)
    assert info.num_frames == sum(map(len, matrices.values())) == len(store.frames)
    assert info.num_utterances == 6


def test_kaldi_lists(recipe):
    stage1()
    scp = read_feats_scp(FEATS / "feats.scp")
    assert list(scp) == ALL
    assert all(place.startswith("data/fbank/fbank.") for place in scp.values())
    lines = (FEATS / "utt2num_frames").read_text().splitlines()
    frames = {line.split(" ")[0]: int(line.split(" ")[1]) for line in lines}
    with kaldi_native_io.SequentialFloatMatrixReader(f"scp:{recipe / FEATS / 'feats.scp'}") as it:
        assert {key: len(value) for key, value in it} == frames
    assert {key: len(matrix) for key, matrix in read_ark().items()} == frames
    # by hand: 0.5111 s, 0.5 s, 0.7183 s, 1.0005 s at 10 ms, halves rounded up
    assert frames == {"part0": 51, "part1": 51, "part2": 51, "u0": 50, "u1": 72, "u2": 100}


def test_what_is_said_of_the_features(recipe):
    extractor = fbank(num_mel_bins=40)
    stage1(extractor)
    said = json.loads((FEATS / "feats.json").read_text())
    assert all(len(said.pop(name)) == 16 for name in ("digest", "manifests_digest"))
    assert said == {
        "name": "fbank",
        "kind": "fbank",
        "dim": 40,
        "frame_shift_ms": 10.0,
        "config": dataclasses.asdict(extractor.config),
        "identity": {},
        "num_utterances": 6,
        "num_frames": 3 * 51 + 50 + 72 + 100,
        "num_layers": 1,
        "storage": "float32",
    }


def test_features_are_those_of_the_channel_and_segment(recipe):
    stage1()
    matrices = read_ark()
    samples, _ = soundfile.read("corpus/u0.wav", dtype="float32")
    torch.testing.assert_close(
        torch.from_numpy(matrices["u0"].copy()),
        compute_fbank(torch.from_numpy(samples[:, 0].copy()), FbankConfig()),
    )
    assert matrices["u1"].shape == (72, 80)


def test_digest_depends_on_audio_and_config_only(recipe):
    info = stage1(nj=2)
    frames = (FEATS / "frames.bin").read_bytes()
    assert stage1(nj=5, feats=Path("data/other")).digest == info.digest
    assert Path("data/other/frames.bin").read_bytes() == frames
    recordings, supervisions = read_manifests(MANIFESTS)
    for segment in supervisions:
        segment.speaker = "someone"
    write_manifests(MANIFESTS, recordings, supervisions)
    relabelled = stage1(nj=2)
    assert relabelled.digest == info.digest
    assert relabelled.manifests_digest != info.manifests_digest
    assert stage1(fbank(num_mel_bins=40)).digest != info.digest


def test_digest_depends_on_the_utterances_and_the_library(recipe, monkeypatch):
    first = stage1()
    with monkeypatch.context() as patch:
        patch.setattr(Fbank, "identity", lambda self: {"library": "2.0"})
        other_library = stage1()
    assert other_library.identity == {"library": "2.0"}
    recordings, supervisions = read_manifests(MANIFESTS)
    write_manifests(MANIFESTS, recordings, [s for s in supervisions if s.id != "u1"])
    assert len({first.digest, other_library.digest, stage1().digest}) == 3


def test_manifests_made_elsewhere_need_no_audio_hash(recipe, capsys):
    with_hash = stage1()
    frames = (FEATS / "frames.bin").read_bytes()
    recordings, supervisions = read_manifests(MANIFESTS)
    for number, segment in enumerate(supervisions):
        segment.custom = None if number % 2 else {"emotion": "N"}
    write_manifests(MANIFESTS, recordings, supervisions)
    capsys.readouterr()
    info = stage1()
    assert (FEATS / "frames.bin").read_bytes() == frames
    assert (info.num_frames, info.digest != with_hash.digest) == (with_hash.num_frames, True)
    assert "3 utterances (part0, ...) have no audio_hash in custom" in capsys.readouterr().err


def test_more_jobs_than_utterances(recipe):
    assert stage1(nj=8) == stage1(nj=1)
    assert sorted(p.name for p in FEATS.glob("fbank.*")) == ["fbank.1.ark"]
    assert sorted(p.name for p in (FEATS / "shards").iterdir()) == ["1"]


def test_archives_of_more_jobs_go_although_their_indices_are_gone(recipe):
    """--force removes shards/ first."""
    stage1(nj=3)
    shutil.rmtree(FEATS / "shards")
    stage1(nj=1)
    assert sorted(p.name for p in FEATS.glob("fbank.*")) == ["fbank.1.ark"]


def test_shares_cover_everything_once():
    for items, jobs in ((10, 3), (2, 5), (0, 2), (7, 7)):
        parts = [i for job in range(1, jobs + 1) for i in share(items, job, jobs)]
        assert parts == list(range(items))


def test_what_is_there_is_not_computed_again(recipe):
    stage1()
    assert compute_shard(MANIFESTS, FEATS, fbank(), 1, 2) == (0, 3)
    assert all((FEATS / name).exists() for name in INDEX_FILES)
    ark = FEATS / "fbank.1.ark"
    whole = ark.read_bytes()
    ark.write_bytes(whole[:-100])
    assert compute_shard(MANIFESTS, FEATS, fbank(), 1, 2) == (1, 3)
    assert ark.read_bytes() == whole
    assert not any((FEATS / name).exists() for name in INDEX_FILES)


def test_combine_says_what_is_missing_or_stale(recipe):
    compute_shard(MANIFESTS, FEATS, fbank(), 1, 2)
    with pytest.raises(FeatureError, match=r"fbank\.2\.ark: this job has not run; run --stage 1"):
        combine(MANIFESTS, FEATS, fbank())
    compute_shard(MANIFESTS, FEATS, fbank(), 2, 2)
    with pytest.raises(FeatureError, match=r"something else \(num_mel_bins 80 -> 64\); run"):
        combine(MANIFESTS, FEATS, fbank(num_mel_bins=64))
    compute_shard(MANIFESTS, FEATS, fbank(), 2, 3)  # shares of other sizes do not go together
    with pytest.raises(FeatureError, match="the manifests, a library or the number of jobs chang"):
        combine(MANIFESTS, FEATS, fbank())
    compute_shard(MANIFESTS, FEATS, fbank(), 2, 2)
    ark = Shard(FEATS, 2).ark
    ark.write_bytes(ark.read_bytes()[:-1])
    with pytest.raises(FeatureError, match="2 utterances, expected 3; missing: u2"):
        combine(MANIFESTS, FEATS, fbank())


def test_audio_that_changed_since_stage_0(recipe):
    soundfile.write("corpus/u1.wav", np.random.default_rng(9).uniform(-1, 1, (34478, 2)), 48000)
    with pytest.raises(CorpusError, match=r"corpus/u1\.wav: the audio of utterance 'u1' is not"):
        stage1()
    Path("corpus/u1.wav").unlink()
    with pytest.raises(CorpusError, match=r"corpus/u1\.wav: no such file"):
        stage1()


def test_utterance_shorter_than_a_frame_is_named(recipe):
    with pytest.raises(FeatureError, match="utterance 'u0': 8000 samples .* 505 ms"):
        stage1(fbank(frame_length_ms=505))


def test_job_is_held_by_one_process(recipe):
    with locked(Shard(FEATS, 1).folder), pytest.raises(DsnetError, match="another run"):
        compute_shard(MANIFESTS, FEATS, fbank(), 1, 1)
    with pytest.raises(FeatureError, match="job must be 1 to num_jobs"):
        compute_shard(MANIFESTS, FEATS, fbank(), 3, 2)


def test_the_log_of_a_job_tells_how_far_it_is(recipe, monkeypatch, capsys):
    """A job of two has three of the six utterances; what is there already is not counted."""
    monkeypatch.setattr(extract, "LOG_SECONDS", 0.0)
    compute_shard(MANIFESTS, FEATS, fbank(), 2, 2)
    assert capsys.readouterr().out == "utterance 0/3\nutterance 1/3\nutterance 2/3\n"
    compute_shard(MANIFESTS, FEATS, fbank(), 2, 2)
    assert capsys.readouterr().out == ""
