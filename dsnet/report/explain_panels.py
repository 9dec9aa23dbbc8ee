"""What of a recording's page has the time along it: waveform, spectrogram, attention, windows.

Plots are SVG of WIDTH x HEIGHT units, stretched to whatever size they have.
Axes: N samples, T frames or steps, F mel bins, W windows.
"""

import json
import math
from collections.abc import Sequence
from html import escape

import numpy as np

from dsnet.config import from_values
from dsnet.features.fbank import FbankConfig
from dsnet.recognizer.bundle import Bundle
from dsnet.recognizer.explain import WINDOW_SECONDS, Attention, Window
from dsnet.report.spectrogram import COLUMNS, RATE, spectrogram_uri

WIDTH, HEIGHT = 1000, 100


def draw_waveform(sound: np.ndarray) -> str:
    """Draw (N,) samples at RATE."""
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


def draw_spectrogram(sound: np.ndarray, bundle: Bundle) -> str:
    """Draw (N,) samples at RATE, in the bands that the model hears."""
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


def draw_attention(attention: Attention | None, heard_seconds: float, seconds: float) -> str:
    """Draw what the network looked at; nothing for a model without attention."""
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


def draw_windows(windows: Sequence[Window], ranked: Sequence[str], seconds: float) -> str:
    """Draw a curve for each class, filled where it is the most probable."""
    nothing = dict.fromkeys(ranked, math.nan)
    scores = [window.result.scores if window.result else nothing for window in windows]
    first = [max(one, key=one.get) if one is not nothing else None for one in scores]
    bounds = bounds_of(windows, seconds) / seconds * WIDTH
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
            f"{percent(min(there))} to {percent(max(there))}" if len(there) else "no signal"
        )
        plot = _svg(
            words,
            f'{_grid(seconds)}<path class="area" d="{"".join(areas)}"/>'
            f'<path class="top" d="{winning}"/><path class="curve" d="{"".join(pieces)}"/>',
        )
        shares = json.dumps(
            ["–" if math.isnan(v) else percent(v) for v in values], ensure_ascii=False
        )
        rows.append(
            f'<div class="row" data-shares="{escape(shares)}">{class_name(name)}'
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


def _panel(
    title: str, note: str, marks: Sequence[tuple[str, float]], plot: str, height: str
) -> str:
    """Return a titled plot; marks are labels on its left and where they stand: 0 top, 1 bottom."""
    spans = "".join(f'<span style="top: {100 * place:.1f}%">{text}</span>' for text, place in marks)
    words = f'<p class="note">{note}</p>' if note else ""
    return f"""<section><h2>{title}</h2>{words}
<div class="row"><div class="gutter" aria-hidden="true">{spans}</div>
<div class="plot" style="height: {height}">{plot}</div></div></section>"""


def class_name(name: str) -> str:
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


def draw_time_axis(seconds: float) -> str:
    """Draw the labels of all plots, in seconds."""
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


def bounds_of(windows: Sequence[Window], seconds: float) -> np.ndarray:
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
    bounds = bounds_of(windows, seconds)
    xs = np.stack([bounds[:-1], _centres(windows), bounds[1:]], 1) / seconds * WIDTH  # (W, 3)
    ys = (1 - np.stack([sides[:-1], values, sides[1:]], 1)) * HEIGHT
    return ["" if np.isnan(y).any() else _path(x, y) for x, y in zip(xs, ys, strict=True)]


def percent(value: float) -> str:
    """Return a probability in whole percent; nothing is certain."""
    if value > 0.99:
        return ">\u200999\u00a0%"
    return "<\u20091\u00a0%" if value < 0.01 else f"{100 * value:.0f}\u00a0%"


def _mel(hz: float) -> float:
    return 1127 * math.log1p(hz / 700)  # as Kaldi
