"""Stage 4 of egs/cross_corpus: posteriors of one fold's model on all task utterances of a recipe.

Writes posteriors.tsv (in the classes of the training recipe), embeddings.npz and, last, cross.json
(what they were computed from) into <seed_dir>/fold_<name>/. No label of the target is read; its
audio is used beyond the utterance at hand only if --target-statistics says so, or if the system
declares that it needs a neutral clip of the speaker.
"""

import argparse
import json
from pathlib import Path

import torch

from dsnet.bin import run
from dsnet.cross_corpus.inputs import Inputs
from dsnet.cross_corpus.recipe import Recipe
from dsnet.cross_corpus.statistics import TARGET_STATISTICS, group_utterances, match, moments
from dsnet.environment import choose_device, git_revision, versions
from dsnet.errors import ConfigError
from dsnet.features.feats import FeatsInfo, read_all
from dsnet.files import locked, write_text
from dsnet.results.posteriors import write_posteriors
from dsnet.systems import side_information
from dsnet.systems.catalog import load_system_config
from dsnet.training.calibration import SpeakerCalibration
from dsnet.training.checkpoint import load_system
from dsnet.training.data import load_store
from dsnet.training.inference import first_references, predict, write_embeddings
from dsnet.training.loop import MODEL


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--system", required=True, help="conf/<system>.yaml of the recipe")
    parser.add_argument("--folds", required=True, help="fold names, such as '03 08 09'")
    parser.add_argument("--job", type=int, default=1, help="which fold, from 1 (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="(%(default)s)")
    parser.add_argument("--feats", default="fbank", help="name of the features (%(default)s)")
    parser.add_argument("--target-statistics", choices=TARGET_STATISTICS, default="none")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda:N (%(default)s)")
    parser.add_argument("--num-threads", type=int, default=1, help="on the CPU (%(default)s)")
    parser.add_argument("train", type=Path, help="recipe whose model is scored, ../emodb")
    parser.add_argument("train_task", help="its task")
    parser.add_argument("test", type=Path, help="recipe whose utterances it is scored on")
    parser.add_argument("test_task", help="its task")
    parser.add_argument("seed_dir", type=Path, help="where a folder a fold goes")
    args = parser.parse_args()
    folds = args.folds.split()
    if not 1 <= args.job <= len(folds):
        raise ConfigError(f"--job {args.job}: --folds '{args.folds}' has 1 to {len(folds)}")
    torch.set_num_threads(args.num_threads)
    train = Recipe(args.train, args.train_task, args.feats)
    test = Recipe(args.test, args.test_task, args.feats)
    fold = folds[args.job - 1]
    with locked(args.seed_dir / f"fold_{fold}"):
        infer(args, train, test, fold, args.seed_dir / f"fold_{fold}")


def infer(args: argparse.Namespace, train: Recipe, test: Recipe, fold: str, folder: Path) -> None:
    device = choose_device(args.device)
    config = load_system_config(args.system, train.folder)
    inputs = Inputs()
    train_task, test_task = inputs.task(train), inputs.task(test)
    read = inputs.of(train, test, args.system, args.seed, fold)
    system = load_system(
        train.fold_dir(args.system, args.seed, fold) / MODEL,
        config,
        train_task.classes,
        train_task.digest,
        FeatsInfo.load(train.feats_dir).digest,
        device,
    )
    utt_ids = sorted(test_task.utt2emo)
    speakers = dict(test_task.utt2spk)
    if system.neutral_at_inference:  # references need not be utterances of the task
        firsts = first_references(utt_ids, test_task.references)
        speakers |= {reference: speakers[utt] for utt, reference in firsts.items()}
    clips = {}
    if config.input.calibrate != "none":
        clips = {utt: test_task.clips(utt) for utt in sorted(speakers)}
        speakers |= {clip: speakers[utt] for utt, own in clips.items() for clip in own}
    store = load_store(test.feats_dir, sorted(speakers), device, test.folder)
    if args.target_statistics != "none":
        heard = read_all(train.feats_dir / "feats.scp", train_task.fold(fold).train, train.folder)
        groups = group_utterances(args.target_statistics, speakers)
        match(store, groups, moments(matrix for _, matrix in heard))
    finished = folder / "cross.json"
    finished.unlink(missing_ok=True)
    calibration = SpeakerCalibration(store, clips, config.input.clips) if clips else None
    predictions = predict(system, store, utt_ids, test_task.references, config.input, calibration)
    write_embeddings(folder, utt_ids, predictions)
    path = folder / "posteriors.tsv"
    write_posteriors(path, utt_ids, train_task.classes, predictions.posteriors)
    about = {
        "train": train.name,
        "train_task": train.task,
        "test": test.name,
        "test_task": test.task,
        "feats": args.feats,
        "system": args.system,
        "seed": args.seed,
        "fold": fold,
        "target_statistics": args.target_statistics,
        "side_information": side_information(config),
        "inputs": read,
        "device": str(device),
        "versions": versions(),
        "git_revision": git_revision(),
    }
    write_text(finished, json.dumps(about, indent=1, ensure_ascii=False) + "\n")
    print(f"{folder}: {len(utt_ids)} utterances")


if __name__ == "__main__":
    run(main)
