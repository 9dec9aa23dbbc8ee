"""The ledger: a line for each scored run, so that results outlive their files.

    <results-dir>/ledger.jsonl

Each line is a JSON object with LINE_KEYS: which run it was, when it was scored, what it was made
from, what was recognised (`predictions`: a character for each utterance of the fold's sorted test
list, the class index in base 36) and how honest the posteriors were. The tables are made from the
lines, so a run whose posteriors are gone still counts, and ledgers of several machines are put
together with cat. A system leaves the page when somebody deletes its lines (and its folder).
"""

import datetime
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dsnet.errors import ScoringError
from dsnet.files import digest, read_lines, write_text
from dsnet.folds.protocols import Fold
from dsnet.folds.task_data import TaskData
from dsnet.results.runs import Results, Run, class_indices
from dsnet.results.store import read_part
from dsnet.scoring import metrics
from dsnet.scoring.calibration import measure

NAME = "ledger.jsonl"
LINE_KEYS = (
    "system", "seed", "fold", "date", "utterances", "posteriors", "train", "uar", "predictions",
    "calibration",
)  # fmt: skip
TRAIN_KEYS = (  # what a line keeps of train.json, if it is there
    "kind", "side_information", "config_digest", "task_digest", "features_digest", "made_from",
    "given_utterances", "num_parameters", "inference_parameters", "selection", "epochs",
    "selected_epoch", "dev_uar", "seconds", "seconds_per_epoch", "peak_memory_bytes",
    "peak_gpu_bytes", "machine", "versions", "git_revision",
)  # fmt: skip
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"

Line = dict[str, Any]


def update(path: Path, results: Results) -> list[Line]:
    """Append a line for each run that has none yet, or whose last one differs; return all lines.

    Two lines are of the same result if they were made from the same posteriors and name the same
    configs, task and utterances.

    Args:
        path: of the ledger; need not exist.
        results: read from the files of the runs.

    Raises:
        ScoringError: see `read_ledger`; a run without validation posteriors.
    """
    lines = read_ledger(path) if path.is_file() else []
    last = {_run_of(line): _result_of(line) for line in by_date(lines)}
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    new = []
    for system in results.systems:
        for run in system.runs:
            identity = _identify(run, system.name, results)
            if last.get(_run_of(identity)) != _result_of(identity):
                new.append(_line(identity, run, now, results))
    if new:
        text = "".join(json.dumps(line) + "\n" for line in [*lines, *new])
        write_text(path, text)
    return [*lines, *new]


def adopt(folder: Path, results: Results) -> list[Line]:
    """Return the lines of a variant of the task, its systems named after what it changes.

    Args:
        folder: results of the variant, named <task>@<changes>.
        results: of the task; only its utterances and digest matter.

    Raises:
        ScoringError: see `read_ledger`; the variant tests other utterances.
    """
    changes = folder.name.partition("@")[2]
    lines = read_ledger(folder / NAME)
    for line in lines:
        if line["utterances"] != results.utterances_digest:
            raise ScoringError(
                f"{folder / NAME}: scored on other utterances or classes than this task has, so "
                "its results cannot stand in one table with them"
            )
        line["system"] = f"{line['system']} ({changes})"
        line["train"]["task_digest"] = results.task.digest
    return lines


def by_date(lines: Sequence[Line]) -> list[Line]:
    """Return the lines, oldest first; those of one second in the order of the file."""
    return sorted(lines, key=lambda line: line["date"])


def read_ledger(path: Path) -> list[Line]:
    """Read all lines, in the order of the file.

    Raises:
        ScoringError: a line that is no JSON object with LINE_KEYS.
    """
    lines = []
    for number, text in enumerate(read_lines(path), 1):
        try:
            line = json.loads(text)
        except json.JSONDecodeError as error:
            raise ScoringError(
                f"{path}:{number}: not valid JSON ({error}); delete the line, then rerun stage 5 "
                "where the run's posteriors are"
            ) from error
        absent = [key for key in LINE_KEYS if not isinstance(line, dict) or key not in line]
        if absent:
            raise ScoringError(
                f"{path}:{number}: expected an object with {', '.join(LINE_KEYS)}; no "
                f"'{absent[0]}' in it; delete the line, then rerun stage 5 where the run's "
                "posteriors are"
            )
        lines.append(line)
    return lines


def run_of_line(line: Line, task: TaskData, fold: Fold, folder: Path | None) -> Run:
    """Return the run that a line tells of.

    Args:
        line: made for the same task.
        task: whose utterances were tested.
        fold: of the task, the line's.
        folder: where the run's files are; None if they are not here.
    """
    utt_ids = sorted(fold.test)
    predictions = np.array([int(digit, 36) for digit in line["predictions"]])
    return Run(
        line["seed"],
        line["fold"],
        line["train"],
        utt_ids,
        class_indices(utt_ids, task),
        predictions,
        folder,
        line["calibration"],
    )


def _identify(run: Run, system: str, results: Results) -> Line:
    assert run.folder is not None
    files = [run.folder / part / "posteriors.tsv" for part in ("dev", "test")]
    return {
        "system": system,
        "seed": run.seed,
        "fold": run.fold,
        "utterances": results.utterances_digest,
        "posteriors": digest(path.read_bytes() for path in files if path.is_file()),
        "train": {key: run.train[key] for key in TRAIN_KEYS if run.train.get(key) is not None},
    }


def _run_of(line: Line) -> tuple:
    return line["system"], line["seed"], line["fold"]


def _result_of(line: Line) -> tuple:
    train = line["train"]
    origin = (train["config_digest"], train["task_digest"], train.get("made_from"))
    return line["utterances"], line["posteriors"], origin


def _line(identity: Line, run: Run, date: str, results: Results) -> Line:
    task, fold = results.task, results.folds[run.fold]
    assert run.folder is not None
    dev_ids, dev = read_part(run.folder, "dev", fold, task.classes)
    test_ids, test = read_part(run.folder, "test", fold, task.classes)
    labels = class_indices(test_ids, task)
    confusion = metrics.confusion_matrix(labels, test.argmax(1), len(task.classes))
    predicted = dict(zip(test_ids, test.argmax(1), strict=True))
    result = {
        "date": date,
        "uar": round(float(metrics.uar(confusion)), 6),  # for people; tables take `predictions`
        "predictions": "".join(DIGITS[predicted[utt]] for utt in sorted(test_ids)),
        "calibration": measure(dev, class_indices(dev_ids, task), test, labels),
    }
    return {key: (identity | result)[key] for key in LINE_KEYS}
