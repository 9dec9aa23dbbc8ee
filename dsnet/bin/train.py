"""Stage 3: train one fold of a system; a killed run goes on from its last epoch.

Writes into exp/<task>/<system>/seed_<s>/fold_<name>/: model.pt (the selected weights), train.json
(last: what was trained, on what and how well it validates); of a network also log.jsonl (an entry
an epoch), tensorboard/ and, while it lasts, checkpoint.pt; of a linear system choices.jsonl. Test
utterances are read only for a system that declares it (side_information), and never their labels.
"""

import json
import os
import shlex
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from tqdm import tqdm

from dsnet.bin import BEGAN, run
from dsnet.bin.job import Job, job_parser, make_job, require_voices
from dsnet.bin.trained import TRAIN, read_model, read_train_json
from dsnet.environment import keep_freed_memory
from dsnet.errors import ConfigError, TrainingError
from dsnet.features.feats import FeatsInfo
from dsnet.files import damage_of_zip, locked, write_text
from dsnet.folds.task_data import TaskData
from dsnet.systems import find_system
from dsnet.systems.config import TrainConfig
from dsnet.training import checkpoint
from dsnet.training.curves import CurveWriter
from dsnet.training.data import FoldData, load_training_data
from dsnet.training.fit import fit
from dsnet.training.loop import CHECKPOINT, MODEL, Trainer, describe, identity
from dsnet.training.resources import machine, peak_memory, slow_in_bfloat16
from dsnet.training.team import Team, is_member, join_team, launch, own_device


def main() -> None:
    parser = job_parser(__doc__)
    parser.add_argument(
        "--processes", type=int, default=1, help="that train one network, a GPU each (%(default)s)"
    )
    args = parser.parse_args()
    if args.processes < 1:
        raise ConfigError(f"--processes {args.processes}: 1 or more")
    job = make_job(args)
    if args.processes > 1 and not is_member() and find_system(job.config).is_network:
        sys.exit(launch("dsnet.bin.train", sys.argv[1:], args.processes))
    keep_freed_memory()
    job.device = own_device(job.device)
    team = join_team(job.device)
    if not team.leads:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - to the end of the process
    with locked(job.folder) if team.leads else nullcontext():
        train(job, team)
        team.leave()


def train(job: Job, team: Team) -> None:
    if job.config.enrolment.source == "all":
        info = FeatsInfo.load(job.recipe.features(job.config.features))
        task = TaskData.load(job.recipe.task(job.task))
        for utts in task.fold(job.fold).parts().values():
            require_voices(info, task, utts)
    data = load_training_data(job.recipe, job.task, job.fold, job.config, job.device)
    wanted = identity(job.config, data, job.seed)
    finished = job.folder / TRAIN
    if team.as_the_leader(is_trained(job.folder, wanted)):
        print(f"{finished}: already trained; nothing to do")
        return
    if team.leads:
        finished.unlink(missing_ok=True)
    print(f"fold {job.fold}: {len(data.train)} utterances train, {len(data.dev)} validate")
    if find_system(job.config).is_network:
        facts = train_network(job, data, team)
    else:
        facts = train_linear(job, data)
    if not team.leads:
        return
    whole = describe(job.config, data, job.seed)
    about = {
        "system": job.spec.name,
        "base": job.spec.base,
        "changes": job.spec.changes,
        "kind": job.config.kind,
        "features": job.config.features,
        "trained_on": job.recipe.name,
        "task": job.task,
        "task_changes": job.task_changes,
        "seed": job.seed,
        "fold": job.fold,
        "digests": {
            "config": job.spec.digest,
            "features": wanted["features_digest"],
            "task": wanted["task_digest"],
            "code": wanted["code_digest"],
        },
        "identity": wanted,
        "num_train": len(data.train),
        "num_dev": len(data.dev),
        **facts,
        **peak_memory(job.device),
        "machine": machine(job.device),
        "device": str(job.device),
        "versions": whole["versions"],
        "git_revision": whole["git_revision"],
        "command": shlex.join(sys.argv),
    }
    write_text(finished, json.dumps(about, indent=2) + "\n")
    (job.folder / CHECKPOINT).unlink(missing_ok=True)  # only a killed run needs it


def train_linear(job: Job, data: FoldData) -> dict[str, Any]:
    """Fit a linear system; return facts for train.json."""
    facts = fit(job.config, data, job.seed, job.folder)
    return facts | {"process_seconds": time.monotonic() - BEGAN}


def is_trained(folder: Path, wanted: dict[str, Any]) -> bool:
    """Say whether train.json and model.pt of a folder are there, whole, and of this identity."""
    if not ((folder / TRAIN).exists() and (folder / MODEL).exists()):
        return False
    try:
        if read_train_json(folder).get("identity") != wanted:
            return False
        content = read_model(folder / MODEL)
    except TrainingError as error:
        print(f"{error}; now trained anew")
        return False
    return wanted.items() <= content.items()


