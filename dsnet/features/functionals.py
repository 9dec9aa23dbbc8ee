"""openSMILE functionals of every utterance of a corpus, one vector each, computed once.

<folder>/<set>.npz holds them with a digest of the audio that they were computed from.

Axes: U utterances, F functionals.
Sources: eGeMAPSv02: Eyben et al. 2016, doi 10.1109/TAFFC.2015.2457417; ComParE_2016: Schuller et
al. 2016, doi 10.21437/Interspeech.2016-129.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from lhotse import Recording, SupervisionSegment
from lhotse.utils import compute_num_samples
from tqdm import tqdm

from dsnet.corpus.manifests import read_manifests
from dsnet.errors import FeatureError
from dsnet.features.extract import decode
from dsnet.features.fbank import resample
from dsnet.files import digest, locked, replacing

FEATURE_SETS = {"egemaps": "eGeMAPSv02", "compare": "ComParE_2016"}
SAMPLING_RATE = 16000  # Hz, what the networks hear too
LOUDEST = 1 - 2**-15  # openSMILE turns samples into int16, where 1.0 would become -1.0


@dataclass(frozen=True)
class Functionals:
    """The functionals of a corpus.

    Args:
        values: (U, F) float32.
        speakers: speaker of each utterance.
        row: utterance id to its row.
        digest: identifies feature set, openSMILE version, utterances, speakers and audio.
        opensmile_version: that computed them.
    """

    values: np.ndarray
    speakers: np.ndarray
    row: dict[str, int]
    digest: str
    opensmile_version: str

    @classmethod
    def load(cls, folder: Path | str, set_name: str) -> "Functionals":
        """Read what `compute_functionals` wrote.

        Raises:
            FeatureError: it is not there.
        """
        path = functionals_path(folder, set_name)
        if not path.is_file():
            raise FeatureError(
                f"{path}: no such functionals; run python -m dsnet.bin.compute_functionals "
                f"--set {set_name} data/manifests {folder}"
            )
        with np.load(path) as stored:
            return cls(
                values=stored["values"],
                speakers=stored["speakers"],
                row={utt: i for i, utt in enumerate(stored["utt_ids"].tolist())},
                digest=str(stored["digest"]),
                opensmile_version=str(stored["opensmile_version"]),
            )

    def rows(self, utt_ids: Sequence[str]) -> list[int]:
        """Return the rows of some utterances.

        Raises:
            FeatureError: an utterance that has none.
        """
        missing = [utt for utt in utt_ids if utt not in self.row]
        if missing:
            raise FeatureError(
                f"no functionals of {len(missing)} of {len(utt_ids)} utterances, first: "
                f"{', '.join(missing[:10])}; run python -m dsnet.bin.compute_functionals again"
            )
        return [self.row[utt] for utt in utt_ids]


def functionals_path(folder: Path | str, set_name: str) -> Path:
    """Return where the functionals of a feature set are."""
    return Path(folder) / f"{set_name}.npz"


def compute_functionals(
    manifest_dir: Path | str, folder: Path | str, set_name: str, nj: int
) -> bool:
    """Compute the functionals of every utterance, unless they are there for this very audio.

    Args:
        manifest_dir: folder of stage 0.
        folder: where <set>.npz goes.
        set_name: a key of FEATURE_SETS.
        nj: threads; openSMILE works outside Python's lock.

    Returns:
        Whether anything was computed.

    Raises:
        FeatureError: openSMILE is not installed, or an utterance has a functional that is not
            finite.
        CorpusError: audio that is missing or not what stage 0 saw.
        DsnetError: another process computes them.
    """
    opensmile = _import_opensmile()
    recordings, supervisions = read_manifests(manifest_dir)
    by_id = {recording.id: recording for recording in recordings}
    pairs = [(segment, by_id[segment.recording_id]) for segment in supervisions]
    wanted = _digest(pairs, set_name, opensmile.__version__)
    path = functionals_path(folder, set_name)
    with locked(folder):
        if path.is_file() and Functionals.load(folder, set_name).digest == wanted:
            return False
        smile = opensmile.Smile(
            opensmile.FeatureSet[FEATURE_SETS[set_name]], opensmile.FeatureLevel.Functionals
        )

        def compute(pair: tuple[SupervisionSegment, Recording]) -> np.ndarray:
            values = smile(_samples(*pair), SAMPLING_RATE)[0, :, 0]
            if not np.isfinite(values).all():  # also how openSMILE says "too short"
                raise FeatureError(
                    f"utterance '{pair[0].id}' ({pair[0].duration:.3f} s): "
                    f"{np.count_nonzero(~np.isfinite(values))} of {len(values)} functionals are "
                    "not finite; is it too short or silent? Leave it out in stage 0"
                )
            return values

        with ThreadPoolExecutor(nj) as pool:
            done = tqdm(
                pool.map(compute, pairs), set_name, len(pairs), unit=" utterances", disable=None
            )
            values = np.stack(list(done))
        with replacing(path) as temporary:
            np.savez(
                temporary,
                values=values,
                speakers=np.array([segment.speaker for segment, _ in pairs]),
                utt_ids=np.array([segment.id for segment, _ in pairs]),
                digest=wanted,
                opensmile_version=opensmile.__version__,
            )
    return True


def _import_opensmile() -> ModuleType:
    try:
        import opensmile
    except ImportError as error:
        raise FeatureError(
            f"openSMILE, which computes functionals, is not there ({error}); install it with "
            "pip install 'dsnet[opensmile]', in a checkout pip install -e '.[opensmile]'"
        ) from error
    return opensmile


def _digest(
    pairs: list[tuple[SupervisionSegment, Recording]], set_name: str, opensmile_version: str
) -> str:
    parts = [FEATURE_SETS[set_name], opensmile_version, str(SAMPLING_RATE)]
    for segment, recording in pairs:
        audio_hash = (segment.custom or {}).get("audio_hash")
        parts.append(f"{segment.id} {segment.speaker} {recording.sampling_rate} {audio_hash}")
    return digest(parts)


def _samples(segment: SupervisionSegment, recording: Recording) -> np.ndarray:
    """Decode an utterance: samples at SAMPLING_RATE that fit into int16."""
    samples = resample(
        torch.from_numpy(decode(segment, recording)),
        recording.sampling_rate,
        SAMPLING_RATE,
        compute_num_samples(segment.duration, SAMPLING_RATE),
    )
    return samples.clamp(-1, LOUDEST).numpy()
