"""Archives of jobs: killed at any byte they go on, full disks leave nothing that looks whole."""

import os
import signal
import subprocess
import sys

import kaldi_native_io
import kaldiio
import numpy as np
import pytest

from dsnet.errors import FeatureError
from dsnet.features.archive import Shard

STAMP = {"config": {"num_mel_bins": 3}, "num_jobs": 1}
MATRICES = {
    f"u{i}": np.random.default_rng(i).normal(size=(i + 1, 3)).astype("float32") for i in range(4)
}


def write(folder, utt_ids=tuple(MATRICES), stamp=STAMP, method=0):
    shard = Shard(folder, 1)
    shard.start(stamp)
    shard.append([(utt_id, MATRICES[utt_id]) for utt_id in utt_ids], method)
    return shard


def read(shard):
    return {
        utt_id: kaldiio.load_mat(f"{shard.ark}:{entry.start}")
        for utt_id, entry in shard.entries().items()
    }


def assert_whole(shard):
    assert shard.entries().keys() == MATRICES.keys()
    for utt_id, matrix in dict(kaldiio.load_ark(str(shard.ark))).items():
        np.testing.assert_array_equal(matrix, MATRICES[utt_id])
        np.testing.assert_array_equal(read(shard)[utt_id], matrix)
    assert {k: e.num_frames for k, e in shard.entries().items()} == {
        k: len(m) for k, m in MATRICES.items()
    }


def test_round_trip(tmp_path):
    assert_whole(write(tmp_path))


def test_an_archive_is_called_after_its_folder(tmp_path):
    assert Shard(tmp_path / "fbank_64", 3).ark == tmp_path / "fbank_64" / "fbank_64.3.ark"


def test_goes_on_behind_what_is_there(tmp_path):
    shard = write(tmp_path, ["u0", "u1"])
    before = shard.ark.read_bytes()
    assert list(shard.start(STAMP)) == ["u0", "u1"]
    shard.append([(utt_id, MATRICES[utt_id]) for utt_id in ("u2", "u3")], 0)
    assert shard.ark.read_bytes().startswith(before)
    assert_whole(shard)


def test_cut_at_any_byte_it_goes_on_and_ends_with_the_same_bytes(tmp_path):
    whole = write(tmp_path / "whole")
    ark = whole.ark.read_bytes()
    index = (whole.folder / "index").read_bytes()
    for path, data in ((whole.ark, ark), (whole.folder / "index", index)):
        for length in range(len(data) + 1):
            path.write_bytes(data[:length])
            shard = Shard(tmp_path / "whole", 1)
            done = shard.start(STAMP)
            shard.append([(u, m) for u, m in MATRICES.items() if u not in done], 0)
            assert shard.ark.read_bytes() == ark
            assert (shard.folder / "index").read_bytes() == index


def test_garbage_behind_the_last_whole_entry_goes(tmp_path):
    shard = write(tmp_path)
    ark = shard.ark.read_bytes()
    with shard.ark.open("ab") as stream:
        stream.write(b"u4 \0BFM torn")
    with (shard.folder / "index").open("ab") as stream:
        stream.write(b"u4 9999 999999 4\nu5 \xff")
    assert shard.start(STAMP).keys() == MATRICES.keys()
    assert shard.ark.read_bytes() == ark


def test_other_stamp_or_none_discards(tmp_path):
    shard = write(tmp_path)
    assert Shard(tmp_path, 1).start({**STAMP, "num_jobs": 2}) == {}
    assert shard.ark.stat().st_size == 0
    write(tmp_path)
    (shard.folder / "stamp.json").unlink()
    assert Shard(tmp_path, 1).start(STAMP) == {}
    write(tmp_path)
    (shard.folder / "stamp.json").write_text('{"half')
    assert Shard(tmp_path, 1).start(STAMP) == {}


def test_deleted_archive_counts_as_nothing(tmp_path):
    shard = write(tmp_path)
    shard.ark.unlink()
    assert Shard(tmp_path, 1).start(STAMP) == {}


def test_a_flipped_bit_in_any_matrix_is_noticed(tmp_path):
    shard = write(tmp_path)
    whole = shard.ark.read_bytes()
    shard.require_whole()
    for utt_id, entry in shard.entries().items():
        for place in (entry.start, (entry.start + entry.end) // 2, entry.end - 1):
            shard.ark.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
            with pytest.raises(
                FeatureError, match=f"'{utt_id}' .* is damaged.* Delete .*shards, t"
            ):
                shard.require_whole()


def test_an_index_without_checksums_is_read(tmp_path):
    """As an earlier version of the project wrote it."""
    shard = write(tmp_path)
    index = shard.folder / "index"
    lines = [line.rpartition(" ")[0] + "\n" for line in index.read_text().splitlines()]
    index.write_text("".join(lines))
    assert shard.start(STAMP).keys() == MATRICES.keys()
    shard.require_whole()


@pytest.mark.parametrize("method", range(1, 8))
def test_compressed_matrices_are_read_by_kaldi(tmp_path, method):
    shard = write(tmp_path, ["u3"], method=method)
    start = shard.entries()["u3"].start
    ours = kaldiio.load_mat(f"{shard.ark}:{start}")
    kaldis = kaldi_native_io.FloatMatrix.read(f"{shard.ark}:{start}").numpy()
    np.testing.assert_allclose(ours, kaldis, atol=1e-5)
    assert ours.shape == MATRICES["u3"].shape


SCRIPT = """
import resource, sys, time
import numpy as np
from pathlib import Path
from dsnet.features.archive import Shard

def matrices():
    for i in range(int(sys.argv[3]), 10**9):
        yield f"u{i:06d}", np.full((10, 80), i, dtype="float32")

if sys.argv[2] == "full":
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
shard = Shard(Path(sys.argv[1]), 1)
shard.start({"a": 1})
print("started", flush=True)
shard.append(matrices(), 0)
"""


def values(shard):
    return [(matrix == int(utt_id[1:])).all() for utt_id, matrix in read(shard).items()]


def test_full_disk_is_told_and_leaves_whole_utterances(tmp_path):
    command = [sys.executable, "-c", SCRIPT, str(tmp_path), "full", "0"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode != 0
    assert "FeatureError" in done.stderr
    assert "cannot write utterance 'u000015': File too large; once there is room" in done.stderr
    shard = Shard(tmp_path, 1)
    assert shard.ark.stat().st_size == 50_000  # 15 matrices of 3,223 bytes, and a torn one
    assert len(shard.start({"a": 1})) == 15
    assert shard.ark.stat().st_size == 15 * 3223
    assert all(values(shard))


def test_killed_writer_leaves_whole_utterances(tmp_path):
    count = 0
    for _ in range(3):
        command = [sys.executable, "-c", SCRIPT, str(tmp_path), "kill", str(count)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            process.stdout.readline()
            shard = Shard(tmp_path, 1)
            while len(shard.entries()) < count + 30:
                assert process.poll() is None
            os.kill(process.pid, signal.SIGKILL)
        entries = Shard(tmp_path, 1).start({"a": 1})
        assert list(entries) == [f"u{i:06d}" for i in range(len(entries))]
        assert shard.ark.stat().st_size == len(entries) * 3223
        assert all(values(shard))
        assert len(entries) >= count + 30
        count = len(entries)