def remove_unusable(path: Path) -> None:
    """Remove a checkpoint to resume from if it is damaged, or of another format, and say so."""
    if not path.exists():
        return
    if damage := damage_of_zip(path):
        reason = f"{path}: damaged: {damage}"
    else:
        try:
            checkpoint.load(path)
            return
        except TrainingError as error:
            reason = str(error)
    print(f"{reason}; starting anew")
    path.unlink()


def require_schedule(config: TrainConfig, num_train: int) -> None:
    """Raise TrainingError where the warm-up is one single step, by which torch would divide."""
    batches = -(-num_train // config.batch_size)
    steps = batches * config.max_epochs
    if config.schedule == "one_cycle" and config.warmup * steps == 1:
        raise TrainingError(
            f"train.warmup {config.warmup:g} of {steps} steps (epochs: {config.max_epochs}, of "
            f"{batches} batches) is one single step, which schedule one_cycle cannot do. Change "
            "train.max_epochs, train.batch_size or train.warmup a little"
        )


def train_network(job: Job, data: FoldData, team: Team) -> dict[str, Any]:
    """Train to the end; return facts for train.json."""
    require_schedule(job.config.train, len(data.train))
    trainer = Trainer(job.config, data, job.seed, job.folder, team)
    together = f", {team.size} processes" * (team.size > 1)
    print(f"{trainer.num_parameters:,} parameters on {job.device}{together}", flush=True)
    if job.device.type == "cpu" and job.config.train.bfloat16_on_cpu and slow_in_bfloat16():
        print(
            "train.bfloat16_on_cpu: this CPU has no instructions for it (AVX512-BF16 or AMX); "
            "float32 would be quicker",
            flush=True,
        )
    if team.leads:
        remove_unusable(job.folder / CHECKPOINT)
    trainer.resume()
    if not team.leads:
        trainer.run(lambda entry: None)
        return {}
    seconds_before = sum(entry["seconds"] for entry in trainer.progress.history)  # before a kill
    with (
        CurveWriter(job.folder / "tensorboard", trainer.progress.epoch) as curves,
        tqdm(
            total=job.config.train.max_epochs,
            initial=trainer.progress.epoch,
            desc=f"fold {job.fold}",
            unit="epoch",
            disable=not sys.stderr.isatty(),
        ) as bar,
    ):
        if trainer.progress.epoch == 0:
            curves.add_text("config", config_text(job), 0)

        def report(entry: dict) -> None:
            curves.write(in_percent(entry))
            bar.update()
            loss, dev = f"{entry['train']['loss']:.3f}", in_words(entry["dev"])
            bar.set_postfix_str(f"loss {loss}{dev}")
            if bar.disable:
                print(
                    f"epoch {entry['epoch']}/{bar.total}  loss {loss}{dev}  "
                    f"{entry['seconds']:.1f} s",
                    flush=True,
                )

        progress = trainer.run(report)
    selected = progress.history[trainer.selected_epoch - 1]
    seconds = sum(entry["seconds"] for entry in progress.history)
    print(
        f"fold {job.fold}: {progress.epoch} epochs; epoch {trainer.selected_epoch} is kept"
        f"{in_words(selected['dev'])}"
    )
    return {
        "num_parameters": trainer.num_parameters,
        "inference_parameters": trainer.system.inference_parameters(),
        "epochs": progress.epoch,
        "selection": job.config.train.select,
        "selected_epoch": trainer.selected_epoch,
        "dev_uar": selected["dev"].get("uar"),
        "seconds": seconds,
        "seconds_per_epoch": seconds / progress.epoch,
        "process_seconds": seconds_before + time.monotonic() - BEGAN,
        "processes": team.size,
    }


def config_text(job: Job) -> str:
    """Return the system's config as TensorBoard shows it: YAML in Markdown."""
    return f"```yaml\n{OmegaConf.to_yaml(OmegaConf.structured(job.config))}```"


def in_percent(entry: dict[str, Any]) -> dict[str, Any]:
    """Return a log entry with UAR and WAR of the validation speakers as the page has them."""
    scale = {"uar": 100.0, "war": 100.0}
    return entry | {"dev": {name: x * scale.get(name, 1.0) for name, x in entry["dev"].items()}}


def in_words(dev: dict[str, float]) -> str:
    """Return how well validation speakers are told, to go on with; nothing if there are none."""
    return f"  validation UAR {100 * dev['uar']:.1f}" if dev else ""


if __name__ == "__main__":
    run(main)
