"""A small bundle of random weights, and sounds."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from dsnet.features.fbank import Fbank, FbankConfig
from dsnet.models.encoder import EncoderConfig
from dsnet.recognizer.bundle import FeaturesFacts, Member, write_bundle
from dsnet.systems import build_system
from dsnet.systems.config import EnrolmentConfig, InputConfig, SystemConfig

CLASSES = ["angry", "neutral", "sad"]
RATE = 16000
BINS = 20


def write_tiny(
    folder: Path, seed: int = 0, kind: str = "dsnet", mode: str = "crop", speeds: tuple = ()
) -> None:
    torch.manual_seed(seed)
    features = Fbank("fbank_20", FbankConfig(num_mel_bins=BINS, speeds=list(speeds)))
    members = {}
    for source in ("none", "neutral", "any"):
        config = SystemConfig(
            kind=kind,
            encoder=EncoderConfig(kind="compact", channels=[3, 4, 5, 6], embed_dim=8),
            enrolment=EnrolmentConfig(source=source),
            input=InputConfig(mode=mode, max_seconds=2.0),
        )
        system = build_system(config, features, len(CLASSES), 2)
        with torch.no_grad():  # statistics of its batch norms, so that it tells sounds apart
            for _ in range(50):
                system(10 + 3 * torch.randn(8, 60, BINS) + 3 * torch.randn(8, 1, BINS))
        for value in system.classifier.parameters():
            value.data.mul_(3)
        system.eval()
        voice = {
            "mean": torch.full((BINS,), 10.0, dtype=torch.double),
            "log_deviation": torch.zeros(BINS, dtype=torch.double),
            "mean_noise": torch.rand(BINS, dtype=torch.double),
            "deviation_noise": torch.rand(BINS, dtype=torch.double),
        }
        members[source] = Member(
            system=config,
            num_speakers=2,
            temperature=4.0,
            held_out={"confidence": [0.9, 0.6, 0.4], "error": [0.1, 0.2, 0.4]},
            weights=system.state_dict(),
            voice={} if source == "none" else voice,
        )
    facts = FeaturesFacts("fbank_20", "fbank", BINS, 10.0, config=asdict(features.config))
    write_bundle(
        folder,
        "tiny",
        CLASSES,
        facts,
        members,
        within=torch.ones(BINS, dtype=torch.double),
        usual_distance=3.0,
        facts={"trained_on": {"corpus": "noise", "speakers": 2}},
        card="# tiny\n",
    )


def sound(seconds: float = 1.0, seed: int = 0, rate: int = RATE) -> np.ndarray:
    """Return (N,) float32: noise whose colour and loudness change."""
    rng = np.random.default_rng(seed)
    size = round(seconds * rate)
    noise = np.convolve(rng.standard_normal(size), rng.standard_normal(8), "same")
    envelope = 0.02 + np.abs(np.sin(np.arange(size) / rate * rng.uniform(2, 9)))
    return (0.05 * noise * envelope).clip(-0.9, 0.9).astype("float32")
