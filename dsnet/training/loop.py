"""The training loop: epochs, schedule, validation, selection, checkpoints, resumption.

Every epoch draws its random numbers from (seed, fold, epoch) alone, so that a killed run that goes
on from its last checkpoint ends with the same bits as one that was not killed.
"""

import dataclasses
import hashlib
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from dsnet.config import differences
from dsnet.environment import git_revision, versions
from dsnet.errors import TrainingError
from dsnet.files import write_text
from dsnet.scoring.metrics import confusion_matrix, uar
from dsnet.systems import build_system, code_digest
from dsnet.systems.config import SystemConfig
from dsnet.systems.system import count
from dsnet.training import checkpoint
from dsnet.training.batches import TrainingSet
from dsnet.training.data import FoldData
from dsnet.training.inference import predict
from dsnet.training.optimizers import OPTIMIZERS, make_schedule, optimizer_groups
from dsnet.training.team import Team

CHECKPOINT = "checkpoint.pt"  # everything, to resume from
MODEL = "model.pt"  # the selected weights


@dataclass
class Progress:
    """What decides about the rest of a run, beside the weights."""

    epoch: int = 0
    best_epoch: int = 0
    best_uar: float = -1.0
    history: list[dict[str, Any]] = field(default_factory=list)


def epoch_seed(seed: int, fold: str, epoch: int, what: str) -> int:
    """Return the seed of what is random in an epoch; epoch 0 is the initialisation.

    Args:
        seed: of the run.
        fold: its name.
        epoch: from 1.
        what: "network" (weights, dropout) or "data" (order, references, augmentation), which shall
            not draw the same numbers.
    """
    text = f"{seed} {fold} {epoch} {what}".encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:6], "big")


def identity(config: SystemConfig, data: FoldData, seed: int) -> dict[str, Any]:
    """Return what a trained system is: equal identities give equal weights."""
    return {
        "config": checkpoint.config_values(config),
        "features_digest": data.frames.info.digest,
        "task_digest": data.task_digest,
        "code_digest": code_digest(config.kind),
        "fold": data.name,
        "seed": seed,
    }


def describe(config: SystemConfig, data: FoldData, seed: int) -> dict[str, Any]:
    """Return what every file of a system says, beside its weights."""
    return {
        **identity(config, data, seed),
        "versions": versions(),
        "git_revision": git_revision(),
        "features": dataclasses.asdict(data.frames.info),
        "classes": data.classes,
        "num_speakers": len(data.train_speakers),
        "voice": dict(vars(data.normalisation.voice)) if data.normalisation else None,
    }


