"""Reading features: what is damaged or stale is named, never read."""

import pickle
from pathlib import Path

import kaldiio
import numpy as np
import pytest

from dsnet.errors import FeatureError
from dsnet.features.feats import FeatsInfo, load_matrix, read_feats_scp

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


def test_each_place_holds_its_matrix(scp):
    for utt_id, place in read_feats_scp(scp).items():
        matrix = load_matrix(place)
        np.testing.assert_array_equal(matrix, MATRICES[utt_id])
        assert matrix.dtype == np.float32


@pytest.mark.parametrize(
    "place",
    ["touch x; tail -c +12 'a b/0.ark' |", "| touch x", "touch x |:3", " touch x|", "-", "x"],
)
def test_no_command_is_run(scp, place):
    with pytest.raises(FeatureError, match="commands are not run"):
        load_matrix(place)
    scp.write_text(f"u0 {place}\n")
    with pytest.raises(FeatureError, match=r"feats\.scp:1: .*a command there is not run"):
        read_feats_scp(scp)
    assert not Path("x").exists()


class Touch:
    """What makes a pickle dangerous: it is called when it is read."""

    def __reduce__(self):
        return Path.touch, (Path("x"),)


def test_no_pickle_is_loaded(scp):
    """kaldiio would: PKL in the place of a matrix says that one follows."""
    Path("p.ark").write_bytes(b"PKL" + pickle.dumps(Touch()))
    with pytest.raises(FeatureError, match="no whole matrix there .*found b'PK'"):
        load_matrix("p.ark:0")
    assert not Path("x").exists()
    kaldiio.load_mat("p.ark:0")
    assert Path("x").exists()  # the test can tell


def test_features_of_another_recipe(scp, tmp_path, monkeypatch):
    """Paths in feats.scp are relative to the recipe that they belong to."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with pytest.raises(FeatureError, match="no such archive, seen from .*elsewhere"):
        load_matrix(read_feats_scp("../feats.scp")["u3"])


def test_archive_that_is_missing_or_cut_off(scp):
    place = read_feats_scp(scp)["u5"]
    data = (scp.parent / "a b" / "1.ark").read_bytes()
    for length in range(int(place.split(":")[1]), len(data)):
        (scp.parent / "a b" / "1.ark").write_bytes(data[:length])
        with pytest.raises(FeatureError, match="no whole matrix there"):
            load_matrix(place)
    (scp.parent / "a b" / "1.ark").unlink()
    with pytest.raises(FeatureError, match=r"a b/1\.ark:\d+: no such archive, seen from .*recipe"):
        load_matrix(place)


def test_place_that_holds_no_matrix(scp):
    kaldiio.save_ark("v.ark", {"v": np.zeros(4, dtype="float32")}, scp="v.scp")
    with pytest.raises(FeatureError, match="expected a matrix"):
        load_matrix(read_feats_scp("v.scp")["v"])


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


@pytest.mark.parametrize("frame_shift_ms", [10.0, None])
def test_info_round_trip(tmp_path, frame_shift_ms):
    config = {"kind": "fbank", "high_freq_hz": 0.0}
    info = FeatsInfo("fbank", "fbank", 80, frame_shift_ms, config, "d", "m", 2, 30, {"x": "1"})
    info.write(tmp_path)
    assert FeatsInfo.load(tmp_path) == info


def test_info_missing_or_malformed(tmp_path):
    with pytest.raises(FeatureError, match=r"feats\.json: no features here; run --stage 1"):
        FeatsInfo.load(tmp_path)
    for text in ("{", "[]", '{"config": {}}'):
        (tmp_path / "feats.json").write_text(text)
        with pytest.raises(FeatureError, match=r"feats\.json: not .*; run --stage 1"):
            FeatsInfo.load(tmp_path)
