"""Stage 4: posteriors and embeddings of a fold's utterances.

The first stage that reads test features (but for systems that declare it in training). Writes into
<seed_dir>/fold_<name>/ embeddings.npz of {train,dev,test}/ and posteriors.tsv of {dev,test}/.

A system with `input.calibrate: neutral` is also tried with other clips (training/enrolment.py),
each a system of its own for scoring: <system>-neutral1/seed_<seed>/fold_<name>/ and so on, with
posteriors.tsv of {dev,test}/ and train.json, which says what was given.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from dsnet.bin import run
from dsnet.bin.job import Job, parse_job
from dsnet.features.feats import FeatsInfo
from dsnet.files import locked, write_text
from dsnet.folds.task_data import TaskData
from dsnet.results.posteriors import write_posteriors
from dsnet.systems.system import System
from dsnet.training.calibration import SpeakerCalibration
from dsnet.training.checkpoint import load_system
from dsnet.training.data import load_store
from dsnet.training.enrolment import (
    COUNTS,
    Enrolment,
    column,
    neutral_class,
    neutral_clips,
    own_neutral,
    unlabelled,
)
from dsnet.training.frames import FrameStore
from dsnet.training.inference import Predictions, first_references, predict, write_embeddings


@dataclass(frozen=True)
class Part:
    """A network and one part of its fold, with all clips that it may be given."""

    job: Job
    task: TaskData
    system: System
    utt_ids: list[str]
    store: FrameStore

    @classmethod
    def read(cls, job: Job, task: TaskData, system: System, part: str) -> "Part":
        """Load train, dev or test."""
        utt_ids = task.fold(job.fold).parts()[part]
        wanted = set(utt_ids)
        if system.neutral_at_inference:
            wanted |= set(first_references(utt_ids, task.references).values())
        if job.config.input.calibrate != "none":
            wanted |= {clip for utt in sorted(wanted) for clip in task.clips(utt)}
        store = load_store(job.feats_dir, sorted(wanted), job.device)
        return cls(job, task, system, utt_ids, store)

    def predict(self, enrolment: Enrolment | None = None) -> Predictions:
        """Return what the network makes of it; None: its input is not calibrated."""
        calibration = None
        if enrolment is not None:
            clips = {utt: self.task.clips(utt) for utt in self.store.index}
            clips |= enrolment.clips
            calibration = SpeakerCalibration(self.store, clips, enrolment.count)
        references, config = self.task.references, self.job.config.input
        return predict(self.system, self.store, self.utt_ids, references, config, calibration)

    def write(self, predictions: Predictions, folder: Path) -> None:
        """Write posteriors.tsv."""
        path = folder / "posteriors.tsv"
        write_posteriors(path, self.utt_ids, self.task.classes, predictions.posteriors)


def main() -> None:
    job = parse_job(__doc__)
    task = TaskData.load(job.task_dir)
    with locked(job.folder):
        system = load_system(
            job.folder / "model.pt",
            job.config,
            task.classes,
            task.digest,
            FeatsInfo.load(job.feats_dir).digest,
            job.device,
        )
        calibrated = job.config.input.calibrate != "none"
        enrolments: list[Enrolment] = []
        for name in ("train", "dev", "test"):
            part, folder = Part.read(job, task, system, name), job.folder / name
            given = neutral_clips(part.utt_ids, task, job.config.input.clips)
            predictions = part.predict(given if calibrated else None)
            write_embeddings(folder, part.utt_ids, predictions)
            if name != "train":
                part.write(predictions, folder)
                enrolments += try_others(part, name) if calibrated else []
            print(f"{folder}: {len(part.utt_ids)} utterances", flush=True)
        describe(job, enrolments)


def try_others(part: Part, name: str) -> list[Enrolment]:
    """Write what a calibrated network makes of a part with other clips than its config asks for."""
    job, task, count = part.job, part.task, part.job.config.input.clips
    tried = [neutral_clips(part.utt_ids, task, k) for k in COUNTS if k != count]
    everything = unlabelled(part.utt_ids, task)
    tried.append(everything)
    neutral = neutral_class(task)
    if neutral is not None:
        posteriors = column(part.utt_ids, part.predict(everything).posteriors, neutral)
        tried.append(own_neutral(everything, posteriors, count))
    for enrolment in tried:
        part.write(part.predict(enrolment), variant(job, enrolment.name) / name)
    return tried


def variant(job: Job, name: str) -> Path:
    """Return the folder of the same network under another enrolment."""
    seed_dir = job.folder.parent
    return seed_dir.parent.with_name(f"{job.system}-{name}") / seed_dir.name / job.folder.name


def describe(job: Job, enrolments: list[Enrolment]) -> None:
    """Write train.json of each variant: that of the network, with what it was given."""
    for name in {one.name: None for one in enrolments}:
        parts = [one for one in enrolments if one.name == name]
        about = json.loads((job.folder / "train.json").read_text(encoding="utf-8"))
        about["system"] = f"{job.system}-{name}"
        about["side_information"] = parts[0].side_information
        about["given_utterances"] = sorted(set().union(*(one.given for one in parts)))
        about["kind"] += "_transductive" if parts[0].transductive else ""
        write_text(variant(job, name) / "train.json", json.dumps(about, indent=2) + "\n")


if __name__ == "__main__":
    run(main)