class Trainer:
    """Trains one network on one fold with one seed, in one folder."""

    def __init__(
        self,
        config: SystemConfig,
        data: FoldData,
        seed: int,
        folder: Path,
        team: Team | None = None,
    ):
        """Build the network and all that an epoch needs.

        Args:
            config: of the system.
            data: of the fold.
            seed: of the run.
            folder: where the leader of the team writes.
            team: of the processes that train the network; None: this one does.

        Raises:
            TrainingError: batches too small for so many processes.
        """
        self.config, self.data, self.seed, self.folder = config, data, seed, folder
        self.team = team or Team()
        self.device = data.frames.device
        torch.manual_seed(epoch_seed(seed, data.name, 0, "network"))
        self.system = build_system(
            config, data.frames.info, len(data.classes), len(data.train_speakers)
        ).to(self.device)
        self.team.share(self.system)
        self.train_set = TrainingSet(data, config)
        if config.losses.balance:
            self.system.class_offsets = config.losses.balance * self.train_set.class_shares.log()
        if self.team.size > 1 and self.train_set.smallest_batch < 2 * self.team.size:
            raise TrainingError(
                f"batches of {self.train_set.smallest_batch} utterances for {self.team.size} "
                "processes: each needs two of them, or there is nothing to share. Choose a smaller "
                "--processes or a larger train.batch_size"
            )
        train = config.train
        factors = self.system.learning_rate_factors()
        self.optimizers = {
            name: OPTIMIZERS[train.optimizer](optimizer_groups(group, train, factors))
            for name, group in self.system.parameter_groups().items()
        }
        steps = self.train_set.num_batches * train.max_epochs
        self.schedules = {
            name: make_schedule(optimizer, train, steps)
            for name, optimizer in self.optimizers.items()
        }
        self.progress = Progress()
        self.about = describe(config, data, seed)

    def run(self, report: Callable[[dict[str, Any]], None]) -> Progress:
        """Train to the end.

        Args:
            report: called with the log entry of every finished epoch.

        Raises:
            TrainingError: the loss is not finite.
        """
        progress, train = self.progress, self.config.train
        while not self._finished():
            progress.epoch += 1
            begin = time.perf_counter()
            rate = next(iter(self.optimizers.values())).param_groups[0]["lr"]
            torch.manual_seed(epoch_seed(self.seed, self.data.name, progress.epoch, "network"))
            losses = self._train_epoch()
            dev = self.team.as_the_leader(self._validate())
            for schedule in self.schedules.values():
                if isinstance(schedule, ReduceLROnPlateau):
                    schedule.step(dev["uar"])
            if dev and dev["uar"] > progress.best_uar:
                progress.best_uar, progress.best_epoch = dev["uar"], progress.epoch
            entry = {
                "epoch": progress.epoch,
                "learning_rate": rate,
                "train": losses,
                "dev": dev,
                "seconds": round(time.perf_counter() - begin, 3),
            }
            progress.history.append(entry)
            self._save(selected=progress.best_epoch == progress.epoch or train.select == "last")
            report(entry)
        return progress

    @property
    def selected_epoch(self) -> int:
        progress = self.progress
        return progress.epoch if self.config.train.select == "last" else progress.best_epoch

    @property
    def num_parameters(self) -> int:
        return count(self.system)

    def _finished(self) -> bool:
        progress, train = self.progress, self.config.train
        idle = progress.epoch - progress.best_epoch
        return progress.epoch >= train.max_epochs or 0 < train.stop_after <= idle

    def _train_epoch(self) -> dict[str, float]:
        """Train on every batch once; return the mean of each loss over the utterances."""
        generator = torch.Generator().manual_seed(
            epoch_seed(self.seed, self.data.name, self.progress.epoch, "data")
        )
        self.system.train()
        totals: dict[str, Tensor] = {}
        count = 0
        for batch in self.train_set.epoch(generator, self.system):
            with self._precision():
                losses = self.system.step(batch, self.update)
            for name, value in losses.items():
                totals[name] = totals.get(name, 0.0) + value.double() * len(batch.targets)
            count += len(batch.targets)
            for schedule in self.schedules.values():
                if isinstance(schedule, LRScheduler) and not isinstance(
                    schedule, ReduceLROnPlateau
                ):
                    schedule.step()
        means = {name: float(total) / count for name, total in totals.items()}
        self._require_finite(means)
        return means

    def _precision(self) -> torch.autocast:
        train = self.config.train
        enabled = train.mixed_precision if self.device.type == "cuda" else train.bfloat16_on_cpu
        return torch.autocast(self.device.type, torch.bfloat16, enabled=enabled)

    def update(self, loss: Tensor, group: str) -> None:
        """Take one step of the optimiser of a parameter group."""
        optimizer = self.optimizers[group]
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        parameters = [p for g in optimizer.param_groups for p in g["params"]]
        self.team.add_gradients(self.system, parameters)
        if self.config.train.max_grad_norm:
            torch.nn.utils.clip_grad_norm_(parameters, self.config.train.max_grad_norm)
        optimizer.step()

    def _require_finite(self, losses: dict[str, float]) -> None:
        strange = {name: value for name, value in losses.items() if not math.isfinite(value)}
        if strange:
            raise TrainingError(
                f"{self.folder}: losses {strange} in epoch {self.progress.epoch}, expected finite "
                "ones. Lower train.learning_rate, set train.max_grad_norm (such as 5), or look at "
                f"the features of this fold; the epochs before are kept in {CHECKPOINT}"
            )

    def _validate(self) -> dict[str, float]:
        """Return loss, UAR and WAR of the validation speakers; nothing if nobody validates."""
        data = self.data
        if not data.dev:
            return {}
        labels = torch.tensor([data.labels[u] for u in data.dev])
        with self._precision():
            logits = predict(
                self.system,
                data.frames,
                data.dev,
                data.dev_references,
                self.config,
                data.normalisation,
            ).logits
        decisions = logits.argmax(1)
        confusion = confusion_matrix(labels.numpy(), decisions.numpy(), len(data.classes))
        return {
            "loss": float(cross_entropy(logits, labels)),
            "uar": float(uar(confusion)),
            "war": float((decisions == labels).double().mean()),
        }

    def _save(self, selected: bool) -> None:
        if not self.team.leads:
            return
        about = {**self.about, "epoch": self.progress.epoch}
        if selected:  # before the checkpoint: a run killed between the two redoes this epoch
            checkpoint.save(self.folder / MODEL, {**about, "model": self.system.state_dict()})
        state = {
            "system": self.system.state_dict(),
            "optimizers": {n: o.state_dict() for n, o in self.optimizers.items()},
            "schedules": {n: s.state_dict() for n, s in self.schedules.items()},
            "progress": dataclasses.asdict(self.progress),
        }
        processes = self.team.size  # another number draws other dropout
        checkpoint.save(self.folder / CHECKPOINT, {**about, **state, "processes": processes})
        lines = [json.dumps(entry) + "\n" for entry in self.progress.history]
        write_text(self.folder / "log.jsonl", "".join(lines))

    def resume(self) -> None:
        """Go on from the folder's checkpoint, if there is one and it is of this very run.

        Raises:
            TrainingError: the processes of a team do not find the same.
        """
        path = self.folder / CHECKPOINT
        self.team.as_the_leader(None)  # it may have removed a damaged one
        if path.exists():
            self._load(path)
        epoch = self.team.as_the_leader(self.progress.epoch)
        if epoch != self.progress.epoch:
            raise TrainingError(
                f"{path}: the first process goes on after epoch {epoch}, process {self.team.rank} "
                f"after epoch {self.progress.epoch}. All must see the same folder, on a shared disk"
            )

    def _load(self, path: Path) -> None:
        state = checkpoint.load(path, self.device)
        wanted = {**identity(self.config, self.data, self.seed), "processes": self.team.size}
        if any(state.get(key) != value for key, value in wanted.items()):
            changes = ", ".join(differences(state["config"], wanted["config"]))
            changes = changes or "other data, code or --processes"
            print(f"{path}: of another run ({changes}); starting anew")
            return
        self.system.load_state_dict(state["system"])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
            self.schedules[name].load_state_dict(state["schedules"][name])
        self.progress = Progress(**state["progress"])
        print(f"{path}: resuming after epoch {self.progress.epoch}")
