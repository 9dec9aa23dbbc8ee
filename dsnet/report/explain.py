"""One HTML page that shows a person what a model made of one recording.

The page needs nothing but itself: sound and spectrogram are in it, lines are SVG, and a few lines
of script move a cursor along with the sound. All that has a time axis has the same one.
Axes: N samples, T frames or steps, F mel bins, W windows, P points, D embedding, K classes.
"""

import json
import math
import os
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from dsnet.config import from_values
from dsnet.features.fbank import FbankConfig
from dsnet.files import write_text
from dsnet.recognizer.bundle import Bundle
from dsnet.recognizer.explain import WINDOW_SECONDS, Attention, Explanation, Window, explain
from dsnet.recognizer.profile import Profile
from dsnet.recognizer.recognizer import UNSURE, Recognizer, Result
from dsnet.recognizer.recording import as_samples
from dsnet.report.explain_look import POLICY, SCRIPT, STYLE
from dsnet.report.spectrogram import COLUMNS, RATE, resampled, sound_uri, spectrogram_uri

PLAYED_SECONDS = 60.0  # more would make the page too heavy to pass on
WIDTH, HEIGHT = 1000, 100  # units of a plot, which is stretched to whatever size it has
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
    ends = _bounds(found.windows, seconds)[1:].round(3).tolist()
    ticks = _time_axis(seconds)
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
{_waveform(sound)}
{_spectrogram(sound, recognizer.bundle)}
{_attention(found.attention, found.heard_seconds, seconds)}
{_windows(found.windows, ranked, seconds)}
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
    confidence = _percent(result.confidence)
    lines = []
    if result.label == UNSURE:
        limit = _percent(recognizer.threshold(reject, found.given))
        lines.append(
            f"Most likely {best}, but with {confidence}, less than the {limit} that "
            f"--reject {reject:g} asks for."
        )
    lines.append(f"Next comes {second} with {_percent(result.scores[second])}.")
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


def _waveform(sound: np.ndarray) -> str:
    edges = np.linspace(0, len(sound), min(COLUMNS, len(sound)), endpoint=False).astype(int)
    peak = np.abs(sound).max()
    high, low = (f.reduceat(sound, edges) / peak for f in (np.maximum, np.minimum))
    xs = (edges + len(sound) / len(edges) / 2) / len(sound) * WIDTH
    ys = np.concatenate([high, low[::-1]])
    seconds = len(sound) / RATE
    outline = _path(np.concatenate([xs, xs[::-1]]), (1 - ys) / 2 * HEIGHT) + "Z"
    loudest = int(np.abs(sound).argmax()) / RATE
    words = f"Waveform of {seconds:.1f} s, loudest at {loudest:.1f} s"
    plot = _svg(words, f'{_grid(seconds)}<path class="wave" d="{outline}"/>')
    return _panel("Waveform", "", [], plot, "5.5rem")


def _spectrogram(sound: np.ndarray, bundle: Bundle) -> str:
    own = bundle.features.kind == "fbank"
    config = FbankConfig()
    if own:
        config = from_values(bundle.features.config, FbankConfig, f"{bundle.name}: features")
    low, high = config.low_freq_hz, config.high_freq_hz or config.sampling_rate / 2
    shown = [hz for hz in (500, 1000, 2000, 4000, 8000) if low < hz <= high]
    marks = [
        (
            f"{hz / 1000:g} kHz" if hz >= 1000 else f"{hz} Hz",
            (_mel(high) - _mel(hz)) / (_mel(high) - _mel(low)),
        )
        for hz in shown
    ]
    words = f"Spectrogram: energy from {low:g} to {high:g} Hz over time; light is loud"
    plot = f'<img alt="{words}" src="{spectrogram_uri(sound, RATE, config)}">'
    note = "Which pitches are how loud: low ones at the bottom, loud ones light."
    if own:
        note += " The model works on these values."
    return _panel("Log-mel spectrogram", note, marks, plot, "9.5rem")


