"""Two-dimensional maps of the embeddings e and s of one network.

Networks of different folds have spaces of their own, so a map shows the unseen speakers of one.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.manifold import TSNE

from dsnet.errors import ScoringError
from dsnet.folds.task_data import TaskData
from dsnet.report.figures.plotting import (
    COLOURS,
    MARKERS,
    WIDTH,
    Figure,
    file_stem,
    new_canvas,
    save,
)
from dsnet.results.runs import Run, SystemResults

MIN_UTTERANCES = 10  # with fewer there are no neighbourhoods to show
PARTS = ("e", "s")


@dataclass(frozen=True)
class EmbeddingMap:
    """Positions (N, 2) of e and of s, and whose utterances they are."""

    positions: dict[str, np.ndarray]
    emotions: list[str]
    speakers: list[str]


def embedding_map(fold_dir: Path, task: TaskData) -> EmbeddingMap | None:
    """Lay out the validation and test utterances of a fold by t-SNE.

    Args:
        fold_dir: folder of one network, with {dev,test}/embeddings.npz.
        task: names emotions and speakers.

    Returns:
        None if the system does not have both e and s, or there are too few utterances.

    Raises:
        ScoringError: an embedding is not finite.
    """
    utt_ids: list[str] = []
    arrays: dict[str, list[np.ndarray]] = {part: [] for part in PARTS}
    for side in ("dev", "test"):
        path = fold_dir / side / "embeddings.npz"
        if not path.is_file():
            continue
        with np.load(path) as stored:
            if not set(PARTS) <= set(stored.files):
                return None
            utt_ids += stored["utt_ids"].tolist()
            for part in PARTS:
                arrays[part].append(stored[part])
                if not np.isfinite(stored[part]).all():
                    raise ScoringError(f"{path}: '{part}' is not finite; rerun stages 3 and 4")
    if len(utt_ids) < MIN_UTTERANCES:
        return None
    return EmbeddingMap(
        {part: layout(np.concatenate(arrays[part])) for part in PARTS},
        [task.utt2emo[utt] for utt in utt_ids],
        [task.utt2spk[utt] for utt in utt_ids],
    )


def layout(embeddings: np.ndarray) -> np.ndarray:
    """Place neighbours near each other, (N, D) -> (N, 2); the same input gives the same map.

    Embeddings that are all equal, those of a collapsed network, stay in one point.
    """
    if np.ptp(embeddings, axis=0).max() < 1e-6:
        return np.zeros((len(embeddings), 2))
    perplexity = min(30.0, (len(embeddings) - 1) / 3)
    return TSNE(perplexity=perplexity, init="pca", random_state=0).fit_transform(embeddings)


def draw_map(
    system: SystemResults, run: Run, points: EmbeddingMap, classes: list[str], folder: Path
) -> Figure:
    """Draw both maps, once by emotion and once by speaker.

    Args:
        system: whose run it is.
        run: the network that the map is of.
        points: from `embedding_map` of that run.
        classes: all emotions, in the order of their colours.
        folder: figures/.
    """
    canvas = new_canvas(WIDTH, 7.2)
    grid = canvas.subplots(2, 2)
    speakers = sorted(set(points.speakers))
    colourings = (("emotion", points.emotions, classes), ("speaker", points.speakers, speakers))
    parts = (("e", "e, the emotion part"), ("s", "s, the rest of the voice"))
    for row, (part, words) in enumerate(parts):
        for column, (what, values, names) in enumerate(colourings):
            axes = grid[row][column]
            for number, name in enumerate(names):
                chosen = np.array([value == name for value in values])
                axes.scatter(
                    *points.positions[part][chosen].T,
                    s=20,
                    color=COLOURS[number % len(COLOURS)],
                    marker=MARKERS[number % len(MARKERS)],
                    edgecolors="white",
                    linewidths=0.4,
                    label=name,
                )
            axes.set_title(f"{words}, by {what}", fontsize=10)
            axes.set_xticks([])
            axes.set_yticks([])
            if row == 1:
                axes.legend(
                    loc="upper center",
                    bbox_to_anchor=(0.5, -0.03),
                    ncols=4,
                    frameon=False,
                    fontsize=8,
                    handletextpad=0.1,
                    columnspacing=1.0,
                )
    canvas.suptitle(
        f"{system.name}: {len(points.speakers)} utterances of {len(speakers)} speakers "
        "not in training (t-SNE)",
        fontsize=11,
    )
    name = f"embeddings_{file_stem(system.name)}.png"
    save(canvas, folder / name)
    return Figure(
        name,
        f"Map of the embeddings of {system.name}",
        f"The validation and test utterances of fold {run.fold}, seed {run.seed} (speakers "
        f"{', '.join(speakers)}), neighbours placed near each other by t-SNE: if the parts are "
        "disentangled, e groups by emotion and mixes the speakers, and s does the reverse; only "
        "neighbourhoods mean something, not distances or axes, and it is one network of "
        f"{len(system.runs)}.",
    )
