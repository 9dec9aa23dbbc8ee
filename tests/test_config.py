"""YAML configs: what is wrong is named, with the key, the file and a way out."""

from dataclasses import dataclass, field

import pytest

from dsnet.config import config_digest, differences, find, load, split_changes
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


@pytest.fixture
def folders(tmp_path):
    """A function that writes configs, "own/x.yaml" or "shared/x.yaml", and returns both folders."""

    def write(**texts):
        for name in ("own", "shared"):
            (tmp_path / name).mkdir()
        for name, text in texts.items():
            (tmp_path / f"{name.replace('__', '/')}.yaml").write_text(text)
        return [tmp_path / "own", tmp_path / "shared"]

    return write


def test_what_is_inherited_is_merged_key_by_key(folders):
    own, shared = folders(
        shared__base="kind: b\ninner: {learning_rate: 0.1, names: [x, y]}\nlabel_map: {N: n, A: a}",
        shared__middle="inherit: base\ninner: {names: [z]}\nlabel_map: {H: h}",
        own__top="inherit: middle\nlabel_map: {A: other}",
    )
    config = load(own / "top.yaml", Outer, [own, shared])
    # sections and dicts key by key; a list is one value
    assert config == Outer("b", Inner(0.1, ["z"]), {"N": "n", "A": "other", "H": "h"})
    changed = load(own / "top@inner.learning_rate=0.2.yaml", Outer, [own, shared])
    assert changed.inner == Inner(0.2, ["z"])


def test_without_folders_the_parent_lies_beside(folders):
    own, _ = folders(own__base="kind: b", own__top="inherit: base", shared__base="kind: c")
    assert load(own / "top.yaml", Outer).kind == "b"


def test_a_file_may_build_on_one_of_its_name_in_a_later_folder(folders):
    own, shared = both = folders(
        own__base="inherit: base\nlabel_map: {H: own}",
        shared__base="kind: b\nlabel_map: {N: shared}",
        shared__top="inherit: base",
    )
    wanted = Outer("b", label_map={"N": "shared", "H": "own"})
    assert load(own / "base.yaml", Outer, both) == wanted
    assert load(shared / "top.yaml", Outer, both) == wanted  # by the recipe's own base


@pytest.mark.parametrize(
    "texts, message",
    [
        ({"own__a": "inherit: b", "shared__b": "inherit: a"}, "in a circle: a -> b -> a"),
        ({"own__a": "inherit: a"}, "a.yaml: no config to inherit from, called 'a'"),
        ({"own__a": "inherit: bace", "shared__base": ""}, "a.yaml: .*'bace'.*mean 'base'"),
        ({"own__a": "inherit: [b, c]"}, r"a.yaml: 'inherit' must be the name of one config.*\['b"),
        ({"own__a": "inherit: b", "shared__b": "kin: x"}, "a.yaml: unknown key 'kin'; .*'kind'"),
    ],
)
def test_a_wrong_parent_is_named(folders, texts, message):
    own, shared = folders(**texts)
    with pytest.raises(ConfigError, match=message):
        load(own / "a.yaml", Outer, [own, shared])


def test_a_name_is_looked_up_in_order_and_keeps_its_changes(folders):
    own, shared = both = folders(own__one="", shared__one="", shared__two="")
    assert find("one", both, "system") == own / "one.yaml"
    assert find("two@kind=b", both, "system") == shared / "two@kind=b.yaml"
    with pytest.raises(ConfigError, match=r"no system 'tow' in .*own or .*; did you mean 'two'\?"):
        find("tow@kind=b", both, "system")
    with pytest.raises(ConfigError, match="no system 'x' in .*; there are: one, two$"):
        find("x", both, "system")


def test_differences_are_said_key_by_key():
    before = {"kind": "a", "inner": {"rate": 0.1, "names": ["x"]}, "old": 1}
    after = {"kind": "a", "inner": {"rate": 0.2, "names": ["x"]}, "new": 2}
    assert differences(before, after) == ["inner.rate 0.1 -> 0.2", "new None -> 2", "old 1 -> None"]
    assert differences(before, before) == []


def test_a_changed_list_keeps_its_commas(tmp_path):
    path = tmp_path / "x@a=[1, 2,3],b.c=4.yaml"
    assert split_changes(path) == (tmp_path / "x.yaml", ["a=[1, 2,3]", "b.c=4"])


def test_a_change_that_is_no_yaml_is_named(tmp_path):
    (tmp_path / "x.yaml").write_text("{}")
    with pytest.raises(ConfigError, match=r"'b=\[4': '\[4' is no value in YAML"):
        load(tmp_path / "x@b=[4.yaml", Outer)
