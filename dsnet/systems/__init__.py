"""A file a system: its parts put together, its losses, its training step."""

from dataclasses import fields

from dsnet.errors import ConfigError
from dsnet.systems.base import Base, BaseMatched
from dsnet.systems.config import LossConfig, SystemConfig
from dsnet.systems.dat import DAT, DATTransductive
from dsnet.systems.dsc import DSC
from dsnet.systems.dsnet import DSNet
from dsnet.systems.dsnet_plus import DSNetPlus
from dsnet.systems.isnet import ISNet
from dsnet.systems.menan import MEnAN
from dsnet.systems.system import System

SYSTEMS: dict[str, type[System]] = {
    "base": Base,
    "base_matched": BaseMatched,
    "dat": DAT,
    "dat_transductive": DATTransductive,
    "dsc": DSC,
    "menan": MEnAN,
    "isnet": ISNet,
    "dsnet": DSNet,
    "dsnet_plus": DSNetPlus,
}


def find_system(config: SystemConfig) -> type[System]:
    """Return the class that `config.kind` names.

    Raises:
        ConfigError: no such kind, or a changed loss key that this kind does not use.
    """
    if config.kind not in SYSTEMS:
        raise ConfigError(f"kind is '{config.kind}'; known systems: {', '.join(SYSTEMS)}")
    system = SYSTEMS[config.kind]
    used = ("label_smoothing", *system.loss_keys)
    for key in fields(LossConfig):
        value = getattr(config.losses, key.name)
        if value != key.default and key.name not in used:
            raise ConfigError(
                f"losses.{key.name} is {value}, which kind '{config.kind}' does not use; its keys "
                f"are {', '.join(used)}. Remove it, or choose another kind"
            )
    return system


def build_system(config: SystemConfig, num_classes: int, num_speakers: int) -> System:
    """Return the system that `config.kind` names, freshly initialised.

    Args:
        config: of the system.
        num_classes: K.
        num_speakers: S, speakers of the training part.

    Raises:
        ConfigError: see `find_system`.
    """
    return find_system(config)(config, num_classes, num_speakers)


def side_information(config: SystemConfig) -> str:
    """Return what a prediction rests on beyond the utterance itself and labelled training data."""
    given = find_system(config).side_information
    parts = [] if given == "none" else [given]
    if config.input.calibrate == "neutral":
        parts.append(in_words(config.input.clips, "neutral clip"))
    return "; ".join(parts) or "none"


def in_words(count: int, thing: str) -> str:
    """Return what a system is given of a speaker: 3 neutral clips of the speaker at inference."""
    return f"{count} {thing}{'s' if count != 1 else ''} of the speaker at inference"
