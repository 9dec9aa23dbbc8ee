"""Features as other stages read them: feats.scp, matrices, and what they were computed with.

Axes: T frames, F mel bins. Paths in feats.scp are relative to the recipe folder; who reads those of
another recipe gives its folder as `root`.
"""

import dataclasses
import json
import os
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import kaldiio
import numpy as np

from dsnet.errors import FeatureError
from dsnet.features.fbank import FbankConfig, differing_keys
from dsnet.files import read_lines, write_text


@dataclass(frozen=True)
class FeatsInfo:
    """What feats.json says of a feature folder.

    Args:
        config: the FbankConfig as a dict.
        config_digest: identifies it.
        manifests_digest: identifies the manifests.
        num_utterances: over the whole corpus.
        num_frames: over the whole corpus.
        digest: identifies the features: config, utterances and their audio, nothing else.
    """

    config: dict
    config_digest: str
    manifests_digest: str
    num_utterances: int
    num_frames: int
    digest: str

    @property
    def num_mel_bins(self) -> int:
        """F of every matrix."""
        return self.config["num_mel_bins"]

    @classmethod
    def load(cls, feats_dir: Path | str) -> "FeatsInfo":
        """Read feats.json.

        Raises:
            FeatureError: it is missing or not what stage 1 writes.
        """
        path = Path(feats_dir) / "feats.json"
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError as error:
            raise FeatureError(f"{path}: no features here; run --stage 1") from error
        except (ValueError, TypeError) as error:
            raise FeatureError(f"{path}: not a feats.json ({error}); run --stage 1") from error

    def write(self, feats_dir: Path | str) -> None:
        """Write feats.json."""
        write_text(
            Path(feats_dir) / "feats.json", json.dumps(dataclasses.asdict(self), indent=1) + "\n"
        )

    def check(self, config: FbankConfig) -> None:
        """Make sure that the features were computed with `config`.

        Raises:
            FeatureError: they were not; names the keys that differ.
        """
        differing = differing_keys(self.config, config)
        if differing:
            raise FeatureError(f"features of another config: {differing}; run --stage 1")


def read_feats_scp(path: Path | str, root: Path | str = "") -> dict[str, str]:
    """Return per utterance where its matrix lies ("data/fbank/fbank.1.ark:14"), seen from here.

    Args:
        path: feats.scp.
        root: the recipe folder; empty: the current one.

    Raises:
        FeatureError: no such list, a line of another form, or an utterance listed twice.
    """
    path = Path(path)
    if not path.is_file():
        raise FeatureError(f"{path}: no such list of features; run --stage 1")
    places: dict[str, str] = {}
    for number, line in enumerate(read_lines(path), 1):
        utt_id, _, place = line.partition(" ")
        if not utt_id or not place:
            raise FeatureError(f"{path}:{number}: expected 'utt_id archive:offset', found {line!r}")
        if utt_id in places:
            raise FeatureError(f"{path}:{number}: utterance '{utt_id}' is listed twice")
        places[utt_id] = os.path.join(root, place)
    return places


def load_matrix(place: str, files: dict | None = None) -> np.ndarray:
    """Read the matrix that a line of feats.scp points to.

    Args:
        place: "archive:offset".
        files: kaldiio's open archives, to open each once.

    Returns:
        (T, F) float32; read only.

    Raises:
        FeatureError: the archive is missing or cut off, or holds no matrix there.
    """
    try:
        matrix = kaldiio.load_mat(place, fd_dict=files)
    except FileNotFoundError as error:
        raise FeatureError(
            f"{place}: no such archive, seen from {Path.cwd()}; paths in feats.scp are relative to "
            "the recipe folder. If it was deleted, run --stage 1"
        ) from error
    except (OSError, ValueError, RuntimeError, AssertionError, struct.error) as error:
        raise FeatureError(
            f"{place}: no whole matrix there ({error}); is the archive cut off? Run --stage 1"
        ) from error
    if not isinstance(matrix, np.ndarray) or matrix.ndim != 2:
        raise FeatureError(f"{place}: expected a matrix (T, F), found something else")
    return matrix.astype(np.float32, copy=False)


def read_all(
    scp: Path | str, utt_ids: Iterable[str], root: Path | str = ""
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield (utterance, (T, F) float32 matrix) in the order of the archives, each opened once.

    Args:
        scp: feats.scp.
        utt_ids: what to read.
        root: the recipe folder; empty: the current one.

    Raises:
        FeatureError: an utterance without features, an archive that is missing or cut off, or
            matrices of different F.
    """
    places = read_feats_scp(scp, root)
    wanted = list(utt_ids)
    missing = [utt_id for utt_id in wanted if utt_id not in places]
    if missing:
        raise FeatureError(
            f"{scp}: no features of {len(missing)} of {len(wanted)} utterances, first: "
            f"{', '.join(missing[:10])}; run --stage 1"
        )
    wanted.sort(key=lambda utt_id: _position(places[utt_id]))
    files: dict = {}
    num_features = None
    try:
        for utt_id in wanted:
            matrix = load_matrix(places[utt_id], files)
            if num_features not in (None, matrix.shape[1]):
                raise FeatureError(
                    f"{scp}: '{utt_id}' has {matrix.shape[1]} features a frame, '{wanted[0]}' has "
                    f"{num_features}; run --stage 1"
                )
            num_features = matrix.shape[1]
            yield utt_id, matrix
    finally:
        for file in files.values():
            file.close()


def _position(place: str) -> tuple[str, int]:
    ark, _, offset = place.rpartition(":")
    return (ark, int(offset)) if offset.isdecimal() else (place, 0)
