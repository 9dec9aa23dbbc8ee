"""Every recipe is complete and short, differs only where it may, and its configs can be built."""

import re
from pathlib import Path

import pytest
import torch

from dsnet.config import load
from dsnet.cross_corpus.classes import SharedClasses
from dsnet.features.fbank import FbankConfig
from dsnet.systems import build_system
from dsnet.systems.config import SystemConfig
from dsnet.systems.system import Batch
from dsnet.task import TaskConfig

EGS = Path(__file__).parents[1] / "egs"
RUN_SH = sorted(EGS.glob("*/run.sh"))
RECIPES = sorted(p.parents[1] for p in EGS.glob("*/conf/fbank.yaml"))  # those of a corpus
CONFIGS = sorted(p for f in [EGS, *RECIPES] for p in (f / "conf").glob("*.yaml"))


def schema(path):
    """Return the schema of a config by its first keys: features, task or system."""
    text = path.read_text()
    if "\nclasses:" in text:
        return TaskConfig
    return SystemConfig if "\nkind:" in text else FbankConfig


def by_schema(wanted):
    return [p for p in CONFIGS if schema(p) is wanted]


def name(path):
    return str(path.relative_to(EGS))


def undocumented(text):
    """Return the options that a script sets and its comments do not name."""
    options = re.findall(r"^([a-z_]+)=", text.split("parse_options")[0], re.MULTILINE)
    return [o for o in options if f"#   --{o.replace('_', '-')} " not in text]


def test_options_are_documented():
    shared = (EGS / "options.sh").read_text()
    assert "\nsystems=" in shared and undocumented(shared) == []


@pytest.mark.parametrize("run_sh", RUN_SH, ids=name)
def test_run_sh_documents_its_options(run_sh):
    assert undocumented(run_sh.read_text()) == []


@pytest.mark.parametrize("recipe", RECIPES, ids=name)
def test_a_recipe_has_its_own_stage_0_and_shares_the_others(recipe):
    text = (recipe / "run.sh").read_text()
    assert len(text.splitlines()) <= 45
    assert re.findall(r"^stage (\d)", text, re.MULTILINE) == ["0"]
    assert text.endswith("\n. ../stages.sh\n") and '/options.sh"\n' in text


@pytest.mark.parametrize("path", by_schema(TaskConfig), ids=name)
def test_task_configs_load(path):
    assert len(load(path, TaskConfig).classes) > 1


@pytest.mark.parametrize("path", sorted(EGS.glob("cross_corpus/conf/*.yaml")), ids=name)
def test_shared_classes_fit_the_tasks_that_they_name(path):
    shared = load(path, SharedClasses)
    for recipe, declared in shared.recipes.items():
        task = load(EGS / recipe / "conf" / f"{declared.task}.yaml", TaskConfig)
        matrix = shared.matrix(recipe, task.classes)
        assert matrix.sum() == len(declared.label_map) and matrix.any(0).all()


@pytest.mark.parametrize("path", by_schema(FbankConfig), ids=name)
def test_feature_configs_load(path):
    assert load(path, FbankConfig).num_mel_bins > 0


@pytest.mark.parametrize("path", by_schema(SystemConfig), ids=name)
def test_every_system_takes_a_step(path):
    torch.manual_seed(0)
    config = load(path, SystemConfig)
    system = build_system(config, 4, 5)
    feats, neutral, unlabelled = torch.randn(3, 3, 64, config.encoder.num_bins)
    lengths = None if config.input.mode != "variable" else torch.tensor([64, 40, 20])
    targets, paired = torch.eye(4)[[0, 1, 3]], torch.ones(3, dtype=torch.bool)
    speakers = torch.eye(5)[[0, 4, 4]]
    moved = []

    def update(loss, group):
        loss.backward()
        moved.extend(p for p in system.parameter_groups()[group] if p.grad is not None)

    batch = Batch(feats, lengths, targets, neutral, lengths, paired, speakers, unlabelled, lengths)
    losses = system.step(batch, update)
    assert torch.isfinite(losses["loss"])
    assert {id(p) for p in moved} == {id(p) for p in system.parameters()}
    reference = (neutral, lengths) if system.neutral_at_inference else ()
    logits = system.eval()(feats, lengths, *reference).logits
    assert logits.shape == (3, 4) and torch.isfinite(logits).all()
