"""YAML files to typed dataclasses: an unknown key or a wrong type is an error that helps."""

import dataclasses
import difflib
import json
from pathlib import Path
from typing import Any, TypeVar

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import ConfigKeyError, OmegaConfBaseException

from dsnet.errors import ConfigError
from dsnet.files import digest

T = TypeVar("T")


def load(path: Path | str, schema: type[T]) -> T:
    """Read a YAML file into a new `schema`; keys that it leaves out keep their defaults.

    conf/name@key=value,section.key=value.yaml is conf/name.yaml with some keys changed, values as
    in YAML. A dataclass may define `check(self)` to raise ValueError for values that do not fit
    together; those of nested dataclasses run too.

    Raises:
        ConfigError: no such file, no valid YAML, unknown key, wrong type, missing or unfit value.
    """
    where = str(path)
    path, changes = split_changes(Path(path))
    if not path.is_file():
        there = ", ".join(p.stem for p in sorted(path.parent.glob("*.yaml"))) or "none"
        raise ConfigError(f"{path}: no such config; configs beside it: {there}")
    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from error
    if given is None:
        given = {}
    if not isinstance(given, dict):
        raise ConfigError(f"{path}: expected 'key: value' lines, found {type(given).__name__}")
    for change in changes:
        _apply(change, given, where)
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


def split_changes(path: Path) -> tuple[Path, list[str]]:
    """Return the file that a path with changes in its name stands for, and the changes."""
    name, _, changes = path.stem.partition("@")
    return path.with_name(f"{name}{path.suffix}"), [c for c in changes.split(",") if c]


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
    given[key] = yaml.safe_load(value)


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


def _run_checks(config: Any, path: str) -> None:
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            _run_checks(value, path)
    if hasattr(config, "check"):
        try:
            config.check()
        except ValueError as error:
            raise ConfigError(f"{path}: {error}") from error


def config_digest(config: Any) -> str:
    """Return 16 hex digits that identify the values of a config, defaults included."""
    return digest([json.dumps(dataclasses.asdict(config), sort_keys=True)])
