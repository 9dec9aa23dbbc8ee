"""Systems that are not networks: fitted to all training utterances of a fold at once.

Axes: N utterances, V versions of each (at other speeds), F dimensions.
"""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dsnet.files import write_text
from dsnet.scoring.metrics import confusion_matrix, uar
from dsnet.systems import build_system
from dsnet.systems.config import SystemConfig
from dsnet.systems.linear import Linear
from dsnet.training import checkpoint
from dsnet.training.data import FoldData
from dsnet.training.inference import predict
from dsnet.training.loop import MODEL, describe

LOG = "choices.jsonl"


def fit(config: SystemConfig, data: FoldData, seed: int, folder: Path) -> dict[str, Any]:
    """Fit a linear system and write model.pt and choices.jsonl, an entry for each choice tried.

    Returns:
        Facts for train.json.
    """
    begin = time.perf_counter()
    about = describe(config, data, seed)
    system = build_system(config, data.frames.info, len(data.classes), len(data.train_speakers))
    assert isinstance(system, Linear)
    values = vectors(data, data.train).numpy()
    versions = data.frames.num_versions
    labels = np.tile([data.labels[utt] for utt in data.train], versions)
    speakers = np.tile([data.speakers[utt] for utt in data.train], versions)
    log = system.fit(values, labels, speakers, seed)
    checkpoint.save(folder / MODEL, {**about, "model": system.state_dict()})
    write_text(folder / LOG, "".join(json.dumps(entry) + "\n" for entry in log))
    dev_uar = None
    if data.dev:
        found = predict(system, data.frames, data.dev, {}, config, data.normalisation).logits
        dev_labels = np.array([data.labels[utt] for utt in data.dev])
        dev_uar = float(
            uar(confusion_matrix(dev_labels, found.argmax(1).numpy(), len(data.classes)))
        )
    chosen = next(entry for entry in log if entry["chosen"])
    info = data.frames.info
    layers = info.config.get("layers") or list(range(info.num_layers))
    of_layers = f", layers {[layers[place] for place in chosen['layers']]}" * (info.num_layers > 1)
    print(
        f"C = {chosen['C']:g}{of_layers}: UAR {100 * chosen['uar']:.1f} on training speakers left "
        "out"
    )
    return {
        "num_parameters": system.inference_parameters(),
        "inference_parameters": system.inference_parameters(),
        "selection": "cross-validation over training speakers",
        "C": chosen["C"],
        "layers": [layers[place] for place in chosen["layers"]],
        "cross_validation_uar": chosen["uar"],
        "dev_uar": dev_uar,
        "seconds": time.perf_counter() - begin,
    }


def vectors(data: FoldData, utt_ids: list[str]) -> Tensor:
    """Return the float64 vectors of N utterances, normalised if the system's input is.

    (V * N, F): all of them as they are, then all at the first of the other speeds, and so on.
    """
    positions = data.frames.positions(utt_ids)
    positions = torch.cat([positions + v for v in range(data.frames.num_versions)])
    read = []
    for chosen in positions.split(64):
        feats = data.frames.fixed(chosen, 1)
        if data.normalisation is not None:
            feats = data.normalisation(feats, data.normalisation.hear(chosen))
        read.append(feats[:, 0])
    return torch.cat(read).double().cpu()