def _attention(attention: Attention | None, heard_seconds: float, seconds: float) -> str:
    if attention is None:
        return ""
    weights, centres = attention.weights, attention.centres
    top = max(2.0, 1.05 * weights.max())
    xs = np.array([0, *centres, heard_seconds]) / seconds * WIDTH
    ys = (1 - np.array([weights[0], *weights, weights[-1]]) / top) * HEIGHT
    line = _path(xs, ys)
    area = f"{line}L{xs[-1]:.1f},{HEIGHT}L0,{HEIGHT}Z"
    even = (1 - 1 / top) * HEIGHT
    most, peak = weights.max(), centres[weights.argmax()]
    found = f"Most at {peak:.1f} s, {most:.1f} times the average."
    if most < 1.1:
        found = "Here it listened to everything nearly alike."
    plot = _svg(
        f"Attention over time. {found}",
        f'{_grid(seconds)}<path class="area" d="{area}"/><path class="curve" d="{line}"/>'
        f'<path class="even" d="M0,{even:.1f}H{WIDTH}"/>',
    )
    note = (
        f"{found} 1 is what every moment would get if all counted alike. This shows where the "
        "network looked, not why it decided as it did."
    )
    marks = [(f"{value:g}", 1 - value / top) for value in _round_numbers(top, 4, least_step=1)]
    return _panel("What the model listened to most", note, marks, plot, "6rem")


def _windows(windows: Sequence[Window], ranked: Sequence[str], seconds: float) -> str:
    """Draw a curve for each class, filled where it is the most probable."""
    nothing = dict.fromkeys(ranked, math.nan)
    scores = [window.result.scores if window.result else nothing for window in windows]
    first = [max(one, key=one.get) if one is not nothing else None for one in scores]
    bounds = _bounds(windows, seconds) / seconds * WIDTH
    rows = []
    for name in ranked:
        values = np.array([one[name] for one in scores])
        pieces = _pieces(values, windows, seconds)
        areas = [
            f"{piece}V{HEIGHT}H{start:.1f}Z" if piece else ""
            for piece, start in zip(pieces, bounds, strict=False)
        ]
        winning = "".join(area for area, best in zip(areas, first, strict=True) if best == name)
        there = values[~np.isnan(values)]
        words = f"{name} over time: " + (
            f"{_percent(min(there))} to {_percent(max(there))}" if len(there) else "no signal"
        )
        plot = _svg(
            words,
            f'{_grid(seconds)}<path class="area" d="{"".join(areas)}"/>'
            f'<path class="top" d="{winning}"/><path class="curve" d="{"".join(pieces)}"/>',
        )
        shares = json.dumps(
            ["–" if math.isnan(v) else _percent(v) for v in values], ensure_ascii=False
        )
        rows.append(
            f'<div class="row" data-shares="{escape(shares)}">{_class_name(name)}'
            f"<output></output></div>"
            f'<div class="plot" style="height: 2.5rem">{plot}</div></div>'
        )
    note = (
        f"Each moment is judged by the {WINDOW_SECONDS:g} s around it, as if they were a recording "
        "of their own. A row is full at 100 %, and strong in colour where its class comes first."
    )
    if len(windows) == 1:
        note = (
            f"No longer than {WINDOW_SECONDS:g} s, the recording is judged whole. A row is full "
            "at 100 %."
        )
    if None in first:
        note += " In a gap there is no signal."
    return (
        f'<section><h2>What it hears when</h2><p class="note">{note}</p>{"".join(rows)}</section>'
    )


