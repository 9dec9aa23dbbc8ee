"""What programs read, changed at random: accepted or refused by name, never a traceback."""

import gzip
import io
from pathlib import Path

import kaldiio
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dsnet.config import load
from dsnet.corpus.kaldi_data import read_kaldi
from dsnet.corpus.manifests import read_manifests
from dsnet.corpus.table import read_table
from dsnet.errors import DsnetError
from dsnet.features.feats import load_matrix, read_feats_scp
from dsnet.folds.task_data import TaskData
from dsnet.results.ledger import read_ledger
from dsnet.results.posteriors import read_posteriors
from dsnet.systems.config import SystemConfig
from dsnet.task import TaskConfig

EGS = Path(__file__).parents[1] / "egs"
PIECES = [b"\n", b"\r", b"\0", b"\t", b" ", b'"', b"'", b",", b";", b":", b"{", b"}", b"[", b"]",
          b"-1", b"nan", b"1e999", b"null", b"\xff\xfe", b"\xef\xbb\xbf", "é".encode(), b"|", b"/",
          b"&a", b"*a", b"!!python/name:os.system", b"BM ", b"\x04\xff\xff\xff\x7f"]  # fmt: skip


KALDI = {
    "wav.scp": b"a a.wav\nb b.wav\n",
    "segments": b"a1 a 0.0 1.0\nb1 b 0.5 1.5\n",
    "utt2spk": b"a1 ann\nb1 bob\n",
    "utt2emo": b"a1 sad\nb1 neutral\n",
    "text": b"a1 yes\nb1 no\n",
}
TASK = {
    "utt2emo": b"a1 sad\na2 neutral\nb1 neutral\n", "utt2spk": b"a1 ann\na2 ann\nb1 bob\n",
    "neutral2spk": b"a2 ann\nb1 bob\n", "spk2neutral": b"ann a2\nbob b1\n", "folds": b"one\n",
    "fold_one/test": b"a1\na2\n", "fold_one/dev": b"", "fold_one/train": b"b1\n",
    "task.json": b'{"classes": ["neutral", "sad"], "references": {"fallback_speakers": []},'
    b' "protocol": {"validation": "none"}}',
}  # fmt: skip
MANIFESTS = {
    "recordings": b'{"id": "a", "sources": [{"type": "file", "channels": [0], "source": "a.wav"}], '
    b'"sampling_rate": 16000, "num_samples": 16000, "duration": 1.0, "channel_ids": [0]}\n',
    "supervisions": b'{"id": "a", "recording_id": "a", "start": 0.0, "duration": 1.0, "channel": 0,'
    b' "speaker": "s", "custom": {"emotion": "N"}}\n',
}


def ark() -> bytes:
    file = io.BytesIO()
    kaldiio.save_ark(file, {"a": np.arange(20, dtype="float32").reshape(5, 4)})
    return file.getvalue()


def read_task(path: Path) -> None:
    folder = path.parent if path.parent.name != "fold_one" else path.parents[1]
    TaskData.load(folder).fold("one")


def read_places(path: Path) -> None:
    for place in read_feats_scp(path).values():
        load_matrix(place)


KINDS = {
    "table.csv": (
        b"path,speaker,emotion,start\na.wav,ann,sad,0.5\nb.wav,bob,neutral,\n",
        read_table,
    ),
    "task.yaml": (
        (EGS / "iemocap/conf/4class.yaml").read_bytes(),
        lambda path: load(path, TaskConfig),
    ),
    "system.yaml": (
        (EGS / "conf/systems/whisper_base.yaml").read_bytes(),
        lambda path: load(path, SystemConfig),
    ),
    "feats.scp": (b"a f.ark:2\nb f.ark:2\n", read_places),
    "f.ark": (ark(), lambda path: load_matrix(f"{path}:2")),
    "posteriors.tsv": (
        b"utt_id\tneutral\tsad\na\t0.25\t0.75\nb\t0.5\t0.5\n",
        lambda path: read_posteriors(path, ["neutral", "sad"]),
    ),
    "ledger.jsonl": ((EGS / "emodb/ledger.jsonl").read_bytes().splitlines()[0], read_ledger),
}
for name, content in KALDI.items():
    KINDS[f"kaldi/{name}"] = (content, lambda path: read_kaldi(path.parent))
for name, content in TASK.items():
    KINDS[f"task/{name}"] = (content, read_task)
for name, content in MANIFESTS.items():
    KINDS[f"manifests/{name}.jsonl.gz"] = (content, lambda path: read_manifests(path.parent))


@st.composite
def changed(draw, content: bytes) -> bytes:
    """Delete, insert or overwrite at one to four places."""
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(content)))
        length = draw(st.sampled_from([0, 0, 1, 2, 5, 1000]))
        piece = draw(st.sampled_from([b"", *PIECES]) | st.binary(max_size=4))
        content = content[:place] + piece + content[place + length :]
    return content


def write_all(top: Path) -> None:
    for name, (content, _) in KINDS.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


@pytest.mark.parametrize("name", KINDS)
def test_a_changed_file_is_no_traceback(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_all(tmp_path)
    content, read = KINDS[name]
    read(tmp_path / name)  # as it is, it is accepted

    @settings(
        max_examples=150, deadline=None, database=None, derandomize=True,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(changed(content))
    def play(damaged: bytes) -> None:
        path = tmp_path / name
        path.write_bytes(gzip.compress(damaged) if path.suffix == ".gz" else damaged)
        try:
            read(path)
        except DsnetError as error:
            assert str(error)

    play()
