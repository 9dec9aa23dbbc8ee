"""A system's config is found by its name: in the recipe, else among those that all share."""

import subprocess
from pathlib import Path

import pytest

from dsnet.config import split_changes
from dsnet.errors import ConfigError
from dsnet.systems.catalog import load_system_config, system_config_path

ROOT = Path(__file__).parents[2]


@pytest.fixture
def recipe(tmp_path):
    for folder, names in {"conf": ("one", "both"), "toy/conf": ("both", "own")}.items():
        (tmp_path / folder).mkdir(parents=True)
        for name in names:
            text = f"# {folder}\nkind: base\nencoder: {{embed_dim: {len(folder)}0}}\n"
            (tmp_path / folder / f"{name}.yaml").write_text(text)
    (tmp_path / "toy/conf/fbank.yaml").write_text("num_mel_bins: 80\n")
    return tmp_path / "toy"


def test_the_recipes_own_comes_first(recipe):
    own, shared = load_system_config("both", recipe), load_system_config("one", recipe)
    assert (own.encoder.embed_dim, shared.encoder.embed_dim) == (80, 40)


def test_a_name_may_change_keys(recipe):
    config = load_system_config("one@losses.alpha=1,train.max_epochs=3", recipe)
    assert (config.losses.alpha, config.train.max_epochs, config.encoder.embed_dim) == (1, 3, 40)


def test_an_unknown_name_is_answered_by_those_that_there_are(recipe):
    with pytest.raises(ConfigError, match="no system 'two'.*there are: both, one, own$"):
        system_config_path("two@losses.alpha=1", recipe)


@pytest.mark.parametrize("name", ["one", "both@losses.alpha=1", "own", "two"])
def test_run_sh_finds_the_same(recipe, name):
    script = f". {ROOT}/utils/recipe.sh; trap - ERR; system_config '{name}'"
    done = subprocess.run(["bash", "-c", script], cwd=recipe, capture_output=True, text=True)
    try:
        path = system_config_path(name, recipe).resolve()
    except ConfigError as error:
        assert done.returncode and "there are: both one own" in done.stderr, error
    else:
        assert (recipe / done.stdout.strip()).resolve() == split_changes(path)[0]
