"""From the files of stages 1 and 2 to what the training loop needs."""

from collections.abc import Iterable
from pathlib import Path

import torch

from dsnet.corpus.kaldi_data import read_list
from dsnet.errors import FeatureError
from dsnet.features.fbank import FbankConfig
from dsnet.features.feats import FeatsInfo, read_all
from dsnet.folds.task_data import TaskData
from dsnet.training.frames import FrameStore
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
    task_dir: Path, feats_dir: Path, fold_name: str, device: torch.device
) -> FoldData:
    """Load the training and validation parts of a fold, and the references of the former.

    Raises:
        FoldError, FeatureError: stage 1 or 2 is missing, or its files do not fit together.
    """
    task, info = TaskData.load(task_dir), FeatsInfo.load(feats_dir)
    fold = task.fold(fold_name)
    trained = set(fold.train)  # a fold may leave utterances of its training speakers out
    references = {
        utt: [ref for ref in task.references[utt] if ref in trained or ref not in task.utt2spk]
        for utt in fold.train
    }
    wanted = {*fold.train, *fold.dev, *(ref for refs in references.values() for ref in refs)}
    index = {name: i for i, name in enumerate(task.classes)}
    return FoldData(
        name=fold_name,
        store=load_store(feats_dir, sorted(wanted), device),
        train=list(fold.train),
        dev=list(fold.dev),
        labels={utt: index[task.utt2emo[utt]] for utt in [*fold.train, *fold.dev]},
        references=references,
        classes=task.classes,
        fbank=FbankConfig(**info.config),
        digest=task.digest,
        features_digest=info.digest,
    )
