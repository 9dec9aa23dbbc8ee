"""The feature store: frames end to end; files that do not fit together are refused."""

import gzip

import numpy as np
import pytest

from dsnet.errors import FeatureError
from dsnet.features.feats import FeatsInfo
from dsnet.features.store import FRAMES, FeatureStore, write_frames

# utterances in an order that is not that of their names
VALUES = {"b": [[0, 1], [2, 3], [4, 5]], "c": [[10, 11]], "a": [[20, 21], [22, 23]]}
INFO = FeatsInfo("toy", "toy", 2, 10.0, {}, "d", "m", num_utterances=3, num_frames=6)


@pytest.fixture
def feats_dir(tmp_path):
    write_frames(tmp_path, ((u, np.array(v, np.float64)) for u, v in VALUES.items()), INFO)
    counts = "".join(f"{utt} {len(value)}\n" for utt, value in VALUES.items())
    (tmp_path / "utt2num_frames").write_text(counts)
    INFO.write(tmp_path)
    return tmp_path


def test_frames_lie_end_to_end_in_the_order_of_utt2num_frames(feats_dir):
    store = FeatureStore.open(feats_dir)
    assert store.index == {"b": 0, "c": 1, "a": 2}
    assert store.lengths.tolist() == [3, 1, 2] and store.offsets.tolist() == [0, 3, 4]
    assert store.frames.tolist() == [row for value in VALUES.values() for row in value]
    # the file itself: little-endian float32, nothing else
    stored = np.frombuffer((feats_dir / FRAMES).read_bytes(), "<f4")
    np.testing.assert_array_equal(stored.reshape(-1, 2), store.frames)


def test_what_is_mapped_cannot_be_spoilt_by_a_reader(feats_dir):
    before = (feats_dir / FRAMES).read_bytes()
    FeatureStore.open(feats_dir).frames[:] = 7.0
    assert (feats_dir / FRAMES).read_bytes() == before


def test_the_first_ten_utterances_without_features_are_named(feats_dir):
    store = FeatureStore.open(feats_dir)
    store.require(["a", "b"])
    strangers = [f"x{i:02}" for i in range(12)]
    named = ", ".join(strangers[:10])
    with pytest.raises(FeatureError, match=f"data/toy: .*12 of 13 utterances, first: {named}; run"):
        store.require(["a", *reversed(strangers)])


def test_any_flipped_bit_is_noticed_by_who_asks_for_the_utterance(feats_dir):
    """ "b" has the bytes 0 to 23, "c" 24 to 31 and "a" 32 to 47."""
    path = feats_dir / FRAMES
    whole = path.read_bytes()
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        utt = "b" if place < 24 else "c" if place < 32 else "a"
        store = FeatureStore.open(feats_dir)
        store.require({"a", "b", "c"} - {utt})
        with pytest.raises(
            FeatureError, match=f"frames.bin: the frames of '{utt}' .* Delete .*bin"
        ):
            store.require([utt])


def test_checksums_are_crc_32(feats_dir):
    """That of b is what gzip writes behind its bytes."""
    stored = gzip.compress((feats_dir / FRAMES).read_bytes()[:24])[-8:-4]
    lines = (feats_dir / "utt2crc32").read_text().splitlines()
    assert lines[0] == f"b {int.from_bytes(stored, 'little')}" and len(lines) == 3


@pytest.mark.parametrize(
    "change", ["no frames", "frames cut off", "a frame less", "no counts", "a checksum less", "odd"]
)
def test_files_that_do_not_fit_together_are_refused(feats_dir, change):
    frames, counts = feats_dir / FRAMES, feats_dir / "utt2num_frames"
    if change == "no frames":
        frames.unlink()
    elif change == "frames cut off":
        frames.write_bytes(frames.read_bytes()[:-1])
    elif change == "a frame less":
        counts.write_text(counts.read_text().replace("b 3", "b 2"))
    elif change == "no counts":
        counts.unlink()
    else:
        text = {"a checksum less": "b 1\nc 1\n", "odd": "b 1\nc 1\na \xff\n"}[change]
        (feats_dir / "utt2crc32").write_text(text, encoding="latin-1")
    with pytest.raises(FeatureError, match="run --stage 1"):
        FeatureStore.open(feats_dir)


def test_a_matrix_of_another_width_is_refused(tmp_path):
    with pytest.raises(FeatureError, match="a matrix has 3 dimensions, expected 2; run --stage 1"):
        write_frames(tmp_path, [("u", np.zeros((4, 2))), ("v", np.zeros((4, 3)))], INFO)
    assert not list(tmp_path.iterdir())
