"""Reading features: what is damaged or stale is named, never read."""

import dataclasses

import kaldiio
import numpy as np
import pytest

from dsnet.config import config_digest
from dsnet.errors import FeatureError
from dsnet.features.fbank import FbankConfig
from dsnet.features.feats import FeatsInfo, load_matrix, read_all, read_feats_scp

MATRICES = {
    f"u{i}": np.random.default_rng(i).normal(size=(5 + i, 3)).astype("float32") for i in range(6)
}


@pytest.fixture
def scp(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a b").mkdir()
    for job, utt_ids in enumerate((["u0", "u2", "u4"], ["u1", "u3", "u5"])):
        given = {utt_id: MATRICES[utt_id] for utt_id in utt_ids}
        kaldiio.save_ark(f"a b/{job}.ark", given, scp="feats.scp", append=job > 0)
    return tmp_path / "feats.scp"


def test_read_all_reads_each_in_archive_order(scp):
    found = list(read_all(scp, ["u5", "u0", "u3", "u2"]))
    assert [utt_id for utt_id, _ in found] == ["u0", "u2", "u3", "u5"]
    for utt_id, matrix in found:
        np.testing.assert_array_equal(matrix, MATRICES[utt_id])
        assert matrix.dtype == np.float32


def test_features_of_another_recipe(scp, tmp_path, monkeypatch):
    """Paths in feats.scp are relative to the recipe that they belong to."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    ((utt_id, matrix),) = read_all("../feats.scp", ["u3"], root="..")
    assert utt_id == "u3"
    np.testing.assert_array_equal(matrix, MATRICES["u3"])
    with pytest.raises(FeatureError, match="no such archive, seen from .*elsewhere"):
        list(read_all("../feats.scp", ["u3"]))


def test_utterance_without_features(scp):
    with pytest.raises(FeatureError, match="no features of 2 of 3 utterances, first: x, y; run"):
        list(read_all(scp, ["x", "u1", "y"]))


def test_archive_that_is_missing_or_cut_off(scp, monkeypatch):
    place = read_feats_scp(scp)["u5"]
    data = (scp.parent / "a b" / "1.ark").read_bytes()
    for length in range(int(place.split(":")[1]), len(data)):
        (scp.parent / "a b" / "1.ark").write_bytes(data[:length])
        with pytest.raises(FeatureError, match="no whole matrix there"):
            load_matrix(place)
    (scp.parent / "a b" / "1.ark").unlink()
    with pytest.raises(FeatureError, match=r"a b/1\.ark:\d+: no such archive, seen from .*recipe"):
        list(read_all(scp, ["u1"]))


def test_place_that_holds_no_matrix(scp):
    kaldiio.save_ark("v.ark", {"v": np.zeros(4, dtype="float32")}, scp="v.scp")
    with pytest.raises(FeatureError, match="expected a matrix"):
        load_matrix(read_feats_scp("v.scp")["v"])


def test_matrices_of_different_width(scp):
    kaldiio.save_ark("w.ark", {"w": np.zeros((2, 4), dtype="float32")}, scp=str(scp), append=True)
    with pytest.raises(FeatureError, match="'w' has 4 features a frame, 'u0' has 3"):
        list(read_all(scp, ["u0", "w"]))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("u1\n", "feats.scp:1: expected"),
        ("u1 a:1\nu1 a:2\n", "feats.scp:2: .*'u1' is listed twice"),
    ],
)
def test_malformed_list(tmp_path, text, message):
    (tmp_path / "feats.scp").write_text(text)
    with pytest.raises(FeatureError, match=message):
        read_feats_scp(tmp_path / "feats.scp")
    with pytest.raises(FeatureError, match="none.scp: no such list of features; run --stage 1"):
        read_feats_scp(tmp_path / "none.scp")


def test_info_round_trip_and_stale_config(tmp_path):
    config = FbankConfig()
    info = FeatsInfo(dataclasses.asdict(config), config_digest(config), "m", 2, 30, "d")
    info.write(tmp_path)
    assert FeatsInfo.load(tmp_path) == info
    assert info.num_mel_bins == 80
    info.check(config)
    with pytest.raises(
        FeatureError, match=r"frame_shift_ms is 10\.0, asked for 20\.0; run --stage"
    ):
        info.check(FbankConfig(frame_shift_ms=20.0))


def test_info_missing_or_malformed(tmp_path):
    with pytest.raises(FeatureError, match=r"feats\.json: no features here; run --stage 1"):
        FeatsInfo.load(tmp_path)
    for text in ("{", "[]", '{"config": {}}'):
        (tmp_path / "feats.json").write_text(text)
        with pytest.raises(FeatureError, match=r"not a feats\.json"):
            FeatsInfo.load(tmp_path)
