"""What a fold loads: references of its own parts only."""

import dataclasses

import kaldiio
import numpy as np
import torch
from lhotse import SupervisionSegment

from dsnet.features.fbank import FbankConfig
from dsnet.features.feats import FeatsInfo
from dsnet.files import write_text
from dsnet.folds.build import build_task
from dsnet.task import FoldConfig, ReferenceConfig, TaskConfig
from dsnet.training.data import load_training_data


def test_what_a_fold_leaves_out_is_no_reference_either(tmp_path):
    corpus = [
        SupervisionSegment(
            id=f"{spk}-{emotion}-{n}",
            recording_id="r",
            start=0.0,
            duration=1.0,
            speaker=spk,
            # the first neutral utterance of a and of c are one sentence
            text="well" if f"{spk}{emotion}{n}" in ("aN1", "cN1") else f"{spk}{emotion}{n}",
            custom={"emotion": emotion},
        )
        for spk in "abc"
        for emotion in "NH"
        for n in (1, 2)
    ]
    task = TaskConfig(
        classes=["neutral", "happy"],
        label_map={"N": "neutral", "H": "happy"},
        folds=FoldConfig(repeated_text="leave_out"),
        references=ReferenceConfig("N", count=2),
    )
    build_task(task, corpus, tmp_path / "task")
    ark, scp = tmp_path / "feats.ark", tmp_path / "feats.scp"
    kaldiio.save_ark(str(ark), {s.id: np.ones((5, 4), np.float32) for s in corpus}, scp=str(scp))
    write_text(tmp_path / "utt2num_frames", "".join(f"{s.id} 5\n" for s in corpus))
    config = dataclasses.asdict(FbankConfig())
    FeatsInfo(config, "", "", len(corpus), 5 * len(corpus), "").write(tmp_path)

    data = load_training_data(tmp_path / "task", tmp_path, "a", torch.device("cpu"))
    assert data.train == ["c-H-1", "c-H-2", "c-N-2"]
    assert data.references == {"c-H-1": ["c-N-2"], "c-H-2": ["c-N-2"], "c-N-2": []}
    assert "c-N-1" not in data.store.index
    other = load_training_data(tmp_path / "task", tmp_path, "b", torch.device("cpu"))
    # fold b validates with c, whose sentence a, in training, has too
    assert other.references["a-H-1"] == ["a-N-2"]
