"""What TensorBoard shows of a scored run beside its curves: <run folder>/tensorboard/scored/.

The recall of each class and the UAR in percent, an image of the confusion matrix, and the table of
hyperparameters (HParams), in which the runs of a whole task can be sorted by `hparam/uar`.

Axes: K classes.
"""

import datetime
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams
from tqdm import tqdm

from dsnet.files import replacing_folder
from dsnet.report.figures.classes import draw_matrix
from dsnet.report.figures.plotting import new_canvas
from dsnet.results.ledger import Line, by_date, run_key, run_of_line
from dsnet.results.runs import TestSet
from dsnet.results.store import StoredRun
from dsnet.scoring.metrics import class_recalls, confusion_matrix, uar

RUN_KEYS = ("system", "kind", "features", "task", "trained_on", "tested_on", "seed", "fold")
CONFIG_KEYS = (  # a name with a dot at its end stands for all that begins so
    "losses.", "encoder.kind", "encoder.embed_dim", "classifier.dropout", "input.mode",
    "train.optimizer", "train.learning_rate", "train.weight_decay", "train.batch_size",
    "train.max_epochs", "train.schedule", "train.select",
)  # fmt: skip


def write_tensorboard(
    found: Sequence[StoredRun], lines: Sequence[Line], test_sets: Mapping[str, TestSet]
) -> None:
    """Write scored/ of each run whose line in the ledger is younger, or that has none yet.

    Args:
        found: runs whose files are here; those of other recipes are left alone.
        lines: of the ledger, up to date.
        test_sets: by name; of all corpora that they were tested on.
    """
    last = {run_key(line["run"]): line for line in by_date(lines)}
    for stored in tqdm(found, "TensorBoard", unit=" runs", leave=False, disable=None):
        if ".." in stored.folder.parts:  # another recipe's own run, which that recipe scores
            continue
        line = last[run_key(stored.info)]
        scored = _folder(stored.folder)
        date = datetime.datetime.fromisoformat(line["date"]).timestamp()
        if scored.is_dir() and scored.stat().st_mtime >= date:
            continue
        test = test_sets[stored.info["tested_on"]]
        run = run_of_line(line, test, stored.folder)
        kept = np.array([utt not in run.given for utt in run.utt_ids], dtype=bool)
        confusion = confusion_matrix(run.labels[kept], run.predictions[kept], len(test.classes))
        if confusion.any():
            facts = hyperparameters(stored.info, _trained_config(stored.folder))
            write_scored(stored.folder, facts, test.classes, confusion)


def write_scored(
    folder: Path, facts: Mapping[str, Any], classes: Sequence[str], confusion: np.ndarray
) -> None:
    """Write <folder>/tensorboard/scored/ in place of what is there.

    Args:
        folder: of the run.
        facts: see `hyperparameters`.
        classes: K names.
        confusion: (K, K) counts; rows are true classes. At least one utterance.
    """
    sizes = confusion.sum(1)
    canvas = new_canvas(4.4, 3.6)
    scores = {"confusion": confusion, "class_counts": dict(zip(classes, sizes, strict=True))}
    draw_matrix(canvas.add_subplot(), "percent of each row", scores)
    with (
        replacing_folder(_folder(folder)) as temporary,
        SummaryWriter(str(temporary)) as writer,
    ):
        metrics = {"hparam/uar": 100 * float(uar(confusion))}
        for summary in hparams(dict(facts), metrics):
            writer.file_writer.add_summary(summary)
        for name, value in metrics.items():
            writer.add_scalar(name, value)
        for name, size, recall in zip(classes, sizes, class_recalls(confusion), strict=True):
            if size:
                writer.add_scalar(f"recall/{name}", 100 * recall)
        writer.add_figure("confusion", canvas, close=False)  # no pyplot figure to be closed


def hyperparameters(info: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what tells a run from others: RUN_KEYS of its run.json, CONFIG_KEYS of its config.

    >>> hyperparameters({"seed": 1, ...}, {"train": {"learning_rate": 0.001}})  # doctest: +SKIP
    {'seed': 1, ..., 'enrolment': 'none', 'train.learning_rate': 0.001}
    """
    enrolment = info["enrolment"]
    words = enrolment["source"]
    words += f":{enrolment['count']}" if words in ("neutral", "any") else ""
    chosen = {
        name: value
        for name, value in _flat(config).items()
        if any(name.startswith(key) if key[-1] == "." else name == key for key in CONFIG_KEYS)
    }
    return {key: info[key] for key in RUN_KEYS} | {"enrolment": words} | chosen


def _folder(run_folder: Path) -> Path:
    return run_folder / "tensorboard" / "scored"


def _trained_config(folder: Path) -> dict[str, Any]:
    """Return the config of a run's training, which is its folder's or of the one above.

    Empty for a run whose training is not here: an ensemble, a test on another corpus.
    """
    for path in (folder / "train.json", folder.parent / "train.json"):
        if path.is_file():
            return json.loads(path.read_text(encoding="utf-8"))["identity"]["config"]
    return {}


def _flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested keys with dots between them; TensorBoard takes no lists, so they are texts."""
    flat: dict[str, Any] = {}
    for name, value in config.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = str(value) if isinstance(value, list) else value
    return flat
