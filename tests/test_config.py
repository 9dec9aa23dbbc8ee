"""YAML configs: what is wrong is named, with the key, the file and a way out."""

from dataclasses import dataclass, field

import pytest

from dsnet.config import config_digest, load
from dsnet.errors import ConfigError


@dataclass
class Inner:
    learning_rate: float = 1e-3
    names: list[str] = field(default_factory=list)

    def check(self):
        if self.learning_rate <= 0:
            raise ValueError("inner.learning_rate must be above 0")


@dataclass
class Outer:
    kind: str = "a"
    inner: Inner = field(default_factory=Inner)
    label_map: dict[str, str] = field(default_factory=dict)


@pytest.fixture
def read(tmp_path):
    def read(text, changes=""):
        (tmp_path / "system.yaml").write_text(text, encoding="utf-8")
        return load(tmp_path / f"system{changes and '@'}{changes}.yaml", Outer)

    return read


def test_given_values_stand_and_the_rest_are_defaults(read):
    config = read("inner: {learning_rate: 1e-4}\nlabel_map: {N: neutral, Ä: angry}")
    assert config == Outer("a", Inner(1e-4, []), {"N": "neutral", "Ä": "angry"})
    assert read("") == Outer()


def test_changes_come_on_top(read):
    text = "kind: b\ninner: {names: [x], learning_rate: 0.1}"
    config = read(text, "inner.learning_rate=1e-3,label_map.N=neutral")
    assert config == Outer("b", Inner(1e-3, ["x"]), {"N": "neutral"})
    assert config_digest(config) == config_digest(
        read("kind: b\ninner: {names: [x], learning_rate: 1e-3}\nlabel_map: {N: neutral}")
    )


@pytest.mark.parametrize(
    "changes, message",
    [
        ("inner.leraning_rate=1", "unknown key 'inner.leraning_rate'; did you mean 'learn"),
        ("kind", "expected key=value, found 'kind'"),
        ("kind.x=1", "'kind' of 'kind.x' is a value"),
        ("inner.learning_rate=0", "inner.learning_rate must be above 0"),
    ],
)
def test_a_wrong_change_is_named(read, changes, message):
    with pytest.raises(ConfigError, match=f"system@{changes}.yaml.*{message}"):
        read("kind: b", changes)


@pytest.mark.parametrize(
    "text, message",
    [
        ("inner: {leraning_rate: 1}", "unknown key 'inner.leraning_rate'; did you mean 'learn"),
        ("xyz: 1", "unknown key 'xyz'; known keys: kind, inner, label_map"),
        ("inner: {learning_rate: fast}", "'inner.learning_rate'.*'fast'"),
        ("inner: {names: anger}", "inner.names"),
        ("inner: 3", "'inner' must hold some of the keys learning_rate, names; found 3"),
        ("label_map: {1: one}", "label_map"),
        ("kind: [a, b]", "kind"),
        ("- kind", "expected 'key: value' lines, found list"),
        ("kind: 'a", "not valid YAML"),
        ("inner: {learning_rate: 0}", "inner.learning_rate must be above 0"),
    ],
)
def test_what_is_wrong_is_named(read, text, message):
    with pytest.raises(ConfigError, match=f"system.yaml.*{message}"):
        read(text)


def test_a_missing_config_names_those_beside_it(tmp_path):
    (tmp_path / "dsnet.yaml").touch()
    with pytest.raises(ConfigError, match="dnset.yaml: no such config; configs beside it: dsnet"):
        load(tmp_path / "dnset.yaml", Outer)


def test_the_digest_is_of_values_not_of_spelling(read):
    assert config_digest(read("kind: a")) == config_digest(read("inner: {learning_rate: 0.001}"))
    assert config_digest(read("kind: a")) != config_digest(read("kind: b"))


@pytest.mark.parametrize("text", ["kind: ???", "inner:\n  learning_rate: ???"])
def test_a_blank_left_to_fill_in_is_no_default(read, text):
    with pytest.raises(ConfigError, match=r"system\.yaml: '\S+' is \?\?\?; fill in its value"):
        read(text)
