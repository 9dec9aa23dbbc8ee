"""Every number of the cross-corpus page, as one nested dict that JSON can hold.

Scores are fractions of 1; None stands for what does not exist.

Axes: R models, S seeds, P speakers of the tested recipe, K shared classes.
"""

from collections import Counter
from typing import Any

import numpy as np

from dsnet.cross_corpus.classes import SharedClasses
from dsnet.cross_corpus.recipe import Recipe
from dsnet.cross_corpus.results import Cell, Matrix, speakers
from dsnet.folds.task_data import TaskData
from dsnet.report.summary import as_dict, distinct, jsonable, mean, sd
from dsnet.scoring import metrics
from dsnet.scoring.statistics import LEVEL, NUM_RESAMPLES, speaker_interval


def summarise_matrices(matrices: list[Matrix], shared: SharedClasses, seed: int) -> dict[str, Any]:
    """Compute all that the page shows; `seed` is that of every bootstrap."""
    recipes = {recipe.name: recipe for matrix in matrices for recipe in matrix.recipes}
    return jsonable(
        {
            "classes": shared.classes,
            "bootstrap": {"resamples": NUM_RESAMPLES, "level": LEVEL, "seed": seed},
            "recipes": {
                name: _describe(recipes[name], shared) for name in shared.recipes if name in recipes
            },
            "matrices": [
                {
                    "system": matrix.system,
                    "target_statistics": matrix.target_statistics,
                    "recipes": [recipe.name for recipe in matrix.recipes],
                    "cells": [_score(cell, shared, seed) for cell in matrix.cells.values()],
                }
                for matrix in matrices
            ],
        }
    )


def _describe(recipe: Recipe, shared: SharedClasses) -> dict[str, Any]:
    task, declared = TaskData.load(recipe.task_dir), shared.of(recipe.name)
    counts = Counter(task.utt2emo.values())
    return {
        "task": recipe.task,
        "folds": len(task.fold_names),
        "speakers": len(speakers(task)),
        "utterances": sum(counts[name] for name in declared.label_map),
        "classes": {
            shared_class: {
                name: counts[name]
                for name in task.classes
                if declared.label_map.get(name) == shared_class
            }
            for shared_class in shared.classes
        },
        "left_out": {name: counts[name] for name in declared.ignored_labels},
    }


def _score(cell: Cell, shared: SharedClasses, seed: int) -> dict[str, Any]:
    names = {"train": cell.train.name, "test": cell.test.name, "seeds": cell.seeds}
    if cell.problem:
        return names | {"problem": cell.problem}
    counts = np.stack([model.counts for model in cell.models])  # (R, P, K, K)
    uar_by_model = metrics.uar(counts.sum(1))  # (R,)
    # What the bootstrap over speakers keeps apart: models that were all tested on the same
    # utterances, or, on the diagonal, seeds, whose folds share the speakers out.
    apart = counts
    if cell.is_diagonal:
        seeds = np.array([model.seed for model in cell.models])
        apart = np.stack([counts[seeds == s].sum(0) for s in cell.seeds])  # (S, P, K, K)
    pooled = apart.sum(1)
    tested = counts.sum((0, 2, 3)) > 0  # (P,)
    intervals = {
        name: as_dict(speaker_interval(apart, metrics.METRICS[name], np.random.default_rng(seed)))
        for name in ("uar", "war")
    }
    return (
        names
        | {
            "folds": sorted({model.fold for model in cell.models}),
            "models": len(cell.models),
            "missing": [{"seed": s, "fold": fold} for s, fold in cell.missing],
            "utterances": int(apart.sum((1, 2, 3)).max()),
            "speakers": int(tested.sum()),
            "uar_model_mean": mean(uar_by_model),
            "uar_model_sd": sd(uar_by_model),
        }
        | intervals
        | {
            "recalls": dict(zip(shared.classes, mean(metrics.class_recalls(pooled)), strict=True)),
            "uar_by_model": [
                {"seed": model.seed, "fold": model.fold, "uar": uar}
                for model, uar in zip(cell.models, uar_by_model, strict=True)
            ],
            "confusion": pooled.sum(0),
            "trained_at": sorted({model.train["git_revision"] for model in cell.models}),
            "trained_with": distinct([model.train["versions"] for model in cell.models]),
        }
    )
