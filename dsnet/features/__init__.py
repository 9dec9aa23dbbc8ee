"""Features: a file a kind, and how they are stored."""

from pathlib import Path
from typing import Any

from dsnet.config import find, load, nearest, read
from dsnet.errors import ConfigError
from dsnet.features.extractor import Extractor
from dsnet.features.fbank import Fbank, FbankConfig
from dsnet.features.functionals import Functionals, FunctionalsConfig
from dsnet.features.pretrained import Pretrained, PretrainedConfig
from dsnet.recipe import Recipe

FEATURES: dict[str, tuple[type, type[Extractor]]] = {
    "fbank": (FbankConfig, Fbank),
    "opensmile": (FunctionalsConfig, Functionals),
    "pretrained": (PretrainedConfig, Pretrained),
}


def load_features(name: str, recipe: Path = Path()) -> Any:
    """Return the config of a type of features.

    Args:
        name: conf/features/<name>.yaml of the recipe or of all; fbank@num_mel_bins=64 is fbank with
            a key changed.
        recipe: folder of the recipe.

    Raises:
        ConfigError: no such file, or one that is not valid.
    """
    folders = [folder / "features" for folder in Recipe(recipe).conf]
    path = find(name, folders, "features")
    kind = read(path, folders).get("kind")
    if kind not in FEATURES:
        hint = nearest(str(kind), [*FEATURES])
        raise ConfigError(f"{path}: no kind of features '{kind}'; {hint}")
    return load(path, FEATURES[kind][0], folders)


def build_extractor(name: str, recipe: Path = Path()) -> Extractor:
    """Return what computes a type of features; for arguments see `load_features`.

    Raises:
        ConfigError: see `load_features`.
        FeatureError: a package that it needs is missing.
    """
    config = load_features(name, recipe)
    return FEATURES[config.kind][1](name, config)
