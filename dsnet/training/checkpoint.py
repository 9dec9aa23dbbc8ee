"""Checkpoints that describe themselves, and the selected model that inference loads."""

import dataclasses
import io
import pickle
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf

from dsnet.config import differences
from dsnet.errors import TrainingError
from dsnet.features.feats import FeatsInfo
from dsnet.files import replacing
from dsnet.systems import build_system
from dsnet.systems.config import SystemConfig
from dsnet.systems.system import System

FORMAT = 4


def save(path: Path, content: dict[str, Any]) -> None:
    """Write tensors and plain values; the file is whole or absent.

    Raises:
        DsnetError: the disk is full.
    """
    buffer = io.BytesIO()  # torch hides the cause when it cannot write a file
    torch.save({"format": FORMAT, **content}, buffer)
    with replacing(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def load(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """Read what `save` wrote; nothing in the file is executed.

    Raises:
        TrainingError: no such file, not a checkpoint, or of another format.
    """
    if not path.is_file():
        raise TrainingError(f"{path}: no such checkpoint; train this fold first (--stage 3)")
    try:
        content = torch.load(path, map_location=device, weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise TrainingError(f"{path}: not a checkpoint of this toolkit: {error}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        found = content.get("format") if isinstance(content, dict) else type(content).__name__
        raise TrainingError(
            f"{path}: expected checkpoint format {FORMAT}, found {found}; train again (--stage 3)"
        )
    return content


def load_model(path: Path, device: torch.device | str = "cpu") -> tuple[System, dict[str, Any]]:
    """Return a trained system in evaluation mode, built from what its file says, and the file.

    Raises:
        TrainingError: see `load`.
    """
    content = load(path, device)
    config = OmegaConf.to_object(OmegaConf.merge(SystemConfig, content["config"]))
    features = FeatsInfo(**content["features"])
    system = build_system(config, features, len(content["classes"]), content["num_speakers"])
    system.load_state_dict(content["model"])
    return system.to(device).eval(), content


def check(path: Path, content: dict[str, Any], expected: dict[str, Any]) -> None:
    """Refuse a model that is not the one that the caller expects.

    Args:
        path: of the file.
        content: of the file.
        expected: values that it must hold, among `config`, `classes`, `fold`, `seed` and the
            digests of features, task and code.

    Raises:
        TrainingError: says in what it differs.
    """
    words = {
        "classes": "other classes",
        "task_digest": "other folds, labels or references",
        "features_digest": "other features",
        "code_digest": "other code of models, losses, training or the system",
        "fold": f"fold {content.get('fold')} in the place of {expected.get('fold')}",
        "seed": f"seed {content.get('seed')} in the place of {expected.get('seed')}",
    }
    differing = [w for key, w in words.items() if key in expected and content[key] != expected[key]]
    if "config" in expected and content["config"] != expected["config"]:
        changes = ", ".join(differences(content["config"], expected["config"]))
        differing.append(f"another config ({changes})")
    if differing:
        raise TrainingError(
            f"{path}: trained with {' and '.join(differing)} than are asked for now; "
            "train again (--stage 3)"
        )


def config_values(config: SystemConfig) -> dict[str, Any]:
    """Return what a file says of a config: all but what the system is compared with."""
    values = dataclasses.asdict(config)
    del values["control"]
    return values
