"""Feature store: the frames of all utterances end to end in one file, mapped into memory.

    data/<features>/frames.bin      (N, F) float32 or float16, in the order of utt2num_frames:
                                    every utterance, and behind it its copies at other speeds
    data/<features>/utt2crc32       of each utterance's bytes there

An utterance is checked when a program asks for it first. All jobs share the pages that they read,
so resident memory does not grow with the corpus.
Axes: N frames of all utterances, U utterances, T frames of one, F dimensions.
"""

import zlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dsnet.corpus.kaldi_data import read_list
from dsnet.errors import DsnetError, FeatureError
from dsnet.features.extractor import at_speed
from dsnet.features.feats import FeatsInfo
from dsnet.files import replacing, write_text

FRAMES = "frames.bin"
CHECKSUMS = "utt2crc32"
BYTES = {"float32": 4, "float16": 2}  # a number; little-endian


@dataclass(frozen=True)
class FeatureStore:
    """The features of a corpus.

    Args:
        info: of feats.json.
        index: place of each utterance.
        lengths: (U,) frames of each.
        offsets: (U,) where its frames begin.
        frames: (N, F); to be read only.
        path: of frames.bin.
        checksums: CRC-32 of each utterance's bytes.
        checked: utterances whose bytes were found to have it.
    """

    info: FeatsInfo
    index: dict[str, int]
    lengths: Tensor
    offsets: Tensor
    frames: Tensor
    path: Path
    checksums: dict[str, int]
    checked: set[str] = field(default_factory=set)

    @classmethod
    def open(cls, feats_dir: Path) -> "FeatureStore":
        """Map what stage 1 wrote.

        Raises:
            FeatureError: it is missing, or its files do not fit together.
        """
        info = FeatsInfo.load(feats_dir)
        path = feats_dir / FRAMES
        counts = _read_numbers(feats_dir / "utt2num_frames")
        checksums = _read_numbers(feats_dir / CHECKSUMS)
        expected = BYTES[info.storage] * info.dim * info.num_frames
        found = path.stat().st_size if path.is_file() else None
        if found != expected or sum(counts.values()) != info.num_frames:
            raise FeatureError(
                f"{path}: expected {info.num_frames} frames of {info.dim} dimensions "
                f"({expected} bytes), found {'nothing' if found is None else f'{found} bytes'} and "
                f"{sum(counts.values())} frames in utt2num_frames; run --stage 1"
            )
        speeds, names = info.all_speeds, list(counts)
        for place, utt in enumerate(names):
            first, version = divmod(place, len(speeds))
            if utt != at_speed(names[first * len(speeds)], speeds[version]):
                raise FeatureError(
                    f"{feats_dir / 'utt2num_frames'}: '{utt}' in line {place + 1}, expected every "
                    f"utterance at speeds {speeds}, behind each other; run --stage 1"
                )
        if checksums.keys() != counts.keys():
            raise FeatureError(
                f"{feats_dir / CHECKSUMS}: {len(checksums)} utterances, expected the "
                f"{len(counts)} of utt2num_frames; run --stage 1"
            )
        flat = torch.from_file(
            str(path),
            shared=False,
            size=info.dim * info.num_frames,
            dtype=getattr(torch, info.storage),
        )
        lengths = torch.tensor(list(counts.values()))
        return cls(
            info=info,
            index={utt: place for place, utt in enumerate(counts)},
            lengths=lengths,
            offsets=lengths.cumsum(0) - lengths,
            frames=flat.view(info.num_frames, info.dim),
            path=path,
            checksums=checksums,
        )

    def require(self, utt_ids: Collection[str]) -> None:
        """Make sure that utterances and their copies are in the store, as they were written.

        Raises:
            FeatureError: some are not, or are damaged.
        """
        wanted = {at_speed(utt, speed) for utt in utt_ids for speed in self.info.all_speeds}
        missing = sorted(utt for utt in wanted if utt not in self.index)
        if missing:
            raise FeatureError(
                f"data/{self.info.name}: no features of {len(missing)} of {len(wanted)} "
                f"utterances, first: {', '.join(missing[:10])}; run --stage 1"
            )
        for utt in sorted(wanted - self.checked, key=self.index.__getitem__):
            place = self.index[utt]
            start, length = int(self.offsets[place]), int(self.lengths[place])
            if zlib.crc32(self.frames[start : start + length].numpy()) != self.checksums[utt]:
                raise FeatureError(
                    f"{self.path}: the frames of '{utt}' are damaged: their checksum is not the "
                    f"one in {CHECKSUMS}. Delete {self.path}, then run --stage 1"
                )
            self.checked.add(utt)


def _read_numbers(path: Path) -> dict[str, int]:
    try:
        return {utt: int(number) for utt, number in read_list(path).items()}
    except (DsnetError, ValueError) as error:
        raise FeatureError(f"{path}: not what stage 1 writes ({error}); run --stage 1") from error


def write_frames(
    feats_dir: Path, matrices: Iterable[tuple[str, np.ndarray]], info: FeatsInfo
) -> None:
    """Write frames.bin and utt2crc32 from (utterance id, (T, F) matrix) pairs.

    Raises:
        FeatureError: a matrix of another F.
    """
    checksums = []
    with replacing(feats_dir / FRAMES) as temporary, temporary.open("wb") as stream:
        for utt, matrix in matrices:
            if matrix.shape[1] != info.dim:
                raise FeatureError(
                    f"{feats_dir}: a matrix has {matrix.shape[1]} dimensions, expected {info.dim}; "
                    "run --stage 1"
                )
            data = np.ascontiguousarray(matrix, dtype=f"<f{BYTES[info.storage]}").data
            stream.write(data)
            checksums.append(f"{utt} {zlib.crc32(data)}\n")
    write_text(feats_dir / CHECKSUMS, "".join(checksums))
