"""What a model's posteriors on another corpus depend on, as digests: is a result still current?"""

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from dsnet.config import config_digest
from dsnet.cross_corpus.recipe import Recipe
from dsnet.errors import DsnetError, ScoringError
from dsnet.features.feats import FeatsInfo
from dsnet.files import digest
from dsnet.folds.task_data import TaskData
from dsnet.systems import find_system
from dsnet.systems.catalog import load_system_config
from dsnet.training.loop import MODEL

T = TypeVar("T")


class Inputs:
    """The files of recipes as they are now, each read once: a matrix needs them many times."""

    def __init__(self) -> None:
        self._known: dict[tuple, object] = {}

    def task(self, recipe: Recipe) -> TaskData:
        """Return the recipe's task.

        Raises:
            FoldError: stage 2 has not ended there.
        """
        return self._once(TaskData.load, recipe.task_dir)

    def of(self, train: Recipe, test: Recipe, system: str, seed: int, fold: str) -> dict[str, str]:
        """Return digests of all that the posteriors of one model on `test` are computed from.

        The shared classes are not among it, since posteriors are kept in the model's own classes.

        Raises:
            DsnetError: something of it is missing or broken.
        """
        inputs = {
            f"the model of {train.name}": self._once(
                _file_digest, train.fold_dir(system, seed, fold) / MODEL
            ),
            f"config of {system} of {train.name}": self._config(train, system),
            f"folds, labels or references of {train.name}": self.task(train).digest,
            f"features of {train.name}": self._features(train),
            f"utterances, speakers or classes of {test.name}": self._utterances(test),
            f"features of {test.name}": self._features(test),
        }
        config = self._once(load_system_config, system, train.folder)
        if find_system(config).neutral_at_inference:
            inputs[f"neutral references of {test.name}"] = self._references(test)
        return inputs

    def changes(
        self, stored: dict[str, str], train: Recipe, test: Recipe, system: str, seed: int, fold: str
    ) -> str:
        """Say what has changed since `stored` was returned by `of`; '' if nothing has."""
        try:
            now = self.of(train, test, system, seed, fold)
        except DsnetError as error:
            return str(error)
        changed = [what for what, value in now.items() if stored.get(what) != value]
        return f"changed since: {', '.join(changed)}" if changed else ""

    def own_changes(self, recipe: Recipe, system: str, seed: int, fold: str) -> str:
        """Say why a recipe's own test posteriors may not be those of its model now; '' if they are.

        Raises:
            DsnetError: something of the recipe is missing or broken.
        """
        path = recipe.fold_dir(system, seed, fold) / "train.json"
        trained = json.loads(path.read_text(encoding="utf-8"))
        if trained["config_digest"] != self._config(recipe, system):
            return f"the config of {system} changed since it was trained"
        if trained["features_digest"] != self._features(recipe):
            return "the features changed since it was trained"
        # The marker of stage 4 says which training its posteriors are of (utils/once.py).
        marker = recipe.folder / ".done" / f"4-infer.{recipe.task}.{system}.{seed}.json"
        read = json.loads(marker.read_text(encoding="utf-8"))["reads"] if marker.is_file() else {}
        now = sha256(path.read_bytes()).hexdigest()[:16]
        if read.get(str(path.relative_to(recipe.folder))) != now:
            return "the test posteriors may be of an earlier model"
        return ""

    def _config(self, recipe: Recipe, system: str) -> str:
        return config_digest(self._once(load_system_config, system, recipe.folder))

    def _features(self, recipe: Recipe) -> str:
        return self._once(FeatsInfo.load, recipe.feats_dir).digest

    def _utterances(self, recipe: Recipe) -> str:
        task = self.task(recipe)
        return digest(f"{u} {task.utt2spk[u]} {task.utt2emo[u]}" for u in sorted(task.utt2emo))

    def _references(self, recipe: Recipe) -> str:
        references = self.task(recipe).references
        return digest(" ".join([u, *references[u]]) for u in sorted(references))

    def _once(self, read: Callable[..., T], *args) -> T:
        key = (read, *args)
        if key not in self._known:
            self._known[key] = read(*args)
        return self._known[key]


def _file_digest(path: Path) -> str:
    if not path.is_file():
        raise ScoringError(f"{path} is no longer there")
    return digest([path.read_bytes()])
