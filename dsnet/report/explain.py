"""One HTML page that shows a person what a model made of one recording.

The page needs nothing but itself: sound and spectrogram are in it, lines are SVG, and a few lines
of script move a cursor along with the sound. All that has a time axis has the same one.
Axes: N samples, T frames or steps, F mel bins, W windows, P points, D embedding, K classes.
"""

import os
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from dsnet.files import write_text
from dsnet.recognizer.bundle import Bundle
from dsnet.recognizer.explain import Explanation, explain
from dsnet.recognizer.profile import Profile
from dsnet.recognizer.recognizer import UNSURE, Recognizer, Result
from dsnet.recognizer.recording import as_samples
from dsnet.report.explain_look import POLICY, SCRIPT, STYLE
from dsnet.report.explain_panels import (
    bounds_of,
    class_name,
    draw_attention,
    draw_spectrogram,
    draw_time_axis,
    draw_waveform,
    draw_windows,
    percent,
)
from dsnet.report.spectrogram import RATE, resampled, sound_uri

PLAYED_SECONDS = 60.0  # more would make the page too heavy to pass on
MAP = "training_map"  # of a bundle's facts; see `_training_map`


def write_explanation(
    path: Path,
    recognizer: Recognizer,
    recording_path: Path | str,
    samples: np.ndarray,
    sampling_rate: int,
    speaker: Profile | None = None,
    reject: float | None = None,
) -> None:
    """Judge a recording and write the page about it, whole or not at all.

    Args:
        path: of the page.
        recognizer: the model.
        recording_path: of the recording, whose name the page shows; it is not read.
        samples: (N,) float in [-1, 1] or signed integers; (N, channels) are averaged.
        sampling_rate: Hz.
        speaker: what is known of the speaker.
        reject: see `Recognizer.threshold`.

    Raises:
        BadAudio: nothing to be judged, or more than can be judged at once.
        BundleError: a profile of another model, or an error rate that nothing reaches.
    """
    samples = as_samples(samples, sampling_rate)
    found = explain(recognizer, samples, sampling_rate, speaker, reject)
    # names of files may hold bytes that are no UTF-8
    name = os.fsencode(Path(recording_path).name).decode("utf-8", "replace")
    sound = resampled(samples, sampling_rate, RATE)
    write_text(path, _page(name, recognizer, found, sound, speaker, reject))


def _page(
    name: str,
    recognizer: Recognizer,
    found: Explanation,
    sound: np.ndarray,
    speaker: Profile | None,
    reject: float | None,
) -> str:
    """Return the page; `sound` is (N,) at RATE."""
    seconds = len(sound) / RATE
    scores = found.result.scores
    ranked = sorted(scores, key=scores.get, reverse=True)
    gutter = max(3.5, 0.5 * max(map(len, ranked)) + 0.7)  # rem; a letter takes half of one
    ends = bounds_of(found.windows, seconds)[1:].round(3).tolist()
    ticks = draw_time_axis(seconds)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<title>{escape(f"{name}: {found.result.label}")}</title>
<style>{STYLE}</style>
</head>
<body>
<main style="--gutter: min({gutter:.1f}rem, 9rem, 30vw)">
{_head(name, recognizer, found, seconds, speaker, reject)}
{_player(sound)}
<div class="time" style="--at: 0" data-seconds="{seconds:.4f}" data-ends="{ends}">
{ticks}
{draw_waveform(sound)}
{draw_spectrogram(sound, recognizer.bundle)}
{draw_attention(found.attention, found.heard_seconds, seconds)}
{draw_windows(found.windows, ranked, seconds)}
{ticks}
</div>
{_scores(found.result, ranked)}
{_training_map(found, recognizer.bundle)}
</main>
<script>{SCRIPT}</script>
</body>
</html>
"""


def _head(
    name: str,
    recognizer: Recognizer,
    found: Explanation,
    seconds: float,
    speaker: Profile | None,
    reject: float | None,
) -> str:
    result = found.result
    best, second = sorted(result.scores, key=result.scores.get, reverse=True)[:2]
    confidence = percent(result.confidence)
    lines = []
    if result.label == UNSURE:
        limit = percent(recognizer.threshold(reject, found.given))
        lines.append(
            f"Most likely {best}, but with {confidence}, less than the {limit} that "
            f"--reject {reject:g} asks for."
        )
    lines.append(f"Next comes {second} with {percent(result.scores[second])}.")
    curve = recognizer.bundle.members[found.given].held_out
    errors = zip(curve["confidence"], curve["error"], strict=True)
    wrong = [error for confidence, error in errors if confidence >= result.confidence]
    if wrong:
        share = f"{100 * wrong[-1]:.0f} %" if wrong[-1] else "none"
        lines.append(
            "Of its answers at least this sure about speakers that it had never heard, "
            f"{share} were wrong."
        )
    about = _about(recognizer.bundle)
    if speaker is not None:
        kind = "neutral clips" if speaker.kind == "neutral" else "clips"
        about += f" It has also heard {kind} of the speaker: {len(speaker.clips)}."
    if found.heard_seconds < seconds:
        about += f" It hears no more than the first {found.heard_seconds:g} s of a recording."
    return f"""<header>
