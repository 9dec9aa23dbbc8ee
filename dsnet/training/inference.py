"""Posteriors and embeddings of utterances, each seen whole and by itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dsnet.files import replacing
from dsnet.models.encoder import MIN_FRAMES
from dsnet.systems.config import SystemConfig
from dsnet.systems.system import System, together
from dsnet.training.data import max_frames
from dsnet.training.frames import Frames
from dsnet.training.normalisation import Normalisation


@dataclass
class Predictions:
    """On the CPU, in the order asked for. logits: (U, K); embeddings: named (U, D)."""

    logits: Tensor
    embeddings: dict[str, Tensor]

    @property
    def posteriors(self) -> np.ndarray:
        """Return (U, K) class probabilities."""
        return self.logits.double().softmax(1).numpy()


@torch.inference_mode()
def predict(
    system: System,
    frames: Frames,
    utt_ids: Sequence[str],
    references: Mapping[str, str],
    config: SystemConfig,
    normalisation: Normalisation | None = None,
    batch_size: int = 32,
) -> Predictions:
    """Run `system` in evaluation mode over utterances of the store.

    Of utterances that are there at several speeds the logits are the mean of the log posteriors
    over all of them; embeddings are those of the utterance as it is.

    Args:
        system: on the device of the frames.
        frames: with the utterances and references.
        utt_ids: U utterances.
        references: the neutral utterance that goes with each, for systems with
            `neutral_at_inference`; others do not look at it.
        config: of the system.
        normalisation: with pools for all utterances read; None: the input is as it is.
        batch_size: B.
    """
    system.eval()
    inputs = [frames.positions(utt_ids)]
    if system.neutral_at_inference:
        inputs.append(frames.positions([references[utt] for utt in utt_ids]))
    versions = [
        _predict(system, frames, [x + v for x in inputs], config, normalisation, batch_size)
        for v in range(frames.num_versions)
    ]
    return Predictions(together([own.logits for own in versions]), versions[0].embeddings)


def _predict(
    system: System,
    frames: Frames,
    inputs: Sequence[Tensor],
    config: SystemConfig,
    normalisation: Normalisation | None,
    batch_size: int,
) -> Predictions:
    """See `predict`; inputs: (U,) positions of utterances, and of their references if any."""
    order = torch.argsort(frames.lengths.cpu()[inputs[0]], stable=True)  # little padding
    outputs = []
    for chosen in order.split(batch_size):
        read = [_whole(frames, positions[chosen], config, normalisation) for positions in inputs]
        outputs.append(system(*(x for feats_and_lengths in read for x in feats_and_lengths)))
    back = torch.argsort(order)
    names = outputs[0].embeddings

    def gather(parts: list[Tensor]) -> Tensor:
        return torch.cat(parts).float().cpu()[back]

    return Predictions(
        gather([o.logits for o in outputs]),
        {name: gather([o.embeddings[name] for o in outputs]) for name in names},
    )


def _whole(
    frames: Frames,
    positions: Tensor,
    config: SystemConfig,
    normalisation: Normalisation | None,
) -> tuple[Tensor, Tensor | None]:
    if frames.info.frame_shift_ms is None:
        feats, lengths = frames.fixed(positions, 1), None
    elif config.input.mode == "fixed":
        feats, lengths = frames.fixed(positions, max_frames(config, frames)), None
    else:
        feats, lengths = frames.variable(positions, MIN_FRAMES)
    if normalisation is not None:
        feats = normalisation(feats, normalisation.hear(positions))
    return feats, lengths


def write_embeddings(folder: Path, utt_ids: Sequence[str], predictions: Predictions) -> None:
    """Write embeddings.npz: `utt_ids` (U,), sorted, and each embedding (U, D) by its name."""
    order = sorted(range(len(utt_ids)), key=lambda i: utt_ids[i])
    arrays = {name: x[order].numpy() for name, x in predictions.embeddings.items()}
    with replacing(folder / "embeddings.npz") as temporary:
        np.savez(temporary, utt_ids=np.array([utt_ids[i] for i in order]), **arrays)
