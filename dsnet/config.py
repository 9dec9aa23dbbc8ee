"""YAML files to typed dataclasses: an unknown key or a wrong type is an error that helps."""

import dataclasses
import difflib
import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import ConfigKeyError, OmegaConfBaseException

from dsnet.errors import ConfigError
from dsnet.files import digest

T = TypeVar("T")


def load(path: Path | str, schema: type[T], folders: Sequence[Path] = ()) -> T:
    """Read a YAML file into a new `schema`; keys that it leaves out keep their defaults.

    conf/name@key=value,section.key=value.yaml is conf/name.yaml with some keys changed, values as
    in YAML. `inherit: other` in a file takes the keys of other.yaml, the first in `folders`
    (without them: beside it), and changes those that it has itself; sections are merged key by key.
    A file may inherit from one of its own name in a later folder. A dataclass may define
    `check(self)` to raise ValueError for values that do not fit together; those of nested
    dataclasses run too.

    Raises:
        ConfigError: no such file, no valid YAML, unknown key, wrong type, missing or unfit value.
    """
    return from_values(read(path, folders), schema, str(path))


def from_values(given: dict[str, Any], schema: type[T], where: str) -> T:
    """Return a new `schema` of values as a YAML file has them; for errors see `load`.

    Args:
        given: nested values; keys that it leaves out keep their defaults.
        schema: a dataclass.
        where: they are from, for messages.
    """
    _check_keys(given, schema, where, "")
    try:
        merged = OmegaConf.merge(OmegaConf.structured(schema), OmegaConf.create(given))
        config = OmegaConf.to_object(merged)
    except ConfigKeyError as error:
        raise ConfigError(f"{where}: {error.msg}") from error
    except OmegaConfBaseException as error:
        key = f"'{error.full_key}': " if error.full_key else ""
        raise ConfigError(f"{where}: {key}{str(error).splitlines()[0]}") from error
    _run_checks(config, where)
    return config


def read(path: Path | str, folders: Sequence[Path] = ()) -> dict[str, Any]:
    """Return what a file says, what it inherits and the changes in its name laid together.

    Raises:
        ConfigError: no such file, or no valid YAML.
    """
    where = str(path)
    path, changes = split_changes(Path(path))
    given = _read_with_parents(path, folders, ())
    for change in changes:
        _apply(change, given, where)
    return given


def find(name: str, folders: Sequence[Path], what: str) -> Path:
    """Return <folder>/<name>.yaml of the first folder that has it, changes behind an @ kept.

    Raises:
        ConfigError: none has it; says what there is, the nearest name first.
    """
    base = name.partition("@")[0]
    for folder in folders:
        if (folder / f"{base}.yaml").is_file():
            return folder / f"{name}.yaml"
    there = sorted({path.stem for folder in folders for path in folder.glob("*.yaml")})
    raise ConfigError(
        f"no {what} '{base}' in {' or '.join(map(str, folders))}; {nearest(base, there)}"
    )


def nearest(name: str, there: Sequence[str]) -> str:
    """Return "did you mean 'x'?", or what there is if nothing is near."""
    close = difflib.get_close_matches(name, there, n=1)
    return f"did you mean '{close[0]}'?" if close else f"there are: {', '.join(there) or 'none'}"


def _read_with_parents(path: Path, folders: Sequence[Path], heirs: tuple[Path, ...]) -> dict:
    """Return what a file says, laid over what the file says that it inherits from."""
    given = _read(path)
    parent = given.pop("inherit", None)
    if parent is None:
        return given
    if not isinstance(parent, str):
        raise ConfigError(f"{path}: 'inherit' must be the name of one config, found {parent!r}")
    others = [f for f in folders or [path.parent] if f / f"{parent}.yaml" != path]
    try:
        parent_path = find(parent, others, "config to inherit from, called")
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    heirs = (*heirs, path)
    if parent_path in heirs:
        chain = " -> ".join(heir.stem for heir in (*heirs, parent_path))
        raise ConfigError(f"{path}: configs inherit in a circle: {chain}")
    return _merged(_read_with_parents(parent_path, folders, heirs), given)


def _read(path: Path) -> dict:
    if not path.is_file():
        there = ", ".join(p.stem for p in sorted(path.parent.glob("*.yaml"))) or "none"
        raise ConfigError(f"{path}: no such config; configs beside it: {there}")
    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # no YAML, no text, no date
        raise ConfigError(f"{path}: not valid YAML: {error}") from error
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise ConfigError(f"{path}: expected 'key: value' lines, found {type(given).__name__}")
    return given


def _merged(below: dict, above: dict) -> dict:
    result = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(below.get(key), dict)
        result[key] = _merged(below[key], value) if both else value
    return result


def split_changes(path: Path) -> tuple[Path, list[str]]:
    """Return the file that a path with changes in its name stands for, and the changes."""
    name, _, changes = path.stem.partition("@")
    parts = re.split(r",(?![^\[]*\])", changes)  # a list in brackets has commas of its own
    return path.with_name(f"{name}{path.suffix}"), [part for part in parts if part]


def _apply(change: str, given: dict, where: str) -> None:
    """Set one `section.key=value` in what a file says."""
    keys, equals, value = change.partition("=")
    if not equals:
        raise ConfigError(f"{where}: expected key=value, found '{change}'")
    *sections, key = keys.split(".")
    for section in sections:
        given = given.setdefault(section, {})
        if not isinstance(given, dict):
            raise ConfigError(f"{where}: '{section}' of '{keys}' is a value; it has no keys")
    try:
        given[key] = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ConfigError(f"{where}: '{change}': '{value}' is no value in YAML") from error


def _check_keys(given: dict, schema: type, path: str, prefix: str) -> None:
    fields = {field.name: field.type for field in dataclasses.fields(schema)}
    for key, value in given.items():
        if value == "???":
            raise ConfigError(f"{path}: '{prefix}{key}' is ???; fill in its value")
        if key not in fields:
            close = difflib.get_close_matches(str(key), fields, n=1)
            hint = f"did you mean '{close[0]}'?" if close else f"known keys: {', '.join(fields)}"
            raise ConfigError(f"{path}: unknown key '{prefix}{key}'; {hint}")
        if dataclasses.is_dataclass(fields[key]):
            if not isinstance(value, dict):
                known = ", ".join(field.name for field in dataclasses.fields(fields[key]))
                raise ConfigError(
                    f"{path}: '{prefix}{key}' must hold some of the keys {known}; found {value!r}"
                )
            _check_keys(value, fields[key], path, f"{prefix}{key}.")


def _run_checks(config: Any, path: str, prefix: str = "") -> None:
    for field in dataclasses.fields(config):
        name, value = f"{prefix}{field.name}", getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            _run_checks(value, path, f"{name}.")
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, float) and not math.isfinite(one):
                raise ConfigError(f"{path}: {name} must be a finite number, found {one}")
    if hasattr(config, "check"):
        try:
            config.check()
        except ValueError as error:
            raise ConfigError(f"{path}: {error}") from error


def config_digest(config: Any) -> str:
    """Return 16 hex digits that identify the values of a config, defaults included."""
    return digest([json.dumps(dataclasses.asdict(config), sort_keys=True)])


def differences(before: Mapping[str, Any], after: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Say which keys of two configs, as nested dicts, differ: "train.max_epochs 40 -> 2"."""
    changes = []
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            changes += differences(old, new, f"{prefix}{key}.")
        elif old != new:
            changes.append(f"{prefix}{key} {old} -> {new}")
    return changes