<p class="file">{escape(name)}, {seconds:.1f}\u00a0s</p>
<h1>{escape(result.label)} <small>confidence {confidence}</small></h1>
<p>{escape(" ".join(lines))}</p>
<p class="note">{escape(about)}</p>
</header>"""


def _about(bundle: Bundle) -> str:
    """Return a line of what the card says."""
    corpus = bundle.facts.get("trained_on", {})
    line = (
        f"The model {bundle.name} tells {len(bundle.classes)} classes apart: "
        f"{', '.join(bundle.classes)}."
    )
    if "corpus" in corpus:
        line += f" It was trained on {corpus['speakers']} speakers of {corpus['corpus']}."
    return line


def _player(sound: np.ndarray) -> str:
    played = sound[: round(PLAYED_SECONDS * RATE)]
    cut = ""
    if len(played) < len(sound):
        cut = (
            f'<p class="note">The player has the first {PLAYED_SECONDS:g} s of '
            f"{len(sound) / RATE:.0f} s; the model was given all of it.</p>"
        )
    return f"""<div class="player"><audio controls preload="auto" aria-label="The recording"
src="{sound_uri(played, RATE)}"></audio></div>{cut}
<p class="note">Play it, or click into a picture: the orange line is where you are.</p>"""


def _scores(result: Result, ranked: Sequence[str]) -> str:
    rows = "".join(
        f'<div class="row{" best" if place == 0 else ""}">{class_name(name)}</div>'
        f'<div class="plot"><i style="width: {100 * result.scores[name]:.2f}%"></i></div>'
        f"<span>{percent(result.scores[name])}</span></div>"
        for place, name in enumerate(ranked)
    )
    return f"""<section class="scores"><h2>The whole recording</h2>
<p class="note">How probable the model holds each class to be, given all of it at once; this
need not be the mean of the moments above.</p>{rows}</section>"""


def _training_map(found: Explanation, bundle: Bundle) -> str:
    """Draw the recording among training utterances, if the bundle's facts have them.

    They have, by what the model is given of a speaker: `embedding`, the name of one; `mean` (D,)
    and `axes` (2, D) that bring it to two dimensions; `points` (P, 3): two coordinates and the
    place of the class of each utterance.
    """
    content: dict[str, Any] | None = bundle.facts.get(MAP, {}).get(found.given)
    if content is None:
        return ""
    points = np.array(content["points"], dtype=float)
    own = found.result.embeddings[content["embedding"]] - np.array(content["mean"])
    here = own @ np.array(content["axes"]).T
    both = np.concatenate([points[:, :2], here[None]])
    middle, size = (both.max(0) + both.min(0)) / 2, np.ptp(both, axis=0)
    scale = min(520 / max(size[0], 1e-9), 320 / max(size[1], 1e-9))
    places = (both - middle) * [scale, -scale] + [300, 200]
    best = max(found.result.scores, key=found.result.scores.get)
    dots, labels = [], []
    for number, name in enumerate(bundle.classes):
        own_places = places[:-1][points[:, 2] == number]
        look = ' class="same"' if name == best else ""
        dots += [f'<circle{look} cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>' for x, y in own_places]
        if len(own_places):
            x, y = own_places.mean(0)
            labels.append(f'<text x="{x:.1f}" y="{y:.1f}">{escape(name)}</text>')
    x, y = places[-1]
    words = f"Map of {len(points)} training utterances and the recording, marked by a diamond"
    return f"""<section><h2>Where it lies among what the model was trained on</h2>
<p class="note">A dot is an utterance, blue if of the class {escape(best)}; names stand in the
middle of their class, and the orange diamond is the recording. What is near sounds alike to the
model, as far as two dimensions can show it.</p>
<svg class="map" viewBox="0 0 600 400" role="img" aria-label="{words}">{"".join(dots)}
{"".join(labels)}<path class="here" d="M{x:.1f},{y - 11:.1f}l11,11l-11,11l-11,-11Z"/></svg>
</section>"""
