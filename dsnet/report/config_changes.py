"""How the config of each row differs from that of its control."""

from collections.abc import Mapping

from dsnet.config import differences
from dsnet.errors import ConfigError
from dsnet.recipe import Recipe
from dsnet.report.differences import control_of
from dsnet.results.runs import Results, SystemResults
from dsnet.systems.catalog import SystemSpec, resolve
from dsnet.training.checkpoint import config_values


def config_changes(results: Results, recipes: Mapping[str, Recipe]) -> dict[str, list[str]]:
    """Say of each row what differs, as "train.max_epochs 40 -> 2": of the control, then of the row.

    A row without a control on the page is compared with the one that its config names; it has no
    entry if it names none. An ensemble has its members instead.

    Args:
        results: rows of a page.
        recipes: by name, whose configs the rows were trained with.
    """
    found = {}
    for row in results.systems:
        spec = _spec(row.info["system"], recipes[row.info["trained_on"]])
        if spec is None:
            continue
        if spec.members:
            found[row.name] = [f"one decision of {' and '.join(spec.members)}"]
            continue
        changes = _of_row(row)
        control = control_of(row, results.systems)
        named = row.info["control"] if control is None else control.info["system"]
        theirs = _spec(named, recipes[row.info["trained_on"]]) if named else None
        if theirs is not None and theirs.config is not None:
            before, after = (config_values(one.config) for one in (theirs, spec))
            changes += differences(before, after)
        if changes:
            found[row.name] = changes
    return found


def _of_row(row: SystemResults) -> list[str]:
    """Return what a row has that is in no config of a system."""
    info, changes = row.info, []
    if row.other_task:
        changes += [f"task: {key} {value}" for key, value in info["task_changes"].items()]
    if not info["own_enrolment"]:
        changes.append(f"given at the test: {info['side_information']}")
    if info["normalised_by_target"] != "none":
        changes.append(f"input normalised by the {info['normalised_by_target']} that is tested")
    return changes


def _spec(name: str, recipe: Recipe) -> SystemSpec | None:
    """Return a system as its config says; None: there is none of this name any more."""
    try:
        return resolve(name, recipe.folder)
    except ConfigError:
        return None
