"""Another recipe's folder, seen from egs/cross_corpus: where its files are and what is missing."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dsnet.errors import ConfigError


@dataclass(frozen=True)
class Recipe:
    """One recipe under one task and with one kind of features; nothing is written into it."""

    folder: Path  # ../emodb
    task: str
    feats: str

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def task_dir(self) -> Path:
        return self.folder / "data" / self.task

    @property
    def feats_dir(self) -> Path:
        return self.folder / "data" / self.feats

    @property
    def exp_dir(self) -> Path:
        return self.folder / "exp" / self.task

    def fold_dir(self, system: str, seed: int | str, fold: str) -> Path:
        """Return the folder of one model."""
        return self.exp_dir / system / f"seed_{seed}" / f"fold_{fold}"

    def command(self, *options: str) -> str:
        """Return the command line that runs the recipe under this task, from the project's root."""
        chosen = ["--task", self.task]
        chosen += ["--feats", self.feats] if self.feats != "fbank" else []
        return shlex.join(["bash", f"egs/{self.name}/run.sh", *chosen, *options])

    def require_folds(self) -> None:
        """Make sure that stages 1 and 2 have ended.

        Raises:
            ConfigError: they have not; says what to run.
        """
        wanted = [self.feats_dir / name for name in ("feats.json", "feats.scp", "cuts.jsonl.gz")]
        self._require([*wanted, self.task_dir / "task.json"], self.command("--stop-stage", "2"))

    def require_models(
        self, systems: Sequence[str], seeds: Sequence[str], folds: Sequence[str]
    ) -> None:
        """Make sure that stage 3 has ended for each system, seed and fold.

        Raises:
            ConfigError: it has not; says what to run.
        """
        for system in systems:
            if not (self.exp_dir / system).is_dir():
                raise ConfigError(
                    f"{self.exp_dir / system}: no such system; egs/{self.name} has trained for "
                    f"{self.task}: {', '.join(self._trained()) or 'none'}"
                )
        wanted = [
            self.fold_dir(system, seed, fold) / name
            for system in systems
            for seed in seeds
            for fold in folds
            for name in ("model.pt", "train.json")
        ]
        options = ["--systems", " ".join(systems), "--seeds", " ".join(seeds)]
        self._require(wanted, self.command(*options, "--stop-stage", "3"))

    def _trained(self) -> list[str]:
        return sorted({path.parent.name for path in self.exp_dir.glob("*/seed_*")})

    def _require(self, paths: Sequence[Path], command: str) -> None:
        missing = [path for path in paths if not path.is_file()]
        if missing:
            raise ConfigError(
                f"{missing[0]} is missing ({len(missing)} of {len(paths)} files that are needed "
                f"from egs/{self.name}). Run first, with its --corpus-dir if it takes one:\n"
                f"  {command}"
            )


def find_recipe(option: str, folder: str) -> Path:
    """Check an option that names a recipe, ../emodb as seen from this one.

    Raises:
        ConfigError: empty, or no recipe beside this one.
    """
    path = Path(folder)
    if not folder or path.parent != Path("..") or not (path / "run.sh").is_file():
        found = f"found '{folder}'" if folder else "none was given"
        raise ConfigError(
            f"{option}: expected a recipe of this project, such as egs/emodb, typed from where you "
            f"stand; {found}"
        )
    return path
