"""Feature store: the frames of all utterances end to end in one file, mapped into memory.

    data/<features>/frames.bin      (N, F) float32 or float16, in the order of utt2num_frames

All jobs share the pages that they read, so resident memory does not grow with the corpus.
Axes: N frames of all utterances, U utterances, T frames of one, F dimensions.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dsnet.corpus.kaldi_data import read_list
from dsnet.errors import CorpusError, FeatureError
from dsnet.features.feats import FeatsInfo
from dsnet.files import replacing

FRAMES = "frames.bin"
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
    """

    info: FeatsInfo
    index: dict[str, int]
    lengths: Tensor
    offsets: Tensor
    frames: Tensor

    @classmethod
    def open(cls, feats_dir: Path) -> "FeatureStore":
        """Map what stage 1 wrote.

        Raises:
            FeatureError: it is missing, or its files do not fit together.
        """
        info = FeatsInfo.load(feats_dir)
        path = feats_dir / FRAMES
        counts = _read_counts(feats_dir / "utt2num_frames")
        expected = BYTES[info.storage] * info.dim * info.num_frames
        found = path.stat().st_size if path.is_file() else None
        if found != expected or sum(counts.values()) != info.num_frames:
            raise FeatureError(
                f"{path}: expected {info.num_frames} frames of {info.dim} dimensions "
                f"({expected} bytes), found {'nothing' if found is None else f'{found} bytes'} and "
                f"{sum(counts.values())} frames in utt2num_frames; run --stage 1"
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
        )

    def require(self, utt_ids: Collection[str]) -> None:
        """Make sure that utterances are in the store.

        Raises:
            FeatureError: some are not.
        """
        missing = sorted(utt for utt in utt_ids if utt not in self.index)
        if missing:
            raise FeatureError(
                f"data/{self.info.name}: no features of {len(missing)} of {len(utt_ids)} "
                f"utterances, first: {', '.join(missing[:10])}; run --stage 1"
            )


def _read_counts(path: Path) -> dict[str, int]:
    try:
        return {utt: int(count) for utt, count in read_list(path).items()}
    except (CorpusError, ValueError) as error:
        raise FeatureError(f"{path}: not what stage 1 writes ({error}); run --stage 1") from error


def write_frames(feats_dir: Path, matrices: Iterable[np.ndarray], info: FeatsInfo) -> None:
    """Write the file from (T, F) matrices.

    Raises:
        FeatureError: a matrix of another F.
    """
    with replacing(feats_dir / FRAMES) as temporary, temporary.open("wb") as stream:
        for matrix in matrices:
            if matrix.shape[1] != info.dim:
                raise FeatureError(
                    f"{feats_dir}: a matrix has {matrix.shape[1]} dimensions, expected {info.dim}; "
                    "run --stage 1"
                )
            stream.write(np.ascontiguousarray(matrix, dtype=f"<f{BYTES[info.storage]}").data)
