"""Checkpoints that describe themselves, and the selected model that inference loads."""

import dataclasses
import io
import pickle
from pathlib import Path
from typing import Any

import torch

from dsnet.config import config_digest
from dsnet.errors import TrainingError
from dsnet.files import replacing
from dsnet.systems import build_system
from dsnet.systems.config import SystemConfig
from dsnet.systems.system import System

FORMAT = 2


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


def load_system(
    path: Path,
    config: SystemConfig,
    classes: list[str],
    task_digest: str,
    features_digest: str,
    device: torch.device | str,
) -> System:
    """Return the selected system of a fold, refusing one that is not what the caller expects.

    Raises:
        TrainingError: trained with another config, other classes, folds, references or features.
    """
    content = load(path, device)
    differing = []
    if content["config_digest"] != config_digest(config):
        differing.append(f"another config ({describe_changes(content['config'], config)})")
    if content["classes"] != classes:
        differing.append(f"other classes ({', '.join(content['classes'])})")
    if content["task_digest"] != task_digest:
        differing.append("other folds, labels or references")
    if content["features_digest"] != features_digest:
        differing.append("other features")
    if differing:
        raise TrainingError(
            f"{path}: trained with {' and '.join(differing)} than are asked for now; "
            "train again (--stage 3)"
        )
    system = build_system(config, len(classes), content["num_speakers"])
    system.load_state_dict(content["model"])
    return system.to(device)


def describe_changes(before: dict[str, Any], after: SystemConfig) -> str:
    """Return which keys of a stored config differ from `after`, for a log line."""
    changes = []

    def compare(old: Any, new: Any, prefix: str) -> None:
        if isinstance(old, dict) and isinstance(new, dict):
            for key in sorted(old.keys() | new.keys()):
                compare(old.get(key), new.get(key), f"{prefix}.{key}" if prefix else key)
        elif old != new:
            changes.append(f"{prefix} {old} -> {new}")

    compare(before, dataclasses.asdict(after), "")
    return ", ".join(changes)
