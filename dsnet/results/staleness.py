"""Which lines of the ledger count: those made with the configs, features, code and tasks of today.

What is not here cannot be compared: a ledger is read where the features are not extracted, too.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from dsnet.errors import ConfigError, DsnetError, ScoringError
from dsnet.features.feats import FeatsInfo
from dsnet.folds.task_data import read_task_json, task_digest
from dsnet.recipe import Recipe
from dsnet.results.ledger import Line, RowKey, by_date, run_key, run_of_line, tested_digest
from dsnet.results.runs import Results, SystemResults, TestSet
from dsnet.results.store import RUN, StoredRun, open_run
from dsnet.systems import SYSTEMS, code_digest
from dsnet.systems.catalog import SystemSpec, resolve


@dataclass(frozen=True)
class Stale:
    """A run that does not count, and what has changed since it was made."""

    row: str
    seed: int
    fold: str
    changed: str


class Present:
    """What configs, features, code and tasks are now; None for what is not here."""

    def __init__(self, recipes: Mapping[str, Recipe]):
        """Look into these recipes, by name."""
        self.recipes = recipes
        self.spec = cache(self._spec)
        self.features = cache(self._features)
        self.task = cache(self._task)
        self.model = cache(self._model)

    def _spec(self, system: str, recipe: str) -> SystemSpec | None:
        try:
            return resolve(system, self.recipes[recipe].folder)
        except ConfigError:
            return None

    def _features(self, name: str, recipe: str) -> str | None:
        folder = self.recipes[recipe].features(name)
        try:
            return FeatsInfo.load(folder).digest
        except DsnetError:
            return None

    def _task(self, name: str, recipe: str) -> str | None:
        folder = self.recipes[recipe].task(name)
        try:
            return task_digest(folder, read_task_json(folder)["classes"])
        except DsnetError:
            return None

    def _model(self, system: str, recipe: str, task: str, seed: int, fold: str) -> str | None:
        path = self.recipes[recipe].run(task, system, seed, fold) / RUN
        return open_run(path.parent).info["digests"].get("model") if path.is_file() else None

    def control(self, info: Mapping[str, Any]) -> str | None:
        """Return the system that a run's is to be compared with, as the configs say now."""
        spec = self.spec(info["system"], info["trained_on"])
        return spec.control if spec else info["control"]

    def changes(self, info: Mapping[str, Any]) -> str:
        """Say what differs between now and when a run was made; an empty text if nothing does."""
        own, there = info["trained_on"], info["tested_on"]
        then, then_tested = info["digests"], info["tested_digests"]
        spec = self.spec(info["system"], own)
        if spec is None:
            return f"its config, which egs/{own} has no more,"
        # what it was made with, what that is now, and the name of it
        compared = [(then["config"], spec.digest, "its config")]
        compared.append((then["task"], self.task(info["task"], own), _task_words(info, own)))
        if not info["members"]:  # an ensemble stands and falls with its members
            now = self.features(info["features"], own)
            compared.append((then["features"], now, f"the features '{info['features']}' of {own}"))
            code = code_digest(info["kind"]) if info["kind"] in SYSTEMS else None
            compared.append((then["code"], code, "the code that trains it"))
            if own != there or not info["own_enrolment"]:  # made of a model that may be another now
                model = self.model(info["system"], own, info["task"], info["seed"], info["fold"])
                compared.append((then["model"], model, "the model"))
        if then_tested:
            compared.append((then_tested["task"], self._tested_task(info), f"the task of {there}"))
            if not info["members"]:
                now = self.features(info["features"], there)
                words = f"the features '{info['features']}' of {there}"
                compared.append((then_tested["features"], now, words))
        for before, now, words in compared:
            if now not in (None, before):
                return f"{words} ({before}, now {now})"
        return ""

    def _tested_task(self, info: Mapping[str, Any]) -> str | None:
        return self.task(info["tested_task"], info["tested_on"])


def _task_words(info: Mapping[str, Any], recipe: str) -> str:
    return f"folds, labels or references of {info['task']} of {recipe}"


