"""A file a system: its parts put together, its losses, its training step."""

import ast
import inspect
from dataclasses import fields
from functools import cache
from pathlib import Path

from dsnet.config import nearest
from dsnet.errors import ConfigError
from dsnet.files import digest
from dsnet.models.front_end import Features
from dsnet.systems.base import Base, BaseMatched
from dsnet.systems.config import EnrolmentConfig, LossConfig, SystemConfig
from dsnet.systems.dat import DAT, DATTransductive
from dsnet.systems.dsc import DSC
from dsnet.systems.dsnet import DSNet
from dsnet.systems.dsnet_plus import DSNetPlus
from dsnet.systems.isnet import ISNet
from dsnet.systems.linear import SVM, Logistic
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
    "svm": SVM,
    "logistic": Logistic,
}


def find_system(config: SystemConfig) -> type[System]:
    """Return the class that `config.kind` names.

    Raises:
        ConfigError: no such kind, or a changed loss key that this kind does not use.
    """
    if config.kind not in SYSTEMS:
        raise ConfigError(f"no kind of system '{config.kind}'; {nearest(config.kind, [*SYSTEMS])}")
    system = SYSTEMS[config.kind]
    used = ("label_smoothing", "balance", *system.loss_keys) if system.is_network else ()
    for key in fields(LossConfig):
        value = getattr(config.losses, key.name)
        if value != key.default and key.name not in used:
            raise ConfigError(
                f"losses.{key.name} is {value}, which kind '{config.kind}' does not use; its keys "
                f"are {', '.join(used) or 'none'}. Remove it, or choose another kind"
            )
    return system


def build_system(
    config: SystemConfig, features: Features, num_classes: int, num_speakers: int
) -> System:
    """Return the system that `config.kind` names, freshly initialised.

    Args:
        config: of the system.
        features: that it is fed with.
        num_classes: K.
        num_speakers: S, speakers of the training part.

    Raises:
        ConfigError: see `find_system`; features that the system cannot read.
    """
    check_enrolment(config.enrolment, features)
    return find_system(config)(config, features, num_classes, num_speakers)


def check_enrolment(enrolment: EnrolmentConfig, features: Features) -> None:
    """Raise ConfigError for an enrolment by which such features cannot be normalised."""
    if (
        features.frame_shift_ms is None
        and enrolment.source in ("neutral", "any")
        and enrolment.normalise == "shift_and_scale"
    ):
        raise ConfigError(
            f"enrolment.normalise is shift_and_scale, but the features '{features.name}' have one "
            f"vector an utterance, and {enrolment.count} of them have no deviation worth the name. "
            " Set enrolment.normalise to shift"
        )


@cache
def code_digest(kind: str) -> str:
    """Return 16 hex digits that identify the code that makes a system of this kind.

    It is that of models, losses, training and the system's own classes, without comments and
    docstrings: a system that is added, or a better comment, leaves results as they are.
    """
    top = Path(__file__).parents[1]
    rooms = ("models", "losses", "training")
    files = {path for room in rooms for path in (top / room).glob("*.py")}
    files.add(top / "features" / "stored_encoder.py")  # whose layers are trained, too
    classes = [c for c in SYSTEMS[kind].__mro__ if c.__module__.startswith("dsnet.")]
    files |= {Path(inspect.getfile(c)) for c in classes}
    return digest(f"{path.stem} {_essence(path)}" for path in sorted(files))


def _essence(path: Path) -> str:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        first = body[0] if isinstance(body, list) and body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):  # a docstring
            body.pop(0)
    return ast.dump(tree)
