"""Two-dimensional maps of the embeddings e and s of one network.

Networks of different folds have spaces of their own, so a map shows the unseen speakers of one.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from sklearn.manifold import TSNE

from dsnet.errors import ScoringError
from dsnet.folds.task_data import TaskData
from dsnet.report.figures.plotting import (
    WIDTH,
    Figure,
    file_stem,
    look,
    new_canvas,
    save,
)
from dsnet.results.embeddings import is_constant, read_arrays, variation
from dsnet.results.runs import Run, SystemResults

MIN_UTTERANCES = 10  # with fewer there are no neighbourhoods to show
TITLES = {"e": "e, the emotion part", "s": "s, the rest of the voice"}
SIDES = {"dev": "validation", "test": "test"}
LEGEND = dict(frameon=False, fontsize=8, handletextpad=0.1, columnspacing=1.0)
MAX_POINTS = 3000  # that t-SNE lays out in about a minute; of more, so many by lot
MAX_NAMED = 30  # speakers that can be told apart
MAX_MARKS = 4000  # of a figure, at 75 bytes; more are drawn as pixels


@dataclass(frozen=True)
class EmbeddingMap:
    """Positions (N, 2) of e and of s, whose utterances they are, and of which sides of a fold.

    `num_utterances` are there, of which N are drawn.
    """

    positions: dict[str, np.ndarray]
    emotions: list[str]
    speakers: list[str]
    sides: list[str]
    num_utterances: int


def embedding_map(fold_dir: Path, task: TaskData) -> EmbeddingMap | None:
    """Lay out the validation and test utterances of a fold by t-SNE.

    Args:
        fold_dir: folder of one network, with {dev,test}/embeddings.npz.
        task: names emotions and speakers.

    Returns:
        None if the system does not have both e and s, or there are too few utterances.

    Raises:
        ScoringError: a file is damaged, or an embedding is not finite.
    """
    utt_ids: list[str] = []
    arrays: dict[str, list[np.ndarray]] = {part: [] for part in TITLES}
    sides = []
    for side, words in SIDES.items():
        path = fold_dir / side / "embeddings.npz"
        if not path.is_file():
            continue
        stored = read_arrays(path)
        if not set(TITLES) <= stored.keys():
            return None
        utt_ids += stored["utt_ids"].tolist()
        if len(stored["utt_ids"]):
            sides.append(words)
        for part in TITLES:
            arrays[part].append(stored[part])
            if not np.isfinite(stored[part]).all():
                raise ScoringError(f"{path}: '{part}' is not finite; rerun stages 3 and 4")
    if len(utt_ids) < MIN_UTTERANCES:
        return None
    rows = np.arange(len(utt_ids))
    if len(rows) > MAX_POINTS:
        rows = np.sort(np.random.default_rng(0).choice(rows, MAX_POINTS, replace=False))
    return EmbeddingMap(
        {part: layout(np.concatenate(arrays[part])[rows]) for part in TITLES},
        [task.utt2emo[utt_ids[row]] for row in rows],
        [task.utt2spk[utt_ids[row]] for row in rows],
        sides,
        len(utt_ids),
    )


def layout(embeddings: np.ndarray) -> np.ndarray:
    """Place neighbours near each other, (N, D) -> (N, 2); the same input gives the same map.

    A constant embedding stays in one point: a map would show its rounding as if it were voices.
    """
    if is_constant(variation(embeddings)):
        return np.zeros((len(embeddings), 2))
    perplexity = min(30.0, (len(embeddings) - 1) / 3)
    return TSNE(perplexity=perplexity, init="pca", random_state=0).fit_transform(embeddings)


def draw_map(
    system: SystemResults, run: Run, points: EmbeddingMap, classes: list[str], folder: Path
) -> Figure:
    """Draw both maps, once by emotion and, if there are several, once by speaker.

    Args:
        system: whose run it is.
        run: the network that the map is of.
        points: from `embedding_map` of that run.
        classes: all emotions, in the order of their colours.
        folder: figures/.
    """
    speakers = sorted(set(points.speakers))
    colourings = [("emotion", points.emotions, classes), ("speaker", points.speakers, speakers)]
    if len(speakers) == 1 or len(speakers) > MAX_NAMED:
        colourings = colourings[:1]
    canvas = new_canvas(WIDTH, 7.2 if len(colourings) > 1 else 3.9)
    # one under the other, by emotion and by speaker; of one speaker side by side
    grid = canvas.subplots(2, 2) if len(colourings) > 1 else canvas.subplots(1, 2).reshape(2, 1)
    rasterized = grid.size * len(points.speakers) > MAX_MARKS
    for row, (part, words) in enumerate(TITLES.items()):
        for axes, (what, values, names) in zip(grid[row], colourings, strict=True):
            _draw_points(axes, points.positions[part], values, names, rasterized)
            axes.set_title(f"{words}, by {what}", fontsize=10)
    if len(colourings) > 1:
        for axes in grid[-1]:
            axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.03), ncols=4, **LEGEND)
    else:
        handles = grid[0, 0].get_legend_handles_labels()
        canvas.legend(*handles, loc="outside lower center", ncols=8, **LEGEND)
    name = f"embeddings_{file_stem(system.name)}.svg"
    save(canvas, folder / name)
    named = f"speaker{'s' if len(speakers) > 1 else ''} {', '.join(speakers)}"
    if len(speakers) > MAX_NAMED:
        named = f"{len(speakers)} speakers"
    drawn, total = len(points.speakers), points.num_utterances
    number = f"The {total}" if drawn == total else f"{drawn} of the {total}, by lot,"
    return Figure(
        name,
        f"Map of the embeddings of {system.name}",
        f"{number} {' and '.join(points.sides)} utterances of fold {run.fold}, "
        f"seed {run.seed} ({named}, not in training), neighbours "
        f"placed near each other by t-SNE: {_meaning(len(speakers))}; only neighbourhoods mean "
        f"something, not distances or axes, and it is one network of {len(system.runs)}.",
        "embeddings",
    )


def _draw_points(
    axes: Axes, positions: np.ndarray, values: list[str], names: list[str], rasterized: bool
) -> None:
    """Draw (N, 2) positions, each in the look of its value, of which `names` are all."""
    for number, name in enumerate(names):
        chosen = np.array([value == name for value in values])
        colour, marker = look(number)
        axes.plot(
            *positions[chosen].T,
            marker,
            color=colour,
            markersize=5,
            markeredgewidth=0,
            rasterized=rasterized,
            label=name,
        )
    axes.set_xticks([])
    axes.set_yticks([])
    if not np.ptp(positions, axis=0).any():
        collapsed = dict(ha="center", transform=axes.transAxes, fontsize=9)
        axes.text(0.5, 0.6, "all in one point: equal for every utterance", **collapsed)


def _meaning(num_speakers: int) -> str:
    if num_speakers == 1:
        return "if the parts are disentangled, e groups by emotion and s does not"
    return (
        "if the parts are disentangled, e groups by emotion and mixes the speakers, and s does the "
        "reverse"
    )
