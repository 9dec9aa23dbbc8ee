"""ONNX: samples in, probabilities out, features inside; onnxruntime needs nothing else.

    samples (B, N) -- log-mels -- (normalised by the speaker) -- network -- probabilities (B, K)

A file is one member of a bundle. Members that are given clips of the speaker take what the clips
were measured to be as further inputs: `speaker_mean`, `speaker_log_deviation` (B, F), means over
the clips, and `speaker_clips` (B, 1), how many there are.
Axes: B utterances of equal length, N samples, T frames, W samples of a frame, F mel bins, K
classes.
"""

import contextlib
import io
import json
import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torchaudio.compliance import kaldi

from dsnet.config import from_values
from dsnet.errors import BundleError
from dsnet.features.fbank import MAX_INT16, FbankConfig, mel_banks
from dsnet.files import replacing
from dsnet.models.encoder import MIN_FRAMES
from dsnet.models.voice import Voice
from dsnet.recognizer.recognizer import Recognizer

INSTALL = "install it with: . ./path.sh && python -m pip install -e '.[onnx]'"
SPEAKER = ("speaker_mean", "speaker_log_deviation", "speaker_clips")
TOLERANCE = 1e-4  # of probabilities, between onnxruntime and the recognizer
TRIED_SECONDS = (0.15, 1.0, 3.7)  # lengths on which they are compared


