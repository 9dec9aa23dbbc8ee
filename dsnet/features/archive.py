"""A job's Kaldi archive, written so that a job killed at any moment can go on where it was.

An index beside the archive has a line an utterance, written after its matrix: id, where the matrix
starts, where it ends, number of frames, CRC-32 of its bytes. What the archive holds beyond the last
whole line of the index is the tail of a killed job and is cut off.
"""

import io
import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import kaldiio
import numpy as np

from dsnet.errors import FeatureError
from dsnet.files import write_text


@dataclass(frozen=True)
class Entry:
    """Where an utterance's matrix lies in its archive, in bytes, and how many frames it has.

    `crc32` is that of these bytes; an index of an earlier version of the project has none.
    """

    start: int
    end: int
    num_frames: int
    crc32: int | None = None


class Shard:
    """The archive and index of one job.

    Args:
        feats_dir: data/<features>; holds <features>.<job>.ark, and the index in shards/<job>/.
        job: number of the job, from 1.
    """

    def __init__(self, feats_dir: Path, job: int) -> None:
        self.ark = feats_dir / f"{feats_dir.name}.{job}.ark"
        self.folder = feats_dir / "shards" / str(job)
        self._index = self.folder / "index"
        self._stamp = self.folder / "stamp.json"

    def stamp(self) -> dict | None:
        """Return what this archive was computed from; None if nothing is known."""
        try:
            return json.loads(self._stamp.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def start(self, stamp: dict) -> dict[str, Entry]:
        """Make ready for writing: keep what was computed from `stamp`, discard anything else.

        Returns:
            The utterances that are there already.
        """
        if self.stamp() != stamp:
            for path in (self._stamp, self._index, self.ark):
                path.unlink(missing_ok=True)
            write_text(self._stamp, json.dumps(stamp, indent=1) + "\n")
        entries, index_bytes = self._whole_entries()
        for path, length in ((self.ark, _end(entries)), (self._index, index_bytes)):
            with path.open("ab") as stream:
                stream.truncate(length)
        return entries

    def entries(self) -> dict[str, Entry]:
        """Return the utterances whose matrices are whole, in the order written."""
        return self._whole_entries()[0]

    def require_whole(self) -> None:
        """Make sure that every matrix still has the bytes that were written.

        Raises:
            FeatureError: one has others; says what to do.
        """
        with self.ark.open("rb") as ark:
            for utt_id, entry in self.entries().items():
                ark.seek(entry.start)
                data = ark.read(entry.end - entry.start)
                if entry.crc32 not in (None, zlib.crc32(data)):
                    raise FeatureError(
                        f"{self.ark}: the matrix of '{utt_id}' (byte {entry.start}) is damaged: "
                        f"its checksum is not that in {self._index}. Delete {self.folder.parent}, "
                        "then run --stage 1, which computes these features anew"
                    )

    def append(self, matrices: Iterable[tuple[str, np.ndarray]], compression_method: int) -> None:
        """Write (utterance id, (T, F) matrix) pairs behind those that are there.

        Raises:
            FeatureError: the disk is full or fails; what was written before stays usable.
        """
        position = _end(self.entries())
        with self.ark.open("ab", buffering=0) as ark, self._index.open("ab", buffering=0) as index:
            for utt_id, matrix in matrices:
                data = _packed(utt_id, matrix, compression_method)
                start = position + len(utt_id.encode()) + 1
                checksum = zlib.crc32(data[start - position :])
                position += len(data)
                line = f"{utt_id} {start} {position} {len(matrix)} {checksum}\n"
                try:
                    _write_all(ark, data)  # unbuffered: in the file before the index says so
                    _write_all(index, line.encode())
                except OSError as error:
                    raise FeatureError(
                        f"{self.ark}: cannot write utterance '{utt_id}': {error.strerror}; once "
                        "there is room, the same command goes on with this utterance"
                    ) from error

    def _whole_entries(self) -> tuple[dict[str, Entry], int]:
        """Return the entries that the archive really holds, and the bytes of the index for them."""
        if not (self._index.is_file() and self.ark.is_file()):
            return {}, 0
        ark_bytes = self.ark.stat().st_size
        entries: dict[str, Entry] = {}
        position = index_bytes = 0
        for line in self._index.read_bytes().splitlines(keepends=True):
            fields = line.decode(errors="replace").split()
            if (
                len(fields) not in (4, 5)
                or not line.endswith(b"\n")
                or not all(map(str.isdecimal, fields[1:]))
            ):
                break
            utt_id, entry = fields[0], Entry(*map(int, fields[1:]))
            if entry.start != position + len(utt_id.encode()) + 1 or entry.end > ark_bytes:
                break
            entries[utt_id] = entry
            position, index_bytes = entry.end, index_bytes + len(line)
        return entries, index_bytes


def _end(entries: dict[str, Entry]) -> int:
    return next(reversed(entries.values())).end if entries else 0


def _packed(utt_id: str, matrix: np.ndarray, compression_method: int) -> bytes:
    stream = io.BytesIO()
    kaldiio.save_ark(stream, {utt_id: matrix}, compression_method=compression_method or None)
    return stream.getvalue()


def _write_all(stream: BinaryIO, data: bytes) -> None:
    rest = memoryview(data)
    while rest:  # an unbuffered write may take only a part when the disk is nearly full
        rest = rest[stream.write(rest) :]
