"""Stage 3: train one fold of a system; a killed run goes on from its last epoch.

Writes into <seed_dir>/fold_<name>/: model.pt (the selected weights), log.jsonl (an entry an epoch),
tensorboard/, train.json (last: what was trained, how and how well it validates), and, while it
lasts, checkpoint.pt. Test utterances are read only for a system that declares it (side_information
in train.json), and never their labels.
"""

import json
import shlex
import sys

from tqdm import tqdm

from dsnet.bin import run
from dsnet.bin.job import Job, parse_job
from dsnet.files import locked, write_text
from dsnet.systems import side_information
from dsnet.training.curves import CurveWriter
from dsnet.training.data import load_training_data
from dsnet.training.loop import MODEL, Trainer
from dsnet.training.resources import machine, peak_memory


def main() -> None:
    job = parse_job(__doc__)
    with locked(job.folder):
        train(job)


def train(job: Job) -> None:
    data = load_training_data(job.task_dir, job.feats_dir, job.fold, job.device, job.config)
    trainer = Trainer(job.config, data, job.seed, job.folder)
    finished = job.folder / "train.json"
    if finished.exists() and (job.folder / MODEL).exists():
        about = json.loads(finished.read_text(encoding="utf-8"))
        if all(about.get(key) == value for key, value in trainer.identity.items()):
            print(f"{finished}: already trained; nothing to do")
            return
    finished.unlink(missing_ok=True)
    print(
        f"fold {job.fold}: {len(data.train)} utterances train, {len(data.dev)} validate; "
        f"{trainer.num_parameters:,} parameters on {job.device}",
        flush=True,
    )
    trainer.resume()
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

        def report(entry: dict) -> None:
            curves.write(entry)
            bar.update()
            loss, uar = entry["train"]["loss"], entry["dev"]["uar"]
            bar.set_postfix(loss=f"{loss:.3f}", dev_uar=f"{100 * uar:.1f}")
            if bar.disable:
                print(
                    f"epoch {entry['epoch']}/{bar.total}  loss {loss:.3f}  "
                    f"validation UAR {100 * uar:.1f}  {entry['seconds']:.1f} s",
                    flush=True,
                )

        progress = trainer.run(report)
    selected = progress.history[trainer.selected_epoch - 1]
    seconds = sum(entry["seconds"] for entry in progress.history)  # those before a kill too
    about = {
        "system": job.system,
        "kind": job.config.kind,
        "side_information": side_information(job.config),
        "given_utterances": data.given,
        **trainer.identity,
        "num_parameters": trainer.num_parameters,
        "inference_parameters": trainer.system.inference_parameters(),
        "num_train": len(data.train),
        "num_dev": len(data.dev),
        "epochs": progress.epoch,
        "selection": job.config.train.select,
        "selected_epoch": trainer.selected_epoch,
        "dev_uar": selected["dev"]["uar"],
        "seconds": seconds,
        "seconds_per_epoch": seconds / progress.epoch,
        **peak_memory(job.device),
        "machine": machine(job.device),
        "device": str(job.device),
        **trainer.provenance,
        "command": shlex.join(sys.argv),
    }
    write_text(finished, json.dumps(about, indent=2) + "\n")
    trainer.discard_checkpoint()
    print(
        f"fold {job.fold}: {progress.epoch} epochs; epoch {trainer.selected_epoch} is kept, "
        f"validation UAR {100 * selected['dev']['uar']:.1f}"
    )


if __name__ == "__main__":
    run(main)
