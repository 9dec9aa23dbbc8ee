"""Several processes that train one network: data parallel, as if one process did it.

Every process draws the same batch and encodes its share of it; the embeddings of all shares are
put together, and what comes behind an encoder - heads, and losses that look at a batch as a whole -
is computed by every process on all of them. So the losses are those of one process on the whole
batch, however many there are; only dropout inside the encoder draws other numbers.
Axes: B utterances of a batch, D embedding.
"""

import ctypes
import datetime
import logging
import os
import signal
import sys
import uuid
from collections.abc import Iterable
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.distributed.elastic.multiprocessing.api import DefaultLogsSpecs, SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from dsnet.errors import ConfigError, TrainingError
from dsnet.models.encoder import ENCODERS

PR_SET_PDEATHSIG = 1  # of Linux's prctl.h
PATIENCE = datetime.timedelta(minutes=30)  # for a process that the others wait for


class Team:
    """The processes, of which this is number `rank` of `size`; number 0 writes files and prints."""

    def __init__(self, rank: int = 0, size: int = 1):
        self.rank, self.size = rank, size

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def share(self, system: nn.Module) -> None:
        """Let every encoder of a system encode this process's share, and return all embeddings."""
        if self.size > 1:
            for encoder in encoders(system):
                encoder.forward = Shared(encoder, self)

    def add_gradients(self, system: nn.Module, parameters: Iterable[nn.Parameter]) -> None:
        """Make gradients of this process's share those of the whole batch.

        Those of encoders are added up; the others are of the whole batch already, and their mean
        keeps processes that round in different ways together.
        """
        if self.size == 1:
            return
        shared = {p for encoder in encoders(system) for p in encoder.parameters()}
        found = [p for p in parameters if p.grad is not None]
        flat = torch.cat([p.grad.flatten() / (1 if p in shared else self.size) for p in found])
        distributed.all_reduce(flat)
        for parameter, part in zip(found, flat.split([p.numel() for p in found]), strict=True):
            parameter.grad.copy_(part.view_as(parameter))

    def as_the_leader(self, value: Any) -> Any:
        """Return the leader's value, when all are here: one of them decides for all."""
        if self.size == 1:
            return value
        values = [value]
        distributed.broadcast_object_list(values, src=0)
        return values[0]

    def leave(self) -> None:
        """End what connects the processes, when all are here."""
        if self.size > 1:
            distributed.barrier()
            distributed.destroy_process_group()


def encoders(system: nn.Module) -> list[nn.Module]:
    """Return the parts of a system that see frames, whose work is shared."""
    return [part for part in system.modules() if isinstance(part, tuple(ENCODERS.values()))]


class Shared:
    """The forward of an encoder, of which every process does its share.

    Utterances are dealt in order. Where there are fewer than processes, as in the last batch of a
    prediction, every process encodes all of them.
    """

    def __init__(self, encoder: nn.Module, team: Team):
        self.encoder, self.team = encoder, team
        self.whole = encoder.forward

    def __call__(self, feats: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return (B, D) of (B, T, F) and (B,); the gradient is that of this process's share."""
        if len(feats) < self.team.size:
            return self.whole(feats, lengths)
        places = torch.arange(len(feats)).tensor_split(self.team.size)[self.team.rank]
        mine = slice(int(places[0]), int(places[-1]) + 1)
        lengths = None if lengths is None else lengths[mine]
        devices = [feats.device] if feats.device.type == "cuda" else []
        seed = int(torch.randint(2**62, ())) if self.encoder.training else 0
        with torch.random.fork_rng(devices):
            torch.manual_seed(seed + self.team.rank)  # dropout of another utterance is another
            embedded = self.whole(feats[mine], lengths)
        everybody = torch.zeros(len(feats), embedded.shape[1], device=feats.device)
        everybody[mine] = embedded.detach().float()
        distributed.all_reduce(everybody)
        everybody = everybody.to(embedded.dtype)
        return torch.cat([everybody[: mine.start], embedded, everybody[mine.stop :]])


def is_member() -> bool:
    """Say whether torchrun or `launch` started this process."""
    return distributed.is_torchelastic_launched()


def join_team(device: torch.device) -> Team:
    """Return the team that torchrun or `launch` made this process part of; else a team of one.

    Args:
        device: on which this process computes.
    """
    if not is_member():
        return Team()
    _end_with_parent()
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE)
    return Team(distributed.get_rank(), distributed.get_world_size())


def own_device(device: torch.device) -> torch.device:
    """Return the GPU of this process of a team, if they compute on GPUs.

    Raises:
        ConfigError: more processes than GPUs, or one GPU for all of them.
    """
    if device.type != "cuda" or not is_member():
        return device
    if device.index is not None:
        raise ConfigError(
            f"--device {device} with --processes: each has a GPU of its own. Set --device auto, "
            "and CUDA_VISIBLE_DEVICES if only some of them are meant"
        )
    place, count = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
    if place >= count:
        raise ConfigError(
            f"--processes: {os.environ['LOCAL_WORLD_SIZE']} need a GPU each, {count} are visible "
            "here. Ask the launcher for as many, as in --cuda-cmd 'slurm.py --gpu 2'"
        )
    torch.cuda.set_device(place)
    return torch.device("cuda", place)


def launch(module: str, arguments: list[str], processes: int) -> int:
    """Run a program as a team on this machine; if a process ends early, all are ended.

    Args:
        module: that a Python runs, which calls `join_team`.
        arguments: of each.
        processes: how many.

    Returns:
        The exit status: 0, or that of the first process that failed.
    """
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)  # the log tells it
    with TemporaryDirectory() as folder:
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=processes,
            run_id=uuid.uuid4().hex,
            rdzv_backend="c10d",
            rdzv_endpoint="localhost:0",
            max_restarts=0,
            logs_specs=DefaultLogsSpecs(log_dir=folder),
        )
        try:
            elastic_launch(config, sys.executable)("-m", module, *arguments)
        except SignalException as error:
            return 128 + error.sigval
        except ChildFailedError as error:
            _, first = error.get_first_failure()
            # one that was killed takes the others with it, maybe within the same second
            killed = [f for f in error.failures.values() if f.exitcode == -signal.SIGKILL]
            failure = [*killed, first][0]
            if failure.exitcode < 0:
                name = signal.Signals(-failure.exitcode).name
                raise TrainingError(
                    f"process {failure.local_rank} of {processes} was killed by {name} (memory?); "
                    "the others were ended. Run the same command again: it goes on from the last "
                    "epoch"
                ) from None
            return failure.exitcode
    return 0


def _end_with_parent() -> None:
    """Get SIGTERM when whoever started this process is gone; only Linux can do that."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
