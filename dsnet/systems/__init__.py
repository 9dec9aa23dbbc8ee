"""A file a system: its parts put together, its losses, its training step."""

from dsnet.errors import ConfigError
from dsnet.systems.base import Base, BaseMatched
from dsnet.systems.config import SystemConfig
from dsnet.systems.dsnet import DSNet
from dsnet.systems.system import System

SYSTEMS: dict[str, type[System]] = {"base": Base, "base_matched": BaseMatched, "dsnet": DSNet}


def build_system(config: SystemConfig, num_classes: int) -> System:
    """Return the system that `config.kind` names, freshly initialised.

    Raises:
        ConfigError: no such kind.
    """
    if config.kind not in SYSTEMS:
        raise ConfigError(f"kind is '{config.kind}'; known systems: {', '.join(SYSTEMS)}")
    return SYSTEMS[config.kind](config, num_classes)
