"""From the files of stages 1 and 2 to what the training loop needs."""

from collections.abc import Iterable
from pathlib import Path

import torch

from dsnet.corpus.kaldi_data import read_list
from dsnet.errors import FeatureError
from dsnet.features.fbank import FbankConfig
from dsnet.features.feats import FeatsInfo, read_all
from dsnet.folds.task_data import TaskData
from dsnet.systems import find_system
from dsnet.systems.config import SystemConfig
from dsnet.training.calibration import SpeakerCalibration, require_clips
from dsnet.training.frames import FrameStore
from dsnet.training.inference import first_references
from dsnet.training.loop import FoldData


def load_store(
    feats_dir: Path, utt_ids: Iterable[str], device: torch.device, root: Path | str = ""
) -> FrameStore:
    """Load the features of some utterances.

    Args:
        feats_dir: folder of stage 1.
        utt_ids: in the order of the store.
        device: of the network.
        root: the recipe folder that the features belong to; empty: the current one.

    Raises:
        FeatureError: an utterance without features, or archives that are not whole.
    """
    utt_ids = list(utt_ids)
    num_frames = read_list(feats_dir / "utt2num_frames")
    missing = [utt for utt in utt_ids if utt not in num_frames]
    if missing:
        raise FeatureError(
            f"{feats_dir}: no features of {len(missing)} of {len(utt_ids)} utterances, first: "
            f"{', '.join(missing[:10])}; run --stage 1"
        )
    matrices = read_all(feats_dir / "feats.scp", utt_ids, root)
    return FrameStore({utt: int(num_frames[utt]) for utt in utt_ids}, matrices, device)


def load_training_data(
    task_dir: Path, feats_dir: Path, fold_name: str, device: torch.device, config: SystemConfig
) -> FoldData:
    """Load the training and validation parts of a fold, and what the system needs beside them.

    Test audio is read only for a system with `needs_unlabelled`, test labels never.

    Raises:
        FoldError, FeatureError: stage 1 or 2 is missing, or its files do not fit together.
        TrainingError: utterances of any part lack the neutral clip that the system needs.
    """
    task, info = TaskData.load(task_dir), FeatsInfo.load(feats_dir)
    fold, system = task.fold(fold_name), find_system(config)
    trained = set(fold.train)  # a fold may leave utterances of its training speakers out
    references = {
        utt: [ref for ref in task.references[utt] if ref in trained or ref not in task.utt2spk]
        for utt in fold.train
    }
    wanted = {*fold.train, *fold.dev, *(ref for refs in references.values() for ref in refs)}
    unlabelled = [*fold.dev, *fold.test] if system.needs_unlabelled else []
    wanted |= set(unlabelled)
    given = set()
    if system.neutral_at_inference:
        # all parts, since an hour of training is too late to hear of it
        first_references([*fold.train, *fold.dev, *fold.test], task.references)
        references |= {utt: task.references[utt] for utt in fold.dev}
        wanted |= set(first_references(fold.dev, references).values())
        given |= set(first_references([*fold.dev, *fold.test], task.references).values())
    clips = {}
    if config.input.calibrate == "neutral":
        unseen = {utt: task.clips(utt) for utt in [*fold.dev, *fold.test]}
        require_clips(unseen)
        given |= {clip for own in unseen.values() for clip in own[: config.input.clips]}
        clips = {utt: task.clips(utt) for utt in sorted(wanted)}
        for utt in clips.keys() - unseen.keys():
            clips[utt] = [
                clip for clip in clips[utt] if clip in trained or clip not in task.utt2spk
            ]
        wanted |= {clip for own in clips.values() for clip in own}
    index = {name: i for i, name in enumerate(task.classes)}
    store = load_store(feats_dir, sorted(wanted), device)
    return FoldData(
        name=fold_name,
        store=store,
        train=list(fold.train),
        dev=list(fold.dev),
        labels={utt: index[task.utt2emo[utt]] for utt in [*fold.train, *fold.dev]},
        speakers={utt: task.utt2spk[utt] for utt in fold.train},
        references=references,
        unlabelled=unlabelled,
        given=sorted(given),
        calibration=SpeakerCalibration(store, clips, config.input.clips) if clips else None,
        classes=task.classes,
        fbank=FbankConfig(**info.config),
        digest=task.digest,
        features_digest=info.digest,
    )
