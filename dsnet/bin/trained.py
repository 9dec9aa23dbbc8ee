"""What stage 3 left in a folder, for the programs of later stages: whole, or refused by name."""

from pathlib import Path
from typing import Any

import torch

from dsnet.errors import TrainingError
from dsnet.files import damage_of_zip, read_json
from dsnet.systems.system import System
from dsnet.training.checkpoint import load, load_model

TRAIN = "train.json"
REMEDY = "Delete it, then train it again (--stage 3; a model of all speakers: --stage final)"


def read_train_json(folder: Path, *keys: str) -> dict[str, Any]:
    """Return what train.json of a folder says.

    Args:
        folder: of the model.
        keys: that are needed.

    Raises:
        TrainingError: it is missing or damaged, or lacks one of them.
    """
    path = folder / TRAIN
    return read_json(path, TrainingError, "run --stage 3, which trains this fold", keys)


def read_model(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """Return what a model.pt says, its checksums looked at; nothing in it is executed.

    Raises:
        TrainingError: it is missing, damaged, or not what stage 3 writes.
    """
    _require_whole(path)
    return load(path, device)


def open_model(path: Path, device: torch.device | str = "cpu") -> tuple[System, dict[str, Any]]:
    """Return the trained system of a model.pt in evaluation mode, and what the file says.

    Raises:
        TrainingError: see `read_model`.
    """
    _require_whole(path)
    try:
        return load_model(path, device)
    except (KeyError, TypeError, RuntimeError) as error:  # no weights, or those of other code
        raise TrainingError(
            f"{path}: not a model of this version of the project ({error}). {REMEDY}"
        ) from error


def _require_whole(path: Path) -> None:
    if path.is_file() and (damage := damage_of_zip(path)):
        raise TrainingError(f"{path}: damaged: {damage}. {REMEDY}")