def select(
    lines: Sequence[Line],
    found: Sequence[StoredRun],
    test_sets: Mapping[str, TestSet],
    present: Present,
    tasks: Mapping[str, Collection[str]],
    name_row: Callable[[RowKey], str],
) -> tuple[Results, list[Stale]]:
    """Take for each run the latest line that is not stale.

    What is not here cannot say that a line is stale; but the runs of a row are one system's, so
    what they were made with must be what the latest of them was made with. A run whose own latest
    line is another does not count, whatever it has before.

    Args:
        lines: of the ledger.
        found: runs whose files are here.
        test_sets: by name.
        present: what configs, features, code and tasks are now.
        tasks: of each recipe, those that are on the page; lines of others are passed over.
        name_row: gives a row its name on the page.

    Returns:
        What is scored, and the runs that have stale lines only.

    Raises:
        ScoringError: nothing counts.
    """
    counting: dict[tuple, Line] = {}
    latest: dict[RowKey, Line] = {}
    stale: dict[tuple, Stale] = {}
    # what something was made from comes before it
    for line in sorted(by_date(lines), key=lambda line: bool(line["run"]["members"])):
        info, key = line["run"], run_key(line["run"])
        own, there = info["trained_on"], info["tested_on"]
        if there not in test_sets or info["task"] not in tasks.get(own, ()):
            continue  # of another page
        changed = present.changes(info)
        if not changed and (
            info["fold"] not in test_sets[own].folds
            or line["utterances"] != tested_digest(info, test_sets[there])
        ):
            changed = "test utterances or their classes"
        changed = changed or _member_changes(line, counting, stale)
        if changed:
            stale[key] = Stale(name_row(key[0]), info["seed"], info["fold"], changed)
        else:
            counting[key] = latest[key[0]] = line
    for key, line in list(counting.items()):
        changed = _differs(line["run"], latest[key[0]]["run"])
        changed = changed or _member_changes(line, counting, stale)  # these come before it
        if changed:
            stale[key] = Stale(name_row(key[0]), line["run"]["seed"], line["run"]["fold"], changed)
            del counting[key]
    folders = {run_key(stored.info): stored for stored in found}
    systems = []
    for row in sorted({key[0] for key in counting}, key=name_row):
        own = {key[1:]: line for key, line in counting.items() if key[0] == row}
        test = test_sets[row.tested_on]
        trained = test_sets[row.trained_on]
        folds = trained.folds
        order = [(seed, fold) for seed in sorted({s for s, _ in own}) for fold in folds]
        runs = []
        for seed, fold in order:
            if (seed, fold) in own:
                line = own[seed, fold]
                line["run"]["control"] = present.control(line["run"])
                stored = folders.get((row, seed, fold))
                # files of another result than the one that counts do not belong to it
                here = stored is not None and stored.digest == line["posteriors"]
                runs.append(run_of_line(line, test, stored.folder if here else None))
        missing = [run for run in order if run not in own]
        other_task = row.task != trained.task.task_dir.name
        systems.append(SystemResults(name_row(row), test, runs, missing, other_task))
    left_out = [stale[key] for key in stale if key not in counting]
    if not systems:
        why = [f"{one.row}: {one.changed} changed" for one in left_out]
        raise ScoringError(
            f"no result counts ({'; '.join(dict.fromkeys(why)) or 'there is none'}); run stages 3 "
            "and 4"
        )
    classes = next(iter(test_sets.values())).classes
    return Results(classes, list(test_sets.values()), systems), left_out


def _differs(info: Mapping[str, Any], latest: Mapping[str, Any]) -> str:
    """Say what a run of a row was made with that the latest of the row was not."""
    for digests in ("digests", "tested_digests"):
        for key in ("config", "task", "features", "code"):
            then, now = (one[digests].get(key) if one[digests] else None for one in (info, latest))
            if then != now:
                return f"its {key} ({then}, {now} of the latest of its row)"
    then, now = ({(m["system"], m["seed"]) for m in one["members"]} for one in (info, latest))
    return "its members" if then != now else ""


def _member_changes(
    line: Line, counting: Mapping[tuple, Line], stale: Mapping[tuple, Stale]
) -> str:
    """Say which of the runs that an ensemble was made from has changed, as far as is known."""
    info = line["run"]
    for member in info["members"]:
        key = run_key({**info, **member, "own_enrolment": True})
        now = counting.get(key)
        if (now is None and key in stale) or (now and now["posteriors"] != member["digest"]):
            return f"{member['system']}, seed {member['seed']}, of which it was made,"
    return ""
