"""Which lines of the ledger count: those whose config, task and utterances are the present ones.

A combination of systems has no config file; it counts while the runs that it was made from do.
"""

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from dsnet.config import config_digest
from dsnet.errors import ConfigError, ScoringError
from dsnet.results.ledger import Line, by_date, run_of_line
from dsnet.results.runs import Results, SystemResults
from dsnet.systems.catalog import load_system_config, system_config_path

_Run = tuple[str, int, str]  # system, seed, fold


@dataclass(frozen=True)
class Stale:
    """A run that does not count, and what has changed since it was scored."""

    system: str
    seed: int
    fold: str
    changed: str


def current_digest(system: str, recipe: Path) -> str | None:
    """Return the digest of a system's config as it is now, None if it has no config file.

    Args:
        system: its name; a network that is given other clips (dsnet_plus-neutral1) has the config
            that it was trained with.
        recipe: folder of the recipe.

    Raises:
        ConfigError: its config is not valid.
    """
    system = re.sub(r"-[a-z]\w*$", "", system)  # not the -3 of @train.learning_rate=1e-3
    try:
        system_config_path(system, recipe)
    except ConfigError:  # an SVM or a combination: its config is not a file
        return None
    return config_digest(load_system_config(system, recipe))


def select(
    lines: Sequence[Line], read: Results, exp_dir: Path, recipe: Path
) -> tuple[Results, list[Stale]]:
    """Take for each run the latest line that is not stale.

    Args:
        lines: of the ledger.
        read: the task, its folds and utterances; its systems do not matter.
        exp_dir: exp/<task>, where the files of runs may be.
        recipe: folder of the recipe, for configs.

    Returns:
        What is scored, and the runs that have stale lines only.

    Raises:
        ScoringError: nothing counts, or the runs of one system have different configs.
    """
    names = sorted({line["system"] for line in lines})
    current = {name: current_digest(name, recipe) for name in names}
    counting: dict[_Run, Line] = {}
    stale: dict[_Run, Stale] = {}
    # what something was made from comes before it
    for line in sorted(by_date(lines), key=lambda line: "made_from" in line["train"]):
        run = line["system"], line["seed"], line["fold"]
        changed = _changes(line, read, current[line["system"]])
        changed = changed or _member_changes(line, counting, set(stale))
        if changed:
            stale[run] = Stale(*run, changed)
        else:
            counting[run] = line
    systems = []
    for name in sorted({system for system, _, _ in counting}):
        own = {run[1:]: line for run, line in counting.items() if run[0] == name}
        _check_one_config(name, list(own.values()))
        order = [(seed, fold) for seed in sorted({s for s, _ in own}) for fold in read.folds]
        runs = [
            run_of_line(
                own[seed, fold],
                read.task,
                read.folds[fold],
                _folder(exp_dir / name / f"seed_{seed}" / f"fold_{fold}"),
            )
            for seed, fold in order
            if (seed, fold) in own
        ]
        systems.append(SystemResults(name, runs, [run for run in order if run not in own]))
    left_out = [stale[run] for run in sorted(stale) if run not in counting]
    if not systems:
        why = [f"{one.system}: {one.changed} changed" for one in left_out]
        raise ScoringError(
            f"{exp_dir}: no result counts ({'; '.join(dict.fromkeys(why)) or 'there is none'}); "
            "expected SYSTEM/seed_N/fold_NAME/test/posteriors.tsv: run stages 3 and 4"
        )
    return Results(read.task, read.folds, systems), left_out


def _folder(path: Path) -> Path | None:
    return path if path.is_dir() else None


def _changes(line: Line, read: Results, current: str | None) -> str:
    """Say what has changed since a line was written; an empty text if nothing has."""
    then = line["train"]["config_digest"]
    if line["train"]["task_digest"] != read.task.digest:
        return "folds, labels or references"
    if line["utterances"] != read.utterances_digest:
        return "test utterances"
    if current not in (None, then):
        return f"its config ({then}, now {current})"
    return ""


def _member_changes(line: Line, counting: Mapping[_Run, Line], stale: Set[_Run]) -> str:
    """Say which of the runs that a combination was made from has changed, as far as is known."""
    for path, then in line["train"].get("made_from", {}).items():
        system, seed, fold = Path(path).parts  # <system>/seed_<s>/fold_<name>
        run = system, int(seed.removeprefix("seed_")), fold.removeprefix("fold_")
        member = counting.get(run)
        if (member is None and run in stale) or (member and member["posteriors"] != then):
            return f"{path}, from which it was made,"
    return ""


def _check_one_config(name: str, lines: list[Line]) -> None:
    by_digest = {line["train"]["config_digest"]: line for line in lines}
    if len(by_digest) > 1:
        one, other = (f"seed {x['seed']}, fold {x['fold']}" for x in list(by_digest.values())[:2])
        raise ScoringError(
            f"ledger: the results of {name} come from {len(by_digest)} different configs, for "
            f"instance {one} and {other}; their mean says nothing. Rerun stages 3 and 4 for all "
            "of them, or delete the lines that do not belong"
        )
