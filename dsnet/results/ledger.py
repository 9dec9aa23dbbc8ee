"""The ledger: a line for each scored run, so that results outlive their files.

    <results-dir>/ledger.jsonl

Each line is a JSON object with LINE_KEYS: when the run was scored, what it is (its run.json),
what was recognised (`predictions`: a character for each scored utterance of its test, sorted: the
class index in base 36) and how honest the posteriors were. The tables are made from the lines, so a
run whose posteriors are gone still counts, and ledgers of several machines are put together with
cat. A system leaves the page when somebody deletes its lines (and its folder).
"""

import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dsnet.errors import DsnetError, ScoringError
from dsnet.files import digest, read_lines, write_text
from dsnet.results.runs import Run, TestSet
from dsnet.results.store import KEYS, StoredRun
from dsnet.scoring import metrics
from dsnet.scoring.calibration import measure

NAME = "ledger.jsonl"
LINE_KEYS = ("date", "run", "utterances", "posteriors", "uar", "predictions", "calibration")
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"

Line = dict[str, Any]


@dataclass(frozen=True)
class RowKey:
    """What the runs of one row of the page have in common."""

    system: str
    enrolment: str  # empty: the system's own
    trained_on: str
    tested_on: str
    task: str
    normalised_by_target: str

    @classmethod
    def of(cls, info: Mapping[str, Any]) -> "RowKey":
        """Return the row of a run."""
        source, count = info["enrolment"]["source"], info["enrolment"]["count"]
        words = f"{source}:{count}" if source in ("neutral", "any") else source
        return cls(
            system=info["system"],
            enrolment="" if info["own_enrolment"] else words,
            **{
                key: info[key]
                for key in ("trained_on", "tested_on", "task", "normalised_by_target")
            },
        )

    def title(self, base_task: str, across: bool) -> str:
        """Return its name on a page.

        Args:
            base_task: the task that the page is of; a variant of it is named by its changes.
            across: whether the page has several corpora.
        """
        words = [self.task.removeprefix(f"{base_task}@")] if self.task != base_task else []
        words += [f"enrolment {self.enrolment}"] if self.enrolment else []
        if self.normalised_by_target != "none":
            words.append(f"matched by {self.normalised_by_target}")
        name = f"{self.system} ({', '.join(words)})" if words else self.system
        return f"{name}, {self.trained_on} on {self.tested_on}" if across else name


def run_key(info: Mapping[str, Any]) -> tuple[RowKey, int, str]:
    """Return what no other run of a page has: its row, seed and fold."""
    return RowKey.of(info), info["seed"], info["fold"]


def update(path: Path, found: Sequence[StoredRun], test_sets: Mapping[str, TestSet]) -> list[Line]:
    """Append a line for each run that has none yet, or whose last one differs; return all lines.

    Two lines are of the same result if they were made from the same posteriors and say the same of
    configs, features, code, task and utterances.

    Args:
        path: of the ledger; need not exist.
        found: runs whose files are here.
        test_sets: by name; of all corpora that they were trained and tested on.

    Raises:
        ScoringError: see `read_ledger` and `StoredRun.read`; two folders of one run.
    """
    lines = read_ledger(path) if path.is_file() else []
    for stored in found:
        _require_known(stored, test_sets)
    last = {run_key(line["run"]): _result_of(line) for line in by_date(lines)}
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    new, seen = [], {}
    for stored in found:
        key = run_key(stored.info)
        if key in seen:
            raise ScoringError(
                f"{stored.folder} and {seen[key]} are the same run ({stored.info['system']}, seed "
                f"{key[1]}, fold {key[2]}, says run.json); was one copied? Delete the one that is "
                "not meant"
            )
        seen[key] = stored.folder
        identity = {
            "run": stored.info,
            "utterances": tested_digest(stored.info, test_sets[stored.info["tested_on"]]),
            "posteriors": stored.digest,
        }
        if last.get(key) != _result_of(identity):
            new.append(_line(identity, stored, now, test_sets))
    if new:
        write_text(path, "".join(json.dumps(line) + "\n" for line in [*lines, *new]))
    return [*lines, *new]


def by_date(lines: Sequence[Line]) -> list[Line]:
    """Return the lines, oldest first; those of one second in the order of the file."""
    return sorted(lines, key=lambda line: line["date"])


