"""Posteriors and embeddings of utterances, each seen whole and by itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dsnet.errors import TrainingError
from dsnet.files import replacing
from dsnet.models.encoder import MIN_FRAMES
from dsnet.systems.config import InputConfig
from dsnet.systems.system import System
from dsnet.training.calibration import SpeakerCalibration
from dsnet.training.frames import FrameStore


@dataclass
class Predictions:
    """On the CPU, in the order asked for. logits: (U, K); embeddings: named (U, D)."""

    logits: Tensor
    embeddings: dict[str, Tensor]

    @property
    def posteriors(self) -> np.ndarray:
        """Return (U, K) class probabilities."""
        return self.logits.double().softmax(1).numpy()


def first_references(
    utt_ids: Sequence[str], references: Mapping[str, Sequence[str]]
) -> dict[str, str]:
    """Return the reference that goes with each utterance at validation and test: its first.

    Args:
        utt_ids: utterances.
        references: of each of them, best first; of the same speaker, never itself.

    Raises:
        TrainingError: an utterance has none.
    """
    without = [utt for utt in utt_ids if not references[utt]]
    if without:
        raise TrainingError(
            f"{len(without)} of {len(utt_ids)} utterances have no neutral reference beside "
            f"themselves, which this system needs at validation and test; first: "
            f"{', '.join(without[:10])}. Set references.count to 2 or more or "
            "references.if_missing to all_utterances in the task's config (stage 2), or add a "
            "reference of the speaker to spk2neutral or utt2neutral in the task's folder"
        )
    return {utt: references[utt][0] for utt in utt_ids}


@torch.inference_mode()
def predict(
    system: System,
    store: FrameStore,
    utt_ids: Sequence[str],
    references: Mapping[str, Sequence[str]],
    config: InputConfig,
    calibration: SpeakerCalibration | None = None,
    batch_size: int = 32,
) -> Predictions:
    """Run `system` in evaluation mode over utterances of the store.

    Args:
        system: on the device of the store.
        store: with the utterances and, for systems with `neutral_at_inference`, the first
            reference of each.
        utt_ids: U utterances.
        references: of each utterance, best first; other systems do not look at them.
        config: the system's input.
        calibration: with clips for all utterances read; None: the input is not calibrated.
        batch_size: B.

    Raises:
        TrainingError: the system needs a reference that an utterance does not have.
    """
    system.eval()
    inputs = [store.positions(utt_ids)]
    if system.neutral_at_inference:
        firsts = first_references(utt_ids, references)
        inputs.append(store.positions([firsts[utt] for utt in utt_ids]))
    order = torch.argsort(store.lengths.cpu()[inputs[0]], stable=True)  # little padding
    outputs = []
    for chosen in order.split(batch_size):
        read = [_whole(store, positions[chosen], config, calibration) for positions in inputs]
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
    store: FrameStore,
    positions: Tensor,
    config: InputConfig,
    calibration: SpeakerCalibration | None,
) -> tuple[Tensor, Tensor | None]:
    if config.mode == "fixed":
        feats, lengths = store.fixed(positions, config.max_frames), None
    else:
        feats, lengths = store.variable(positions, MIN_FRAMES)
    return feats if calibration is None else calibration(feats, positions), lengths


def write_embeddings(folder: Path, utt_ids: Sequence[str], predictions: Predictions) -> None:
    """Write embeddings.npz: `utt_ids` (U,), sorted, and each embedding (U, D) by its name."""
    order = sorted(range(len(utt_ids)), key=lambda i: utt_ids[i])
    arrays = {name: x[order].numpy() for name, x in predictions.embeddings.items()}
    with replacing(folder / "embeddings.npz") as temporary:
        np.savez(temporary, utt_ids=np.array([utt_ids[i] for i in order]), **arrays)
