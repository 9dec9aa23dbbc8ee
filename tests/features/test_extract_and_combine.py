"""Stage 1 on a small corpus: Lhotse and Kaldi open it, and nothing stale is trusted."""

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
from dsnet.features.archive import Shard
from dsnet.features.combine import combine
from dsnet.features.extract import INDEX_FILES, compute_shard, share
from dsnet.features.fbank import FbankConfig, compute_fbank
from dsnet.features.feats import FeatsInfo, read_all, read_feats_scp
from dsnet.files import locked

MANIFESTS, FEATS = Path("data/manifests"), Path("data/fbank")
ALL = ["part0", "part1", "part2", "u0", "u1", "u2"]


def stage1(config=None, nj=2, feats=FEATS):
    config = config or FbankConfig()
    for job in range(1, nj + 1):
        compute_shard(MANIFESTS, feats, config, job, nj)
    return combine(MANIFESTS, feats, config, nj)


CONFIGS = [
    FbankConfig(),
    FbankConfig(snip_edges=True),
    FbankConfig(sampling_rate=8000, high_freq_hz=0, num_mel_bins=40, frame_shift_ms=12.5),
    FbankConfig(compression_method=3),
]


@pytest.mark.parametrize("config", CONFIGS, ids=["default", "snip_edges", "8 kHz", "compressed"])
def test_lhotse_accepts_and_loads_the_cuts(recipe, config):
    info = stage1(config)
    cuts = CutSet.from_file("data/fbank/cuts.jsonl.gz").to_eager()
    validate(cuts, read_data=True)
    assert [cut.id for cut in cuts] == ALL
    matrices = dict(read_all(FEATS / "feats.scp", ALL))
    for cut in cuts:
        # exact, but for the last bit of compressed matrices
        tolerance = 1e-6 if config.compression_method else 0
        np.testing.assert_allclose(cut.load_features(), matrices[cut.id], rtol=tolerance)
        assert cut.supervisions[0].custom["emotion"] in "NW"
        assert cut.duration <= cut.recording.duration
    assert info == FeatsInfo.load(FEATS)
    assert info.num_frames == sum(map(len, matrices.values()))
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
    assert {k: len(m) for k, m in kaldiio.load_scp(str(FEATS / "feats.scp")).items()} == frames
    # by hand: 0.5111 s, 0.5 s, 0.7183 s, 1.0005 s at 10 ms, halves rounded up
    assert frames == {"part0": 51, "part1": 51, "part2": 51, "u0": 50, "u1": 72, "u2": 100}


def test_features_are_those_of_the_channel_and_segment(recipe):
    stage1()
    matrices = dict(read_all(FEATS / "feats.scp", ALL))
    samples, _ = soundfile.read("corpus/u0.wav", dtype="float32")
    torch.testing.assert_close(
        torch.from_numpy(matrices["u0"].copy()),
        compute_fbank(torch.from_numpy(samples[:, 0].copy()), FbankConfig()),
    )
    assert matrices["u1"].shape == (72, 80)


def test_digest_depends_on_audio_and_config_only(recipe):
    info = stage1(nj=2)
    assert stage1(nj=5, feats=Path("data/other")).digest == info.digest
    recordings, supervisions = read_manifests(MANIFESTS)
    for segment in supervisions:
        segment.speaker = "someone"
    write_manifests(MANIFESTS, recordings, supervisions)
    relabelled = stage1(nj=2)
    assert relabelled.digest == info.digest
    assert relabelled.manifests_digest != info.manifests_digest
    assert stage1(FbankConfig(num_mel_bins=40)).digest != info.digest


def test_more_jobs_than_utterances(recipe):
    assert stage1(nj=8) == stage1(nj=1)
    assert sorted(p.name for p in FEATS.glob("fbank.*")) == ["fbank.1.ark"]
    assert sorted(p.name for p in (FEATS / "shards").iterdir()) == ["1"]


def test_shares_cover_everything_once():
    for items, jobs in ((10, 3), (2, 5), (0, 2), (7, 7)):
        parts = [i for job in range(1, jobs + 1) for i in share(items, job, jobs)]
        assert parts == list(range(items))


def test_what_is_there_is_not_computed_again(recipe):
    stage1()
    assert compute_shard(MANIFESTS, FEATS, FbankConfig(), 1, 2) == (0, 3)
    assert all((FEATS / name).exists() for name in INDEX_FILES)
    ark = FEATS / "fbank.1.ark"
    whole = ark.read_bytes()
    ark.write_bytes(whole[:-100])
    assert compute_shard(MANIFESTS, FEATS, FbankConfig(), 1, 2) == (1, 3)
    assert ark.read_bytes() == whole
    assert not any((FEATS / name).exists() for name in INDEX_FILES)


def test_combine_says_what_is_missing_or_stale(recipe):
    config = FbankConfig()
    compute_shard(MANIFESTS, FEATS, config, 1, 2)
    with pytest.raises(FeatureError, match=r"fbank\.2\.ark: this job has not run; run --stage 1"):
        combine(MANIFESTS, FEATS, config, 2)
    compute_shard(MANIFESTS, FEATS, config, 2, 2)
    with pytest.raises(FeatureError, match="num_mel_bins is 80, asked for 64"):
        combine(MANIFESTS, FEATS, FbankConfig(num_mel_bins=64), 2)
    with pytest.raises(FeatureError, match="the manifests or the number of jobs changed since"):
        combine(MANIFESTS, FEATS, config, 1)
    ark = Shard(FEATS, 2).ark
    ark.write_bytes(ark.read_bytes()[:-1])
    with pytest.raises(FeatureError, match="2 utterances, expected 3; missing: u2"):
        combine(MANIFESTS, FEATS, config, 2)


def test_audio_that_changed_since_stage_0(recipe):
    soundfile.write("corpus/u1.wav", np.random.default_rng(9).uniform(-1, 1, (34478, 2)), 48000)
    with pytest.raises(CorpusError, match=r"corpus/u1\.wav: the audio of utterance 'u1' is not"):
        stage1()
    Path("corpus/u1.wav").unlink()
    with pytest.raises(CorpusError, match=r"corpus/u1\.wav: no such file"):
        stage1()


def test_utterance_shorter_than_a_frame_is_named(recipe):
    config = FbankConfig(frame_length_ms=505)
    with pytest.raises(FeatureError, match="utterance 'u0': 8000 samples .* 505 ms"):
        stage1(config)


def test_job_is_held_by_one_process(recipe):
    with locked(Shard(FEATS, 1).folder), pytest.raises(DsnetError, match="another run"):
        compute_shard(MANIFESTS, FEATS, FbankConfig(), 1, 1)
    with pytest.raises(FeatureError, match="job must be 1 to num_jobs"):
        compute_shard(MANIFESTS, FEATS, FbankConfig(), 3, 2)
