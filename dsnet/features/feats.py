"""Features as other stages read them: feats.json, feats.scp and the matrices that it points to.

Axes: T frames, F dimensions. Paths in feats.scp are relative to the recipe folder.
"""

import dataclasses
import json
import re
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from kaldiio.matio import read_kaldi

from dsnet.config import differences
from dsnet.errors import FeatureError
from dsnet.files import read_json, read_lines, write_text
from dsnet.recipe import Recipe

PLACE = re.compile(r"[^|\s][^|]*:\d+")  # not Kaldi's commands, which begin or end with a |
BINARY = b"\0B"  # what a matrix of Kaldi's begins with


@dataclass(frozen=True)
class FeatsInfo:
    """What feats.json says of a feature folder.

    Args:
        name: of the type, which is that of the folder.
        kind: a key of dsnet.features.FEATURES.
        dim: F.
        frame_shift_ms: None: one vector an utterance.
        config: of the type, as a dict.
        identity: what else changes the values, such as the version of a library.
        digest: identifies the features: config, identity, utterances and their audio.
        manifests_digest: identifies the manifests.
        num_utterances: over the whole corpus.
        num_frames: over the whole corpus, at all speeds.
        num_layers: so many blocks of equal size, of one layer of an encoder each, make up F.
        storage: of the feature store: float32 or float16.
    """

    name: str
    kind: str
    dim: int
    frame_shift_ms: float | None
    config: dict[str, Any]
    digest: str
    manifests_digest: str
    num_utterances: int
    num_frames: int
    num_layers: int = 1
    storage: str = "float32"
    identity: dict[str, str] = field(default_factory=dict)

    @property
    def all_speeds(self) -> list[float]:
        """Return the factors of speed at which every utterance is there, 1 first."""
        return [1, *self.config.get("speeds", [])]

    @classmethod
    def load(cls, feats_dir: Path | str) -> "FeatsInfo":
        """Read feats.json.

        Raises:
            FeatureError: it is missing or not what stage 1 writes.
        """
        path = Path(feats_dir) / "feats.json"
        if not path.is_file():
            raise FeatureError(f"{path}: no features here; run --stage 1")
        content = read_json(path, FeatureError, "run --stage 1")
        try:
            return cls(**content)
        except TypeError as error:  # other keys
            raise FeatureError(f"{path}: not a feats.json ({error}); run --stage 1") from error

    def write(self, feats_dir: Path | str) -> None:
        """Write feats.json."""
        write_text(
            Path(feats_dir) / "feats.json", json.dumps(dataclasses.asdict(self), indent=1) + "\n"
        )


def read_feats_scp(path: Path | str) -> dict[str, str]:
    """Return per utterance where its matrix lies ("data/fbank/fbank.1.ark:14").

    Raises:
        FeatureError: no such list, a line of another form, or an utterance listed twice.
    """
    path = Path(path)
    if not path.is_file():
        raise FeatureError(f"{path}: no such list of features; run --stage 1")
    places: dict[str, str] = {}
    for number, line in enumerate(read_lines(path), 1):
        utt_id, _, place = line.partition(" ")
        if not utt_id or not PLACE.fullmatch(place):
            raise FeatureError(
                f"{path}:{number}: expected 'utt_id archive:offset', found {line!r}; a command "
                "there is not run. Run --stage 1"
            )
        if utt_id in places:
            raise FeatureError(f"{path}:{number}: utterance '{utt_id}' is listed twice")
        places[utt_id] = place
    return places


def load_matrix(place: str) -> np.ndarray:
    """Read the matrix that a line of feats.scp points to.

    Args:
        place: "archive:offset".

    Returns:
        (T, F) float32; read only.

    Raises:
        FeatureError: the archive is missing or cut off, or holds no matrix there; or the place is
            a command, which Kaldi would run.
    """
    if not PLACE.fullmatch(place):
        raise FeatureError(f"{place!r}: expected archive:offset; commands are not run")
    archive, _, offset = place.rpartition(":")
    try:
        with open(archive, "rb") as stream:
            matrix = _read_matrix(stream, int(offset))
    except FileNotFoundError as error:
        raise FeatureError(
            f"{place}: no such archive, seen from {Path.cwd()}; paths in feats.scp are relative to "
            "the recipe folder. If it was deleted, run --stage 1"
        ) from error
    except (OSError, ValueError, RuntimeError, AssertionError, MemoryError, struct.error) as error:
        raise FeatureError(
            f"{place}: no whole matrix there ({error}); is the archive cut off? Run --stage 1"
        ) from error
    if not isinstance(matrix, np.ndarray) or matrix.ndim != 2:
        raise FeatureError(f"{place}: expected a matrix (T, F), found something else")
    return matrix.astype(np.float32, copy=False)


def _read_matrix(stream: BinaryIO, offset: int) -> Any:
    """Read Kaldi's binary form and no other; kaldiio would also load a pickle."""
    stream.seek(offset)
    head = stream.read(len(BINARY))
    if head != BINARY:
        raise ValueError(f"expected {BINARY!r} at its beginning, found {head!r}")
    stream.seek(offset)
    return read_kaldi(stream)


def require_alike(here: FeatsInfo, there: FeatsInfo, recipe: Recipe, other: Recipe) -> None:
    """Make sure that features of two recipes were computed in the same way.

    Raises:
        FeatureError: models hear the features that they were trained with.
    """
    one, two = (
        {"kind": info.kind, **info.config, "library": info.identity} for info in (here, there)
    )
    if one != two:
        raise FeatureError(
            f"the features '{here.name}' of egs/{recipe.name} and egs/{other.name} were computed "
            f"differently ({', '.join(differences(one, two))}). Models hear the features that they "
            "were trained with: make the configs equal and run stage 1 of both again"
        )
