"""Posteriors and embeddings of utterances, each seen whole and by itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dsnet.files import replacing, write_text
from dsnet.models.encoder import MIN_FRAMES
from dsnet.systems.config import InputConfig
from dsnet.systems.system import System
from dsnet.training.frames import FrameStore


@dataclass
class Predictions:
    """On the CPU, in the order asked for. logits: (U, K); embeddings: named (U, D)."""

    logits: Tensor
    embeddings: dict[str, Tensor]


@torch.inference_mode()
def predict(
    system: System,
    store: FrameStore,
    utt_ids: Sequence[str],
    config: InputConfig,
    batch_size: int = 32,
) -> Predictions:
    """Run `system` in evaluation mode over utterances of the store."""
    system.eval()
    positions = store.positions(utt_ids)
    order = torch.argsort(store.lengths.cpu()[positions], stable=True)  # little padding
    outputs = []
    for chosen in order.split(batch_size):
        if config.mode == "fixed":
            outputs.append(system(store.fixed(positions[chosen], config.max_frames)))
        else:
            outputs.append(system(*store.variable(positions[chosen], MIN_FRAMES)))
    back = torch.argsort(order)
    names = outputs[0].embeddings

    def gather(parts: list[Tensor]) -> Tensor:
        return torch.cat(parts).float().cpu()[back]

    return Predictions(
        gather([o.logits for o in outputs]),
        {name: gather([o.embeddings[name] for o in outputs]) for name in names},
    )


def write_predictions(
    folder: Path, utt_ids: Sequence[str], classes: Sequence[str], predictions: Predictions
) -> None:
    """Write posteriors.tsv (a header, then probabilities) and embeddings.npz, by utterance id."""
    order = sorted(range(len(utt_ids)), key=lambda i: utt_ids[i])
    posteriors = predictions.logits.double().softmax(1)
    rows = [[utt_ids[i], *(f"{p:.6g}" for p in posteriors[i].tolist())] for i in order]
    lines = ["\t".join(row) + "\n" for row in [["utt_id", *classes], *rows]]
    write_text(folder / "posteriors.tsv", "".join(lines))
    arrays = {name: x[order].numpy() for name, x in predictions.embeddings.items()}
    with replacing(folder / "embeddings.npz") as temporary:
        np.savez(temporary, utt_ids=np.array([utt_ids[i] for i in order]), **arrays)
