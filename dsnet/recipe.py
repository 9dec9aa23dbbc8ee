"""Where the files of a recipe are: the folders that its stages write, seen from here."""

from dataclasses import dataclass
from pathlib import Path

FINAL = "final"  # what is called a fold, of which all speakers train


@dataclass(frozen=True)
class Recipe:
    """A recipe's folder; the current one unless another is named, such as ../emodb."""

    folder: Path = Path()

    @property
    def name(self) -> str:
        return self.folder.resolve().name

    @property
    def conf(self) -> list[Path]:
        """Return the folders of its configs: its own comes before what all recipes share."""
        return [self.folder / "conf", self.folder / ".." / "conf"]

    @property
    def manifests(self) -> Path:
        return self.folder / "data" / "manifests"

    def features(self, name: str) -> Path:
        """Return the folder of stage 1 for one type of features."""
        return self.folder / "data" / name

    def task(self, name: str) -> Path:
        """Return the folder of stage 2 for one task."""
        return self.folder / "data" / name

    def exp(self, task: str) -> Path:
        """Return the folder of stages 3 and 4 for one task."""
        return self.folder / "exp" / task

    def run(self, task: str, system: str, seed: int, fold: str) -> Path:
        """Return the folder of one network; that of all speakers is beside the folds'."""
        if fold == FINAL:
            return self.exp(f"{task}.{FINAL}") / system / f"seed_{seed}"
        return self.exp(task) / system / f"seed_{seed}" / f"fold_{fold}"
