"""Stage 5: score what stage 4 left; write index.html, RESULTS.md, metrics.json, figures, ledger.

With --task the page is of one recipe's task; with --shared of models of one recipe on another, in
the classes that both have, and of each on itself for comparison.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dsnet.bin import run
from dsnet.config import load
from dsnet.errors import ScoringError
from dsnet.files import write_text
from dsnet.folds.task_data import TaskData
from dsnet.probes.summary import read_probes
from dsnet.recipe import Recipe
from dsnet.report.config_changes import config_changes
from dsnet.report.figures.all import draw_figures
from dsnet.report.listening import SOUNDS, surest_mistakes
from dsnet.report.page import Extras, page_html
from dsnet.report.provenance import Provenance
from dsnet.report.results_md import results_md
from dsnet.report.sections import stale_md, tried_md
from dsnet.report.summary import summarise
from dsnet.report.tensorboard import write_tensorboard
from dsnet.results import ledger
from dsnet.results.classes import SharedClasses
from dsnet.results.ledger import RowKey
from dsnet.results.runs import Results
from dsnet.results.staleness import Present, select
from dsnet.results.store import StoredRun, find_runs, open_test_sets
from dsnet.task import TaskConfig

RANDOM_SEED = 0  # of bootstrap and permutation tests


@dataclass(frozen=True)
class Page:
    """What a page is of.

    Args:
        title: of RESULTS.md.
        shared: its classes, and how they are seen in each recipe.
        recipes: by name, those that take part.
        runs: that are here.
        tasks: of each recipe, those that are on the page.
        name_row: gives a row its name.
    """

    title: str
    shared: SharedClasses
    recipes: dict[str, Recipe]
    runs: list[StoredRun]
    tasks: dict[str, list[str]]
    name_row: Callable[[RowKey], str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    kind = parser.add_mutually_exclusive_group(required=True)
    kind.add_argument("--task", help="of the recipe in this folder, such as 4class")
    kind.add_argument("--shared", type=Path, help="shared classes, such as conf/6class.yaml")
    parser.add_argument(
        "--variants", nargs="*", default=[], help="such as 4class@references.count=1, for one page"
    )
    parser.add_argument("--results-dir", type=Path, default=Path(), help="where to write")
    parser.add_argument(
        "--sound", choices=SOUNDS, default="link", help="of the mistakes on the page"
    )
    parser.add_argument("--command", required=True, help="the command to print in the report")
    args = parser.parse_args()
    path = args.results_dir / ledger.NAME
    if args.task:
        page = page_of_task(args.task, args.variants)
    else:
        page = page_of_shared(args.shared, ledger.read_ledger(path) if path.is_file() else [])
    test_sets = open_test_sets(page.shared, page.recipes)
    lines = ledger.update(path, page.runs, test_sets)
    present = Present(page.recipes)
    results, stale = select(lines, page.runs, test_sets, present, page.tasks, page.name_row)
    probes = {} if args.shared else read_probes(probed_folders(results))
    summary = summarise(results, RANDOM_SEED)
    summary |= {"title": page.title, "probes": probes, "num_stale": len(stale)}
    figures = draw_figures(results, summary, args.results_dir / "figures")
    listening = None
    if not args.shared:
        listening = surest_mistakes(results, summary, Recipe(), args.results_dir, args.sound)
    changes, tried = config_changes(results, page.recipes), tried_md(Path("README.md"))
    extras = Extras(changes, listening, stale_md(stale), tried)
    provenance = Provenance.here(args.command)
    html = page_html(summary, provenance, figures, args.results_dir / "figures", extras)
    write_text(args.results_dir / "metrics.json", json.dumps(summary, indent=1) + "\n")
    write_text(args.results_dir / "index.html", html)
    report = results_md(summary, provenance, figures)
    write_text(args.results_dir / "RESULTS.md", report)
    write_tensorboard(page.runs, lines, test_sets)


def page_of_task(name: str, variants: list[str]) -> Page:
    """Return the page of this recipe's task and of variants of it.

    Raises:
        ScoringError: classes have changed since stage 2.
    """
    recipe = Recipe()
    config, task = load(Path("conf") / f"{name}.yaml", TaskConfig), TaskData.load(recipe.task(name))
    if config.classes != task.classes:
        raise ScoringError(
            f"{recipe.task(name)}: made for the classes {', '.join(task.classes)}, but the config "
            f"has {', '.join(config.classes)}; rerun from stage 2"
        )
    return Page(
        title=f"{recipe.name}, {name}",
        shared=SharedClasses.of_one(recipe.name, name, task.classes),
        recipes={recipe.name: recipe},
        runs=find_runs(recipe.exp(task) for task in (name, *variants)),
        tasks={recipe.name: [name, *variants]},
        name_row=lambda row: row.title(name, across=False),
    )


def page_of_shared(config: Path, lines: list[ledger.Line]) -> Page:
    """Return the page of all pairs of recipes that were run in some shared classes.

    Args:
        config: the shared classes.
        lines: of the ledger so far; their files need not be here.
    """
    shared = load(config, SharedClasses)
    across = find_runs([Recipe().exp(config.stem)])
    infos = [one.info for one in across] + [line["run"] for line in lines]
    names = {info[key] for info in infos for key in ("trained_on", "tested_on")}
    recipes = {name: Recipe(Path("..") / name) for name in shared.recipes if name in names}
    systems = {info["system"] for info in infos}
    folders = [recipe.exp(shared.of(name).task) for name, recipe in recipes.items()]
    own = [one for one in find_runs(folders) if one.info["system"] in systems]
    own = [one for one in own if one.info["own_enrolment"]]
    return Page(
        title=f"models of one corpus on another, {config.stem}",
        shared=shared,
        recipes=recipes,
        runs=[*across, *own],
        tasks={name: [shared.of(name).task] for name in recipes},
        name_row=lambda row: row.title(shared.of(row.trained_on).task, across=True),
    )


def probed_folders(results: Results) -> dict[str, list[Path]]:
    """Return the folders of the networks of each row that may have probes."""
    return {
        row.name: [one.folder for one in row.runs if one.folder is not None]
        for row in results.systems
        if row.info["own_enrolment"]
    }


if __name__ == "__main__":
    run(main)
