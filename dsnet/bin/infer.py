"""Stage 4: posteriors and embeddings of a fold's validation and test utterances.

The first stage that reads test features. Writes posteriors.tsv and embeddings.npz into
<seed_dir>/fold_<name>/{dev,test}/.
"""

from dsnet.bin import run
from dsnet.bin.job import parse_job
from dsnet.features.feats import FeatsInfo
from dsnet.files import locked
from dsnet.folds.task_data import TaskData
from dsnet.training.checkpoint import load_system
from dsnet.training.data import load_store
from dsnet.training.inference import predict, write_predictions


def main() -> None:
    job = parse_job(__doc__)
    task = TaskData.load(job.task_dir)
    fold = task.fold(job.fold)
    with locked(job.folder):
        system = load_system(
            job.folder / "model.pt",
            job.config,
            task.classes,
            task.digest,
            FeatsInfo.load(job.feats_dir).digest,
            job.device,
        )
        for part, utt_ids in (("dev", fold.dev), ("test", fold.test)):
            store = load_store(job.feats_dir, utt_ids, job.device)
            predictions = predict(system, store, utt_ids, job.config.input)
            write_predictions(job.folder / part, utt_ids, task.classes, predictions)
            print(f"{job.folder / part}: {len(utt_ids)} utterances")


if __name__ == "__main__":
    run(main)