def read_ledger(path: Path) -> list[Line]:
    """Read all lines, in the order of the file.

    Raises:
        ScoringError: no line, or one that is no JSON object with LINE_KEYS.
    """
    remedy = "restore it from a copy, or delete it: it begins anew with the runs that are here"
    try:
        texts = read_lines(path)
    except DsnetError as error:
        raise ScoringError(f"{path}: damaged, no text; {remedy}") from error
    if not texts:
        raise ScoringError(f"{path}: empty; {remedy}")
    lines = []
    for number, text in enumerate(texts, 1):
        try:
            line = json.loads(text)
        except json.JSONDecodeError as error:
            raise ScoringError(
                f"{path}:{number}: not valid JSON ({error}); delete the line, then rerun stage 5 "
                "where the run's posteriors are"
            ) from error
        absent = [key for key in LINE_KEYS if not isinstance(line, dict) or key not in line]
        absent = absent or [key for key in KEYS if key not in line["run"]]
        if absent:
            raise ScoringError(
                f"{path}:{number}: expected an object with {', '.join(LINE_KEYS)}, and in 'run' "
                f"what a run.json has; no '{absent[0]}' in it; delete the line, then rerun stage 5 "
                "where the run's posteriors are"
            )
        lines.append(line)
    return lines


def run_of_line(line: Line, test: TestSet, folder: Path | None) -> Run:
    """Return the run that a line tells of.

    Args:
        line: made for the same utterances.
        test: what was tested.
        folder: where the run's files are; None if they are not here.
    """
    info = line["run"]
    utts = tested_utterances(info, test)
    labels = np.array([test.labels[utt] for utt in utts], dtype=int)
    predictions = np.array([int(digit, 36) for digit in line["predictions"]], dtype=int)
    return Run(info, utts, labels, predictions, folder, line["calibration"])


def tested_digest(info: Mapping[str, Any], test: TestSet) -> str:
    """Return what identifies the utterances that a run is scored on, and their classes."""
    classes = (f"{utt} {test.labels[utt]}" for utt in tested_utterances(info, test))
    return digest([*test.classes, *classes])


def _require_known(stored: StoredRun, test_sets: Mapping[str, TestSet]) -> None:
    """Raise ScoringError for a run of a recipe or fold that the page does not know."""
    info = stored.info
    for key in ("trained_on", "tested_on"):
        if info[key] not in test_sets:
            raise ScoringError(
                f"{stored.folder}/run.json: {key} is '{info[key]}', but this page is of "
                f"{', '.join(test_sets)}; was the recipe renamed or its folder copied? Rerun "
                "stages 3 and 4 with --force, or delete that folder"
            )
    folds = test_sets[info["trained_on"]].folds
    if info["fold"] not in folds:
        raise ScoringError(
            f"{stored.folder}/run.json: fold {info['fold']}, but the task has "
            f"{', '.join(folds)}; it is of other folds: delete that folder, or rerun from stage 3"
        )


def tested_utterances(info: Mapping[str, Any], test: TestSet) -> list[str]:
    """Return the sorted utterances that a run is scored on: its fold's, or another corpus."""
    across = info["trained_on"] != info["tested_on"]
    return test.utterances if across else test.of_fold(info["fold"])


def _result_of(line: Line) -> tuple:
    """Return all of a line but what its control is and how its training went."""
    run = {key: value for key, value in line["run"].items() if key not in ("control", "training")}
    return line["utterances"], line["posteriors"], json.dumps(run, sort_keys=True)


def _line(identity: Line, stored: StoredRun, date: str, test_sets: Mapping[str, TestSet]) -> Line:
    info = stored.info
    trained, tested = (test_sets[info[key]] for key in ("trained_on", "tested_on"))
    dev_utts, dev = stored.read("dev", test_sets)
    utts, posteriors = stored.read("test", test_sets)
    dev_labels = np.array([trained.labels[utt] for utt in dev_utts], dtype=int)
    labels = np.array([tested.labels[utt] for utt in utts], dtype=int)
    given = set(info["given"])
    kept = np.array([utt not in given for utt in utts], dtype=bool)
    dev_kept = np.array([utt not in given for utt in dev_utts], dtype=bool)
    uar, calibration = None, None
    if kept.any():
        decisions = posteriors[kept].argmax(1)
        confusion = metrics.confusion_matrix(labels[kept], decisions, len(tested.classes))
        uar = round(float(metrics.uar(confusion)), 6)
    if kept.any() and dev_kept.any():
        calibration = measure(dev[dev_kept], dev_labels[dev_kept], posteriors[kept], labels[kept])
    return identity | {
        "date": date,
        "uar": uar,  # for people; tables take `predictions`
        "predictions": "".join(DIGITS[k] for k in posteriors.argmax(1)),
        "calibration": calibration,
    }
