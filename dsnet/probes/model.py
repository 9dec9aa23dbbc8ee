"""The trained network of a fold, from what its checkpoint says of itself."""

from pathlib import Path

from omegaconf import OmegaConf

from dsnet.errors import TrainingError
from dsnet.folds.task_data import TaskData
from dsnet.systems import build_system
from dsnet.systems.config import SystemConfig
from dsnet.systems.system import System
from dsnet.training.checkpoint import load


def load_trained(path: Path, task: TaskData) -> System:
    """Return the selected system of a fold on the CPU, in evaluation mode.

    Its config is the one that it was trained with; no config file is read.

    Args:
        path: model.pt.
        task: that it should be of.

    Raises:
        TrainingError: no such checkpoint, or one of other classes, folds, labels or references.
    """
    content = load(path)
    if (content["classes"], content["task_digest"]) != (task.classes, task.digest):
        raise TrainingError(
            f"{path}: trained with other classes, folds, labels or references than "
            f"{task.task_dir} has now; train again (--stage 3)"
        )
    config = OmegaConf.to_object(OmegaConf.merge(SystemConfig, content["config"]))
    system = build_system(config, len(task.classes), content["num_speakers"])
    system.load_state_dict(content["model"])
    return system.eval()
