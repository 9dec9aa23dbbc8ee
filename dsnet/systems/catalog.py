"""Finds the config of a system by its name: the recipe's own, or the one that all recipes share.

dsnet                                a file dsnet.yaml in the recipe's conf/, else in egs/conf/
dsnet@losses.alpha=1,train.max_epochs=20   the same with some keys changed
"""

from pathlib import Path

from dsnet.config import load
from dsnet.errors import ConfigError
from dsnet.systems.config import SystemConfig


def system_config_path(name: str, recipe: Path = Path()) -> Path:
    """Return the path of a system's config, to be read by dsnet.config.load.

    Args:
        name: of the system.
        recipe: folder of the recipe.

    Raises:
        ConfigError: no such file.
    """
    base = name.partition("@")[0]
    folders = [recipe / "conf", recipe / ".." / "conf"]
    for folder in folders:
        if (folder / f"{base}.yaml").is_file():
            return folder / f"{name}.yaml"
    there = sorted({p.stem for f in folders for p in f.glob("*.yaml") if _is_system(p)})
    raise ConfigError(
        f"no system '{base}' in {folders[0]} or {folders[1]}; there are: {', '.join(there)}"
    )


def load_system_config(name: str, recipe: Path = Path()) -> SystemConfig:
    """Return the config of a system; for arguments see `system_config_path`.

    Raises:
        ConfigError: no such file, or one that is not valid.
    """
    return load(system_config_path(name, recipe), SystemConfig)


def _is_system(path: Path) -> bool:
    return "\nkind:" in "\n" + path.read_text(encoding="utf-8")
