"""What moves the weights: optimisers, what of a network each is given, and learning rates."""

from collections.abc import Mapping
from typing import Any

import torch
from torch.nn import Parameter
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR, ReduceLROnPlateau

from dsnet.systems.config import TrainConfig

OPTIMIZERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


def optimizer_groups(
    parameters: list[Parameter], config: TrainConfig, factors: Mapping[Parameter, float]
) -> list[dict[str, Any]]:
    """Return the optimiser's groups of what is trained, those of the full learning rate first.

    Matrices and kernels decay, biases and norms do not.

    Args:
        parameters: some of them may be frozen.
        config: with learning rate and weight decay.
        factors: by which the learning rate of some parameters is multiplied.
    """
    groups: dict[tuple[float, bool], list[Parameter]] = {(1.0, True): [], (1.0, False): []}
    for parameter in parameters:
        if parameter.requires_grad:
            key = (factors.get(parameter, 1.0), parameter.ndim > 1)
            groups.setdefault(key, []).append(parameter)
    return [
        {
            "params": group,
            "lr": factor * config.learning_rate,
            "weight_decay": config.weight_decay if decays else 0.0,
        }
        for (factor, decays), group in groups.items()
    ]


def make_schedule(
    optimizer: torch.optim.Optimizer, config: TrainConfig, num_steps: int
) -> LRScheduler:
    """Return the learning-rate schedule that `config` names, over `num_steps` steps."""
    if config.schedule == "plateau":
        # torch lowers the rate once more than `patience` epochs are bad
        return ReduceLROnPlateau(
            optimizer, mode="max", factor=0.1, patience=config.patience - 1, threshold=0.0
        )
    if config.schedule == "one_cycle":
        rates = [group["lr"] for group in optimizer.param_groups]
        return OneCycleLR(optimizer, rates, total_steps=num_steps, pct_start=config.warmup)
    return torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)
