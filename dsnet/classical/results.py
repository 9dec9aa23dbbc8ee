"""Writes what a classical system leaves of one fold, in the form that scoring reads.

    <folder>/{c_values.jsonl, dev/posteriors.tsv, test/posteriors.tsv, train.json}

c_values.jsonl has an entry for each C tried. An SVM has no probabilities: posteriors are the
softmax of its decision values. These keep their order, which is all that UAR, WAR and F1 ask for,
and they are not calibrated: 0.6 does not mean right in 6 of 10 cases.
"""

import json
from importlib.metadata import version
from pathlib import Path

from scipy.special import softmax

from dsnet.classical.systems import SYSTEMS, FoldOutcome
from dsnet.config import config_digest
from dsnet.environment import git_revision, versions
from dsnet.features.functionals import Functionals
from dsnet.files import write_text
from dsnet.folds.task_data import TaskData
from dsnet.results.posteriors import write_posteriors


def write_fold(
    folder: Path,
    system: str,
    outcome: FoldOutcome,
    functionals: Functionals,
    task: TaskData,
    fold_name: str,
    seed: int,
    command: str,
) -> None:
    """Write the files of a fold, train.json last.

    Args:
        folder: <exp>/<system>/seed_<seed>/fold_<name>.
        system: a key of SYSTEMS.
        outcome: of `run_fold`.
        functionals: that it was made from.
        task: that it was made for.
        fold_name: of the fold.
        seed: of the SVM.
        command: that runs all this.
    """
    (folder / "train.json").unlink(missing_ok=True)  # scoring takes no fold without it
    fold, config, selected = task.fold(fold_name), SYSTEMS[system], outcome.selected
    write_text(
        folder / "c_values.jsonl", "".join(json.dumps(entry) + "\n" for entry in selected.log)
    )
    for part, decisions in outcome.decisions.items():
        path = folder / part / "posteriors.tsv"
        write_posteriors(path, fold.parts()[part], task.classes, softmax(decisions, axis=1))
    chosen = next(entry for entry in selected.log if entry["C"] == selected.c)
    about = {
        "system": system,
        "kind": config.kind,
        "side_information": config.side_information,
        "config_digest": config_digest(config),
        "features_digest": functionals.digest,
        "task_digest": task.digest,
        "fold": fold_name,
        "seed": seed,
        "num_parameters": selected.num_parameters,
        "inference_parameters": selected.num_parameters,
        "num_train": len(fold.train),
        "num_dev": len(fold.dev),
        "C": selected.c,
        "dev_uar": chosen["dev"]["uar"],
        "seconds": sum(entry["seconds"] for entry in selected.log),
        "device": "cpu",
        "versions": {
            **versions(),
            "scikit-learn": version("scikit-learn"),
            "opensmile": functionals.opensmile_version,
        },
        "git_revision": git_revision(),
        "command": command,
    }
    write_text(folder / "train.json", json.dumps(about, indent=2) + "\n")
