"""The surest mistakes of a system, to be listened to.

Axes: N utterances, K classes.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from lhotse import Recording, SupervisionSegment

from dsnet.corpus.manifests import read_manifests
from dsnet.errors import CorpusError
from dsnet.features.extract import decode
from dsnet.features.fbank import FbankConfig
from dsnet.recipe import Recipe
from dsnet.report.answer import best_rows
from dsnet.report.spectrogram import sound_uri, spectrogram_uri
from dsnet.results.runs import Results, SystemResults
from dsnet.results.store import StoredRun

MOST = 12
PLAYED = {".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a"}  # what browsers can play by a link
SOUNDS = ("link", "embed", "none")
COLUMNS = 400  # of a spectrogram; a dozen of them are on a page


@dataclass(frozen=True)
class Mistake:
    """An utterance that was taken for something else.

    Args:
        utterance: its id.
        speaker: who says it.
        text: what is said; None: the corpus does not tell.
        label: its class.
        answer: the class that it was taken for.
        scores: probability of each class, mean over seeds.
        seconds: how long it is.
        picture: spectrogram, a data URI, or empty.
        sound: what a player may load: a link, a data URI, or empty.
    """

    utterance: str
    speaker: str
    text: str | None
    label: str
    answer: str
    scores: dict[str, float]
    seconds: float
    picture: str
    sound: str


@dataclass(frozen=True)
class Listening:
    """Mistakes of a row, surest first, of `num_mistakes`; `note` says why there are none."""

    row: str
    mistakes: list[Mistake]
    num_mistakes: int
    num_scored: int
    note: str = ""


def surest_mistakes(
    results: Results, summary: Mapping[str, Any], recipe: Recipe, page_dir: Path, sound: str
) -> Listening | None:
    """Return the surest mistakes of the first answer of the page whose posteriors are here.

    Args:
        results: what was tested, within one corpus.
        summary: from `summarise`, of the same results.
        recipe: with the manifests.
        page_dir: folder of the page, from which links lead to recordings.
        sound: one of SOUNDS; with "none" there is neither picture nor text of the corpus either.

    Returns:
        None if nobody's posteriors are here. Without the recordings there is a note only.
    """
    row = _best_row_here(results, summary)
    if row is None:
        return None
    scores = _mean_scores(row)
    labels = row.test_set.labels
    wrong = {utt: s for utt, s in scores.items() if int(s.argmax()) != labels[utt]}
    chosen = sorted(wrong, key=lambda utt: (-wrong[utt].max(), utt))[:MOST]
    try:
        recordings, supervisions = read_manifests(recipe.manifests)
        found = [
            _mistake(segment, recordings[segment.recording_id], row, wrong[utt], page_dir, sound)
            for utt, segment in ((utt, supervisions[utt]) for utt in chosen)
        ]
    except CorpusError as error:
        return Listening(row.name, [], len(wrong), len(scores), f"Cannot be listened to: {error}")
    return Listening(row.name, found, len(wrong), len(scores))


def _best_row_here(results: Results, summary: Mapping[str, Any]) -> SystemResults | None:
    rows = {row.name: row for row in results.systems}
    best = (rows[best.row] for best in best_rows(dict(summary)))
    return next((row for row in best if all(run.folder is not None for run in row.runs)), None)


def _mean_scores(row: SystemResults) -> dict[str, np.ndarray]:
    """Return the mean (K,) probabilities of each utterance that the row's figures count."""
    tested = {row.test_set.name: row.test_set}
    found: dict[str, list[np.ndarray]] = {}
    for run in row.runs:
        assert run.folder is not None
        utts, posteriors = StoredRun(run.folder, run.info).read("test", tested)
        for utt, values in zip(utts, posteriors, strict=True):
            if utt not in row.given:
                found.setdefault(utt, []).append(values)
    return {utt: np.mean(values, axis=0) for utt, values in found.items()}


def _mistake(
    segment: SupervisionSegment,
    recording: Recording,
    row: SystemResults,
    scores: np.ndarray,
    page_dir: Path,
    sound: str,
) -> Mistake:
    test, samples = row.test_set, decode(segment, recording)
    rate = recording.sampling_rate
    return Mistake(
        utterance=segment.id,
        speaker=test.task.utt2spk[segment.id],
        text=segment.text if sound != "none" else None,
        label=test.classes[test.labels[segment.id]],
        answer=test.classes[int(scores.argmax())],
        scores=dict(zip(test.classes, scores.tolist(), strict=True)),
        seconds=segment.duration,
        picture=spectrogram_uri(samples, rate, FbankConfig(), COLUMNS) if sound != "none" else "",
        sound={
            "none": lambda: "",
            "embed": lambda: sound_uri(samples, rate),
            "link": lambda: _link(segment, recording, page_dir) or sound_uri(samples, rate),
        }[sound](),
    )


def _link(segment: SupervisionSegment, recording: Recording, page_dir: Path) -> str:
    """Return where a page finds an utterance; nothing if a browser cannot play it from there.

    It plays all channels, so an utterance of one of several is no link.
    """
    path = Path(recording.sources[0].source)
    if path.suffix.lower() not in PLAYED or recording.num_channels > 1:
        return ""
    link = quote(os.path.relpath(path, page_dir))
    if segment.start == 0 and segment.duration == recording.duration:
        return link
    return f"{link}#t={segment.start:.3f},{segment.end:.3f}"
