"""Processes that train one network together: what they compute is what one process computes."""

import multiprocessing
import pickle
from pathlib import Path
from unittest import mock

import pytest
import torch
from torch import distributed, nn

from dsnet.errors import TrainingError
from dsnet.models.batch_norm import BatchNorm1d, BatchNorm2d
from dsnet.models.encoder import EncoderConfig
from dsnet.systems import SYSTEMS
from dsnet.training import checkpoint
from dsnet.training.loop import MODEL, Trainer
from dsnet.training.optimizers import OPTIMIZERS
from dsnet.training.team import Team

NETWORKS = [kind for kind, system in SYSTEMS.items() if system.is_network]
COMPACT = EncoderConfig("compact", [4, 4, 4, 8], 3, embed_dim=8)
SIZE = 2


def trained(config, fold, folder, team=None):
    """Train without dropout, which draws other numbers for each process; return the log.

    By plain gradient descent: Adam makes large steps of gradients that are nothing but rounding.
    """
    with mock.patch.dict(OPTIMIZERS, adam=torch.optim.SGD):
        trainer = Trainer(config, fold, 1, folder, team)
    for module in trainer.system.modules():
        if isinstance(module, (nn.Dropout, nn.Dropout1d)):
            module.p = 0.0
    return trainer.run(lambda entry: None).history


def member(rank, configs, fold, folder):
    """Train every system, and normalise some numbers, as one of two processes."""
    torch.set_num_threads(1)
    store = f"file://{folder / 'store'}"
    distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=SIZE)
    team = Team(rank, SIZE)
    logs = {name: trained(config, fold, folder / name, team) for name, config in configs.items()}
    (folder / f"logs.{rank}").write_bytes(pickle.dumps(logs))
    parts = {}
    for norm, x in ((BatchNorm1d(3), numbers(7, 3)), (BatchNorm2d(3), numbers(7, 3, 4, 5))):
        share = x.tensor_split(SIZE)[rank].requires_grad_()
        y = norm(share)
        (y * y.sigmoid()).sum().backward()
        buffers = [norm.running_mean, norm.running_var]
        parts[type(norm).__name__] = [y.detach(), share.grad, norm.weight.grad, *buffers]
    torch.save(parts, folder / f"norms.{rank}")
    distributed.destroy_process_group()


def numbers(*shape):
    return 3 * torch.randn(*shape, generator=torch.Generator().manual_seed(0)) + 1


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """A function that lets two processes train, once for all tests; returns their folder."""
    folder = tmp_path_factory.mktemp("together")

    def run(configs, fold) -> Path:
        if not (folder / "norms.0").exists():
            context = multiprocessing.get_context("forkserver")
            arguments = (configs, fold, folder)
            members = [context.Process(target=member, args=(r, *arguments)) for r in range(SIZE)]
            for process in members:
                process.start()
            for process in members:
                process.join(120)
                assert process.exitcode == 0
        return folder

    return run


@pytest.fixture
def configs(make_config):
    made = {kind: make_config(kind, "variable", max_epochs=1) for kind in NETWORKS}
    made["crop"] = make_config("dsnet", "crop", 8, {"mixup": 0.3, "time_masks": 1}, max_epochs=1)
    made["compact"] = make_config("dsnet", "variable", max_epochs=1)
    made["compact"].encoder = COMPACT
    return made


@pytest.mark.parametrize("name", [*NETWORKS, "crop", "compact"])
def test_two_processes_train_as_one_with_the_whole_batch(configs, fold, together, tmp_path, name):
    folder = together(configs, fold)
    alone = trained(configs[name], fold, tmp_path)
    logs = [pickle.loads((folder / f"logs.{rank}").read_bytes())[name] for rank in range(SIZE)]
    for entries in zip(alone, *logs, strict=True):
        one, *others = ({**entry["train"], **entry["dev"]} for entry in entries)
        for other in others:
            assert other == pytest.approx(one, rel=5e-4)
        assert others[0] == others[1]
    first, second = (checkpoint.load(path / MODEL)["model"] for path in (tmp_path, folder / name))
    for key, value in first.items():
        torch.testing.assert_close(second[key], value, rtol=1e-3, atol=1e-4, msg=key)


@pytest.mark.parametrize(
    "norm, shape", [(nn.BatchNorm1d(3), (7, 3)), (nn.BatchNorm2d(3), (7, 3, 4, 5))]
)
def test_a_shared_batch_is_normalised_as_torch_normalises_all_of_it(
    configs, fold, together, norm, shape
):
    folder = together(configs, fold)
    x = numbers(*shape).requires_grad_()
    y = norm(x)
    (y * y.sigmoid()).sum().backward()
    parts = [torch.load(folder / f"norms.{rank}")[type(norm).__name__] for rank in range(SIZE)]
    close = torch.testing.assert_close
    close(torch.cat([part[0] for part in parts]), y.detach(), rtol=1e-5, atol=1e-5)
    close(torch.cat([part[1] for part in parts]), x.grad, rtol=1e-4, atol=1e-5)
    close(parts[0][2] + parts[1][2], norm.weight.grad, rtol=1e-4, atol=1e-4)
    for part in parts:
        close(part[3], norm.running_mean)
        close(part[4], norm.running_var)


class Other(Team):
    """A process to whom the leader says something else."""

    def as_the_leader(self, value):
        return 3 if value == 0 else value


def test_processes_that_do_not_find_the_same_checkpoint_stop(fold, make_config, tmp_path):
    trainer = Trainer(make_config("base"), fold, 1, tmp_path, Other(1, 2))
    with pytest.raises(TrainingError, match="first process goes on after epoch 3, process 1 after"):
        trainer.resume()


def test_a_checkpoint_of_another_number_of_processes_is_not_resumed(
    fold, make_config, tmp_path, capsys
):
    Trainer(make_config("base", max_epochs=1), fold, 1, tmp_path).run(lambda entry: None)
    with mock.patch.object(Team, "as_the_leader", lambda team, value: value):
        trainer = Trainer(make_config("base", max_epochs=1), fold, 1, tmp_path, Team(0, 2))
        trainer.resume()
    assert trainer.progress.epoch == 0 and "--processes); starting anew" in capsys.readouterr().out


def test_batches_too_small_to_be_shared_are_refused(fold, make_config, tmp_path):
    with pytest.raises(TrainingError, match="batches of 4 utterances for 3 processes"):
        Trainer(make_config("base"), fold, 1, tmp_path, Team(0, 3))
