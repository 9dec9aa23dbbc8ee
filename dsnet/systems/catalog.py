"""What `--systems` names: a config file, the same with some keys changed, or an ensemble.

    dsnet                                       dsnet.yaml in the recipe's conf/systems/ or, for all
                                                recipes, egs/conf/systems/
    dsnet@losses.alpha=1,train.max_epochs=20    the same with some keys changed
    dsnet+compare_svm                           one decision of both, of all their seeds

This is the only place where such a name is taken apart; all else reads the fields.
"""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from dsnet.config import find, load, split_changes
from dsnet.errors import ConfigError
from dsnet.files import digest
from dsnet.recipe import Recipe
from dsnet.systems import find_system
from dsnet.systems.config import EnrolmentConfig, SystemConfig


@dataclass(frozen=True)
class SystemSpec:
    """A system as asked for.

    Args:
        name: as typed.
        base: name of its config file; of an ensemble the name itself.
        changes: changed keys and their values as typed; of an ensemble those of its members, behind
            their names.
        members: of an ensemble, in the order typed; else empty.
        config: None of an ensemble.
        control: name of the system that it is compared with; None: there is none.
    """

    name: str
    base: str
    changes: dict[str, str]
    members: tuple[str, ...]
    config: SystemConfig | None
    control: str | None

    @property
    def digest(self) -> str:
        """Return 16 hex digits that identify what it is; what it is compared with does not count.

        An ensemble is its members.
        """
        if self.config is None:
            return digest(sorted(self.members))
        values = dataclasses.asdict(self.config)
        del values["control"]
        return digest([json.dumps(values, sort_keys=True)])


def resolve(name: str, recipe: Path = Path()) -> SystemSpec:
    """Return the system that a name stands for.

    A changed system is compared with its control changed alike, but for what the two differ in:
    kind, enrolment, and the losses beside the cross entropy. An ensemble is with its first member.

    Args:
        name: see above.
        recipe: folder of the recipe.

    Raises:
        ConfigError: no such file, or one that is not valid.
    """
    if "+" in name:
        members = tuple(name.split("+"))
        if len(members) < 2 or not all(members) or len(set(members)) < len(members):
            raise ConfigError(
                f"'{name}': an ensemble is two or more different systems, such as dsnet+svm"
            )
        changes = {
            f"{member.base}.{key}": value
            for member in (resolve(one, recipe) for one in members)
            for key, value in member.changes.items()
        }
        return SystemSpec(name, name, changes, members, None, members[0])
    folders = [folder / "systems" for folder in Recipe(recipe).conf]
    config = load(find(name, folders, "system"), SystemConfig, folders)
    find_system(config)
    base, changes = split_changes(Path(f"{name}.yaml"))
    pairs = dict(change.split("=", 1) for change in changes)
    control = config.control or None
    alike = [f"{key}={value}" for key, value in pairs.items() if _is_shared(key)]
    if control and alike:
        control = f"{control}@{','.join(alike)}"
    return SystemSpec(name, base.stem, pairs, (), config, control)


def _is_shared(key: str) -> bool:
    """Say whether a system and its control are changed alike in this key."""
    section, _, name = key.partition(".")
    if section == "losses":
        return name in ("label_smoothing", "balance")
    return section not in ("kind", "control", "enrolment")


def check_matching(spec: SystemSpec) -> None:
    """Raise ConfigError for a system whose input cannot be matched to a target corpus."""
    if spec.config is not None and spec.config.enrolment.source != "none":
        raise ConfigError(
            f"--match-target: {spec.name} normalises its input by its enrolment already"
        )


def side_information(config: SystemConfig, enrolment: EnrolmentConfig, across: bool) -> str:
    """Return what a prediction rests on beyond the utterance and labelled training data.

    Args:
        config: of the system.
        enrolment: of its input, at inference.
        across: whether it is tested on another corpus than it was trained on, whose audio no
            training has heard.
    """
    system = find_system(config)
    given = "none" if across and system.needs_unlabelled else system.side_information
    parts = [] if given == "none" else [given]
    if enrolment.source == "neutral":
        plural = "s" if enrolment.count != 1 else ""
        parts.append(f"{enrolment.count} neutral utterance{plural} of the speaker")
    if enrolment.source == "any":
        plural = "s" if enrolment.count != 1 else ""
        parts.append(f"{enrolment.count} unlabelled utterance{plural} of the speaker")
    if enrolment.source == "all":
        parts.append("all unlabelled audio of the speaker")
    return "; ".join(parts) or "none"


def is_transductive(config: SystemConfig, enrolment: EnrolmentConfig, across: bool) -> bool:
    """Say whether a system hears the audio that it is tested on before it decides."""
    return (find_system(config).needs_unlabelled and not across) or enrolment.source == "all"