class KaldiFbank(nn.Module):
    """Kaldi's log-mels of a batch, by operations that ONNX has: the Fourier transform is a product.

    The same as `torchaudio.compliance.kaldi.fbank` of each utterance.
    """

    def __init__(self, config: FbankConfig):
        super().__init__()
        self.config = config
        size = config.window_samples
        window = kaldi._feature_window_function(
            config.window, size, 0.42, torch.device("cpu"), torch.float64
        )
        padded = 1 << (size - 1).bit_length()
        time, line = torch.arange(size).double(), torch.arange(padded // 2).double()
        angle = 2 * torch.pi * time[:, None] * line / padded
        waves = torch.cat([angle.cos(), angle.sin()], 1) * window[:, None]
        self.register_buffer("waves", waves.float())  # (W, 2 * lines)
        self.register_buffer("banks", mel_banks(config).T.contiguous())  # (lines, F)

    def forward(self, samples: Tensor) -> Tensor:
        """Return (B, T, F) of (B, N) samples in [-1, 1]."""
        config = self.config
        size, shift = config.window_samples, config.shift_samples
        x = samples * MAX_INT16
        if config.snip_edges:
            frames = 1 + (x.shape[1] - size) // shift
        else:
            frames = (x.shape[1] + shift // 2) // shift
            left = size // 2 - shift // 2
            turned = x.flip(1)
            # mirrored with the last sample twice, as Kaldi does it
            x = torch.cat([x[:, :left].flip(1), x, turned[:, :size]], 1)
        starts = torch.arange(frames, device=x.device)[:, None] * shift
        x = x[:, starts + torch.arange(size, device=x.device)]  # (B, T, W)
        if config.remove_dc:
            x = x - x.mean(2, keepdim=True)
        if config.preemphasis:
            x = x - config.preemphasis * torch.cat([x[..., :1], x[..., :-1]], 2)
        real, imaginary = (x @ self.waves).chunk(2, 2)
        power = real.square() + imaginary.square()
        mels = (power if config.use_power else power.sqrt()) @ self.banks
        if config.use_log:
            mels = mels.clamp(min=torch.finfo(torch.float32).eps).log()
        return mels


class Graph(nn.Module):
    """One member of a bundle from samples to probabilities."""

    def __init__(self, recognizer: Recognizer, given: str):
        super().__init__()
        bundle = recognizer.bundle
        member = bundle.members[given]
        self.fbank = KaldiFbank(from_values(bundle.features.config, FbankConfig, bundle.name))
        self.system = recognizer.system(given)
        self.floor = recognizer.front_end.floor
        self.scale = member.system.enrolment.normalise == "shift_and_scale"
        self.temperature = member.temperature
        self.input = member.system.input
        self.shift_ms = bundle.features.frame_shift_ms
        self.with_voice = bool(member.voice)
        for name, value in member.voice.items():
            self.register_buffer(f"voice_{name}", value.float())

    def forward(
        self,
        samples: Tensor,
        speaker_mean: Tensor | None = None,
        speaker_log_deviation: Tensor | None = None,
        speaker_clips: Tensor | None = None,
    ) -> Tensor:
        """Return (B, K) probabilities; for the arguments see above."""
        feats = self.fbank(samples)
        if self.with_voice:
            voice = Voice(
                *(
                    getattr(self, f"voice_{name}")
                    for name in ("mean", "log_deviation", "mean_noise", "deviation_noise")
                )
            )
            heard = voice.believe(speaker_mean, speaker_log_deviation, speaker_clips)
            feats = voice.normalise(feats, *heard, self.floor, self.scale)
        if self.input.mode == "fixed":
            wanted = max(MIN_FRAMES, round(1000 * self.input.max_seconds / self.shift_ms))
        else:
            wanted = torch.sym_max(feats.shape[1], MIN_FRAMES)
        place = torch.arange(wanted, device=feats.device)  # in the utterance over and over
        feats = feats[:, place % torch.full_like(place, feats.shape[1])]
        return (self.system(feats).logits / self.temperature).softmax(1)


def export(recognizer: Recognizer, given: str, path: Path) -> float:
    """Write a member of a bundle as one ONNX file, and compare it with the recognizer.

    Args:
        recognizer: of the bundle, on the CPU.
        given: none, neutral or any.
        path: of the file; whole or absent.

    Returns:
        The largest difference of a probability; NaN without onnxruntime.

    Raises:
        BundleError: not exported: features of an encoder, no such member, packages that are
            missing, or results that differ.
    """
    bundle = recognizer.bundle
    if bundle.features.kind != "fbank":
        raise BundleError(
            f"{bundle.name} hears {bundle.features.name} (kind {bundle.features.kind}); only "
            "models on log-mels are exported. Export the encoder with the tools of its makers"
        )
    if given not in bundle.members:
        raise BundleError(
            f"--given {given}: {bundle.name} has members for {', '.join(bundle.members)}"
        )
    content = _export(recognizer, given)
    with replacing(path) as temporary:
        temporary.write_bytes(content)
        difference = compare(recognizer, given, temporary)
        if difference > TOLERANCE:
            raise BundleError(
                f"not written: onnxruntime's probabilities differ by {difference:.1e} from those "
                f"of {bundle.name}; {TOLERANCE:g} at most are expected"
            )
    return difference


def _export(recognizer: Recognizer, given: str) -> bytes:
    try:
        import onnx
        import onnxscript  # noqa: F401  # torch.onnx asks for it late, in words of its own
    except ImportError as error:
        raise BundleError(f"dsnet export needs the package {error.name}; {INSTALL}") from error
    bundle = recognizer.bundle
    graph = Graph(recognizer, given).eval()
    dims = bundle.features.dim
    batch, length = torch.export.Dim("batch"), torch.export.Dim("samples", min=1600)
    inputs = [torch.randn(2, 16000) / 10]
    shapes: dict[str, Any] = {"samples": {0: batch, 1: length}}
    if graph.with_voice:
        inputs += [torch.full((2, dims), 10.0), torch.zeros(2, dims), torch.full((2, 1), 3.0)]
        shapes |= {name: {0: batch} for name in SPEAKER}
    quiet = logging.getLogger("torch.onnx")
    before = quiet.level
    quiet.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                graph,
                tuple(inputs),
                dynamo=True,
                verbose=False,
                input_names=list(shapes),
                output_names=["probabilities"],
                dynamic_shapes=shapes,
            )
    finally:
        quiet.setLevel(before)
    model = program.model_proto
    about = {
        "name": bundle.name,
        "id": bundle.id,
        "given": given,
        "classes": json.dumps(bundle.classes, ensure_ascii=False),
        "sampling_rate": str(recognizer.sampling_rate),
    }
    onnx.helper.set_model_props(model, about)
    return model.SerializeToString()


def compare(recognizer: Recognizer, given: str, path: Path) -> float:
    """Return the largest difference between onnxruntime and the recognizer on noise.

    NaN if onnxruntime is not installed.
    """
    try:
        import onnxruntime
    except ImportError:
        return float("nan")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    rate = recognizer.sampling_rate
    rng = np.random.default_rng(0)
    clips = [(rng.normal(0, 0.1, rate).astype("float32"), rate) for _ in range(3)]
    speaker = None if given == "none" else recognizer.enrol("noise", clips, given)
    largest = 0.0
    for seconds in TRIED_SECONDS:
        sounds = rng.normal(0, 0.1, (2, round(seconds * rate))).astype("float32")
        feeds = {"samples": sounds}
        if speaker is not None:
            feeds |= speaker_inputs(speaker.measured(), len(sounds))
        found = session.run(None, feeds)[0]
        expected = [
            list(result.scores.values()) for result in recognizer.judge(list(sounds), rate, speaker)
        ]
        largest = max(largest, float(np.abs(found - np.array(expected)).max()))
    return largest


def speaker_inputs(measured: np.ndarray, batch_size: int) -> dict[str, np.ndarray]:
    """Return the inputs that tell of a speaker.

    Args:
        measured: (clips, 2F), of a profile.
        batch_size: B.
    """
    mean, log_deviation = np.split(measured.mean(0).astype("float32"), 2)
    values = (mean, log_deviation, np.array([len(measured)], dtype="float32"))
    return {
        name: np.repeat(value[None], batch_size, 0)
        for name, value in zip(SPEAKER, values, strict=True)
    }