def _scores(result: Result, ranked: Sequence[str]) -> str:
    rows = "".join(
        f'<div class="row{" best" if place == 0 else ""}">{_class_name(name)}</div>'
        f'<div class="plot"><i style="width: {100 * result.scores[name]:.2f}%"></i></div>'
        f"<span>{_percent(result.scores[name])}</span></div>"
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


def _panel(
    title: str, note: str, marks: Sequence[tuple[str, float]], plot: str, height: str
) -> str:
    """Return a titled plot; marks are labels on its left and where they stand: 0 top, 1 bottom."""
    spans = "".join(f'<span style="top: {100 * place:.1f}%">{text}</span>' for text, place in marks)
    words = f'<p class="note">{note}</p>' if note else ""
    return f"""<section><h2>{title}</h2>{words}
<div class="row"><div class="gutter" aria-hidden="true">{spans}</div>
<div class="plot" style="height: {height}">{plot}</div></div></section>"""


def _class_name(name: str) -> str:
    """Return the beginning of a gutter; a name that is too long for it shows under the mouse."""
    return f'<div class="gutter"><b title="{escape(name)}">{escape(name)}</b>'


def _svg(words: str, shapes: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(words)}">{shapes}</svg>'
    )


def _path(xs: Sequence[float] | np.ndarray, ys: Sequence[float] | np.ndarray) -> str:
    return "M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs, ys, strict=True))


def _round_numbers(end: float, most: int, least_step: float = 0.0) -> list[float]:
    """Return multiples of 1, 2 or 5 times a power of ten, from 0 to `end`, `most` beside 0."""
    steps = (digit * 10.0**power for power in range(-3, 4) for digit in (1, 2, 5))
    step = next(step for step in steps if step >= least_step and end / step < most + 1)
    return [number * step for number in range(math.floor(end / step) + 1)]


def _time_axis(seconds: float) -> str:
    spans = []
    for tick in _round_numbers(seconds, 6):
        place = tick / seconds
        side = "first" if place < 0.04 else "last" if place > 0.96 else ""
        spans.append(f'<span class="{side}" style="left: {100 * place:.2f}%">{tick:g} s</span>')
    return (
        '<div class="row" aria-hidden="true"><div></div>'
        f'<div class="ticks">{"".join(spans)}</div></div>'
    )


def _grid(seconds: float) -> str:
    ticks = _round_numbers(seconds, 6)[1:]
    lines = "".join(f"M{tick / seconds * WIDTH:.1f},0V{HEIGHT}" for tick in ticks)
    return f'<path class="grid" d="{lines}"/>'


def _bounds(windows: Sequence[Window], seconds: float) -> np.ndarray:
    """Return (W + 1,) seconds between which each window is the nearest one."""
    centres = _centres(windows)
    return np.array([0.0, *(centres[1:] + centres[:-1]) / 2, seconds])


def _centres(windows: Sequence[Window]) -> np.ndarray:
    return np.array([(window.start + window.end) / 2 for window in windows])


def _pieces(values: np.ndarray, windows: Sequence[Window], seconds: float) -> list[str]:
    """Return a curve in pieces, one for each window: paths from one of its bounds to the other.

    Args:
        values: (W,) from 0 to 1; NaN: no signal, and an empty piece.
    """
    padded = np.array([values[0], *values, values[-1]])
    before, after = padded[:-1], padded[1:]
    sides = np.where(
        np.isnan(before), after, np.where(np.isnan(after), before, (before + after) / 2)
    )
    bounds = _bounds(windows, seconds)
    xs = np.stack([bounds[:-1], _centres(windows), bounds[1:]], 1) / seconds * WIDTH  # (W, 3)
    ys = (1 - np.stack([sides[:-1], values, sides[1:]], 1)) * HEIGHT
    return ["" if np.isnan(y).any() else _path(x, y) for x, y in zip(xs, ys, strict=True)]


def _percent(value: float) -> str:
    """Return a probability in whole percent; nothing is certain."""
    if value > 0.99:
        return ">\u200999\u00a0%"
    return "<\u20091\u00a0%" if value < 0.01 else f"{100 * value:.0f}\u00a0%"


def _mel(hz: float) -> float:
    return 1127 * math.log1p(hz / 700)  # as Kaldi
