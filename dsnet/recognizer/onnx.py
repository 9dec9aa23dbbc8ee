"""ONNX: one member of a bundle as a file that onnxruntime runs alone, from sound to probabilities.

    samples -- log-mels -- (normalised by what is known of the speaker) -- network -- probabilities

Where the model hears other speeds, there are as many such chains, and their mean at the end.
Whatever the Recognizer does between a waveform and its scores is in the graph, so that whoever runs
it needs no code of this package; resampling, and the choice of clips of a speaker, are theirs.
Axes: B utterances, N samples of each, V versions of them (at other speeds), T frames of W samples,
L lines of the spectrum, F mel bins, K classes.
"""

import importlib
import json
import logging
import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import Dim

from dsnet.config import from_values
from dsnet.corpus.sound import MIN_SECONDS
from dsnet.errors import BundleError, FeatureError
from dsnet.features.fbank import MAX_INT16, FbankConfig, mel_banks, num_frames
from dsnet.features.resample import MOST_PHASES, rate_at, resampler
from dsnet.files import replacing
from dsnet.models.voice import Voice
from dsnet.recognizer.bundle import Bundle
from dsnet.recognizer.profile import Profile
from dsnet.recognizer.recognizer import Recognizer, fitted
from dsnet.systems.system import together

TOLERANCE = 1e-4  # of a probability, between the file and the Recognizer
SAMPLES, PROBABILITIES = "samples", "probabilities"
SPEAKER = ("speaker_mean", "speaker_log_deviation", "speaker_clips")
SPEAKER_DOC = """
Each utterance needs what is known of its speaker by clips of the kind '{given}'. Over the frames of
a clip, the log-mels of this model have a mean and a deviation in each dimension; frames below
{floor:g} count as {floor:g}, and a deviation below {least_deviation:g} as that.
speaker_mean: (B, F), mean over the clips of the means.
speaker_log_deviation: (B, F), mean over the clips of the natural logarithms of the deviations.
speaker_clips: (B, 1), how many clips there are; a clip that is judged itself is not among them.
The profile that `dsnet enrol` writes has all this: `measured` of a clip is 2F numbers, the means
and the logarithms of the deviations."""
SPEEDS_DOC = """
This model hears every clip at the V speeds {speeds}. So speaker_mean and speaker_log_deviation are
(B, V * F), F numbers of the first speed, then F of the second, and so on; `measured` is V * 2F
numbers, for each speed the F means, then the F logarithms."""


class GraphFbank(nn.Module):
    """`compute_fbank` for (B, N) samples, of operations that ONNX has.

    The spectrum is a product with cosines and sines about a frame's centre, which changes its phase
    only: frames fold into an even and an odd half, and the product takes half the time.
    """

    def __init__(self, config: FbankConfig):
        super().__init__()
        self.config = config
        banks = mel_banks(config)  # (F, lines of half the spectrum)
        used = banks.any(0).nonzero()[:, 0]
        half = (config.window_samples + 1) // 2
        time = torch.arange(half, dtype=torch.double)[:, None] + 0.5  # from the centre, in samples
        # half the spectrum has as many lines, so that the phase goes once around for 2 * lines
        angles = math.pi * time * used / banks.shape[1]
        # of an odd number of samples, a zero behind the last makes it even
        window = nn.functional.pad(window_function(config), (0, config.window_samples % 2))
        self.register_buffer("window", window)
        self.register_buffer("cosines", angles.cos().float())  # (W / 2, L)
        self.register_buffer("sines", angles.sin().float())
        self.register_buffer("banks", banks[:, used].T.contiguous())  # (L, F)

    def forward(self, samples: Tensor) -> Tensor:
        """Return (B, T, F).

        Args:
            samples: (B, N) float in [-1, 1], N at least that of a frame.
        """
        config = self.config
        frames = self._frames(samples * MAX_INT16)
        if config.remove_dc:
            frames = frames - frames.mean(2, keepdim=True)
        if config.preemphasis:
            before = torch.cat([frames[..., :1], frames[..., :-1]], 2)
            frames = frames - config.preemphasis * before
        if config.window_samples % 2:
            frames = nn.functional.pad(frames, (0, 1))
        first, second = (frames * self.window).chunk(2, 2)
        first = first.flip(2)
        even, odd = (second + first) @ self.cosines, (second - first) @ self.sines
        spectrum = even.square() + odd.square()
        mels = (spectrum if config.use_power else spectrum.sqrt()) @ self.banks
        return mels.clamp(min=torch.finfo(torch.float).eps).log() if config.use_log else mels

    def _frames(self, samples: Tensor) -> Tensor:
        """Return (B, T, W)."""
        width, shift = self.config.window_samples, self.config.shift_samples
        count = num_frames(self.config, samples.shape[1])
        parts = [samples]
        if not self.config.snip_edges:  # mirrored, the outermost sample twice, as Kaldi does
            start = width // 2 - shift // 2
            parts = [samples[:, :start].flip(1), samples, samples[:, -width:].flip(1)]
        # the last frame's last block of `shift` samples may reach beyond what the frame takes of it
        parts.append(samples.new_zeros(samples.shape[0], shift))
        blocks = math.ceil(width / shift)  # that a frame spans
        total = count + blocks - 1
        x = torch.cat(parts, 1)[:, : total * shift].reshape(samples.shape[0], total, shift)
        return torch.cat([x[:, n : n + count] for n in range(blocks)], 2)[..., :width]


class GraphSpeed(nn.Module):
    """`resample` of (B, N) samples that are played faster, of operations that ONNX has."""

    def __init__(self, sampling_rate: int, speed: float):
        super().__init__()
        source = rate_at(sampling_rate, speed)
        divisor = math.gcd(source, sampling_rate)
        self.up, self.down = sampling_rate // divisor, source // divisor
        filters = resampler(source, sampling_rate)
        self.width = filters.width
        self.register_buffer("kernel", filters.kernel)  # (up, 1, taps)

    def forward(self, samples: Tensor) -> Tensor:
        """Return (B, N * up / down) samples, rounded."""
        wanted = (2 * samples.shape[1] * self.up + self.down) // (2 * self.down)
        x = nn.functional.pad(samples, (self.width, self.width + self.down))
        x = nn.functional.conv1d(x[:, None], self.kernel, stride=self.down)  # (B, up, blocks)
        x = x.transpose(1, 2).flatten(1)
        return x[:, torch.arange(wanted)]  # the exporter cannot tell that it has as many


def window_function(config: FbankConfig) -> Tensor:
    """Return the (W,) window of Kaldi that the config names."""
    size, name = config.window_samples, config.window
    if name == "rectangular":
        return torch.ones(size)
    if name == "hamming":
        return torch.hamming_window(size, periodic=False)
    if name == "blackman":
        return torch.blackman_window(size, periodic=False)
    return torch.hann_window(size, periodic=False).pow({"hanning": 1.0, "povey": 0.85}[name])


class GraphRecognizer(nn.Module):
    """What a Recognizer does with samples, given one kind of clips of the speaker, or none."""

    def __init__(self, recognizer: Recognizer, given: str):
        super().__init__()
        bundle, part = recognizer.bundle, recognizer.parts[given]
        config = fbank_config(bundle)
        speeds = [GraphSpeed(config.sampling_rate, speed) for speed in config.speeds]
        self.speeds = nn.ModuleList([nn.Identity(), *speeds])
        self.fbank = GraphFbank(config)
        self.system = part.system
        self.temperature = part.member.temperature
        self.voice = part.voice and Voice(**{n: x.float() for n, x in vars(part.voice).items()})
        self.floor = recognizer.front_end.floor
        self.scale = part.member.system.enrolment.normalise == "shift_and_scale"
        self.fixed = part.member.system.input.mode == "fixed"
        # what becomes of a single frame is what the network is fed with at least
        self.least_frames = fitted(torch.zeros(1, 1, 1), part.member, bundle).shape[1]

    def forward(
        self,
        samples: Tensor,
        speaker_mean: Tensor | None = None,
        speaker_log_deviation: Tensor | None = None,
        speaker_clips: Tensor | None = None,
    ) -> Tensor:
        """Return (B, K) probabilities.

        Args:
            samples: (B, N) float in [-1, 1] at the bundle's sampling rate.
            speaker_mean, speaker_log_deviation: (B, VF), see `speaker_inputs`; None: no enrolment.
            speaker_clips: (B, 1), number of clips that they are the mean of.
        """
        versions = []
        for number, at_speed in enumerate(self.speeds):
            feats = self.fbank(at_speed(samples))  # (B, T, F)
            if self.voice is not None:
                means, deviations = (
                    x.chunk(len(self.speeds), 1)[number]
                    for x in (speaker_mean, speaker_log_deviation)
                )
                heard = self.voice.believe(means, deviations, speaker_clips)
                feats = self.voice.normalise(feats, *heard, self.floor, self.scale)
            versions.append(self._logits(feats))
        return (together(versions) / self.temperature).softmax(1)

    def _logits(self, feats: Tensor) -> Tensor:
        """Return (B, K) of (B, T, F) features."""
        frames = feats.shape[1]
        wanted = self.least_frames if self.fixed else torch.sym_max(frames, self.least_frames)
        time = torch.arange(wanted)
        feats = feats[:, time % torch.full_like(time, frames)]  # no remainder of a number in ONNX
        return self.system(feats).logits


def check_exportable(bundle: Bundle, given: str) -> None:
    """Raise BundleError for a bundle that cannot be exported, or that lacks the member."""
    if bundle.features.kind != "fbank":
        raise BundleError(
            f"the model {bundle.name} reads features of kind {bundle.features.kind} "
            f"('{bundle.features.name}'); only models on log-mels (kind fbank) can be exported. "
            "Pretrained encoders are not part of a bundle, and openSMILE is no network"
        )
    rate, speeds = fbank_config(bundle).sampling_rate, fbank_config(bundle).speeds
    played = {speed: rate_at(rate, speed) for speed in speeds}
    odd = [s for s, at in played.items() if max(rate, at) // math.gcd(rate, at) > MOST_PHASES]
    if odd:
        raise BundleError(
            f"the model {bundle.name} hears speeds {odd} at {rate} Hz, which no filter of at most "
            f"{MOST_PHASES} phases resamples; choose a rate or speeds with a simpler ratio"
        )
    if given not in bundle.members:
        raise BundleError(
            f"--given {given}: the model {bundle.name} has no such member; it has: "
            f"{', '.join(bundle.members)}"
        )


def export_onnx(recognizer: Recognizer, given: str, path: Path) -> float | None:
    """Write a member of a recognizer's bundle; the file is whole, verified, or absent.

    Args:
        recognizer: on the CPU.
        given: member of the bundle; see `check_exportable`.
        path: of the file; one that is there is replaced.

    Returns:
        The largest difference of a probability to the recognizer's, of synthetic sounds; None:
        onnxruntime is not installed, and nothing was compared.

    Raises:
        BundleError: see `check_exportable`; or the file says something else than the recognizer.
        FeatureError: packages that export needs are not installed.
    """
    bundle = recognizer.bundle
    check_exportable(bundle, given)
    _import_exporter()
    model = GraphRecognizer(recognizer, given).eval()
    inputs = {SAMPLES: synthetic(2, least_samples(bundle), bundle)}
    if given != "none":
        inputs |= speaker_inputs([enrolled(recognizer, given)] * 2, bundle)
    batch = Dim("batch")
    shapes = {name: {0: batch} for name in inputs}
    shapes[SAMPLES][1] = Dim("num_samples", min=_window_samples(fbank_config(bundle)))
    with _quiet():
        program = torch.onnx.export(
            model,
            tuple(torch.from_numpy(x) for x in inputs.values()),
            input_names=list(inputs),
            output_names=[PROBABILITIES],
            dynamic_shapes=shapes,
            dynamo=True,
            verbose=False,
        )
    program.model.doc_string = document(recognizer, given)
    program.model.metadata_props.update(metadata(bundle, given))
    for node in program.model.graph.all_nodes():
        node.metadata_props.clear()  # traces of this machine's folders
    with replacing(path) as temporary:
        program.save(temporary, external_data=False)
        difference = largest_difference(recognizer, given, temporary)
        if difference is not None and not difference <= TOLERANCE:
            raise BundleError(
                f"{path}: not written: with {given} given, probabilities in onnxruntime differ by "
                f"{difference:.1g} from those of {bundle.name}, more than {TOLERANCE:g}. "
                "Are torch, onnxscript and onnxruntime of versions that go together?"
            )
    return difference


def metadata(bundle: Bundle, given: str) -> dict[str, str]:
    """Return what the file says of itself to programs."""
    return {
        "name": bundle.name,
        "id": bundle.id,
        "given": given,
        "classes": json.dumps(bundle.classes, ensure_ascii=False),
        "sampling_rate": str(fbank_config(bundle).sampling_rate),
        "min_samples": str(least_samples(bundle)),
        "card": bundle.card,
    }


def document(recognizer: Recognizer, given: str) -> str:
    """Return what the file says of its inputs and outputs to people."""
    rate, front_end = recognizer.sampling_rate, recognizer.front_end
    text = (
        f"Emotions in speech: {', '.join(recognizer.classes)}.\n"
        f"samples: (B, N) float32 in [-1, 1] at {rate} Hz, one channel, N at least "
        f"{least_samples(recognizer.bundle)}. Utterances of a batch are equally long; padding "
        "would be heard as speech.\n"
        f"probabilities: (B, {len(recognizer.classes)}) float32, in the order of `classes`."
    )
    if given == "none":
        return text
    text += SPEAKER_DOC.format(
        given=given, floor=front_end.floor, least_deviation=front_end.least_deviation
    )
    if speeds := fbank_config(recognizer.bundle).speeds:
        text += SPEEDS_DOC.format(speeds=", ".join(f"{speed:g}" for speed in [1, *speeds]))
    return text


def speaker_inputs(profiles: Sequence[Profile], bundle: Bundle) -> dict[str, np.ndarray]:
    """Return what the graph takes of speakers, float32, one profile an utterance."""
    measured = np.stack([profile.measured().mean(0) for profile in profiles])  # (B, 2FV)
    parts = measured.reshape(len(profiles), -1, 2, bundle.features.dim)  # (B, V, 2, F)
    clips = np.array([[len(profile.clips)] for profile in profiles])
    values = (*(parts[:, :, n].reshape(len(profiles), -1) for n in (0, 1)), clips)
    return {name: x.astype("float32") for name, x in zip(SPEAKER, values, strict=True)}


def fbank_config(bundle: Bundle) -> FbankConfig:
    """Return how a bundle's log-mels are computed."""
    return from_values(bundle.features.config, FbankConfig, f"{bundle.name}: features")


def least_samples(bundle: Bundle) -> int:
    """Return how many samples an utterance must have."""
    config = fbank_config(bundle)
    return max(_window_samples(config), math.ceil(MIN_SECONDS * config.sampling_rate))


def _window_samples(config: FbankConfig) -> int:
    """Return how many samples a frame takes at the fastest speed."""
    return math.ceil(max([1, *config.speeds]) * config.window_samples)


def largest_difference(recognizer: Recognizer, given: str, path: Path) -> float | None:
    """Return how far a file's probabilities are from the recognizer's; see `export_onnx`."""
    try:
        import onnxruntime
    except ImportError:
        return None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3  # errors
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    bundle, speaker, known = recognizer.bundle, None, {}
    if given != "none":
        speaker = enrolled(recognizer, given)
        known = speaker_inputs([speaker] * 2, bundle)
    largest = 0.0
    for num_samples in (least_samples(bundle), 3 * recognizer.sampling_rate):
        sounds = synthetic(2, num_samples, bundle)
        found = session.run([PROBABILITIES], {SAMPLES: sounds, **known})[0]
        results = recognizer.judge(list(sounds), recognizer.sampling_rate, speaker)
        expected = [list(result.scores.values()) for result in results]
        largest = max(largest, float(np.abs(found - expected).max()))
    return largest


def enrolled(recognizer: Recognizer, given: str) -> Profile:
    """Return a speaker of synthetic clips."""
    rate = recognizer.sampling_rate
    clips = synthetic(3, 2 * rate, recognizer.bundle, seed=1)
    return recognizer.enrol("synthetic", [(clip, rate) for clip in clips], given)


def synthetic(count: int, num_samples: int, bundle: Bundle, seed: int = 0) -> np.ndarray:
    """Return (count, num_samples) float32: harmonics under a rhythm of syllables, and noise."""
    rng = np.random.default_rng(seed)
    seconds = np.arange(num_samples) / fbank_config(bundle).sampling_rate
    pitch = rng.uniform(90, 250, (count, 1))  # Hz
    voice = sum(np.sin(2 * np.pi * n * pitch * seconds) / n for n in range(1, 9))
    rhythm = 0.6 + 0.4 * np.sin(2 * np.pi * 4 * seconds + rng.uniform(0, 6, (count, 1)))
    noise = rng.standard_normal((count, num_samples))
    return (rhythm * (0.1 * voice + 0.01 * noise)).clip(-1, 1).astype("float32")


def _import_exporter() -> None:
    try:
        for package in ("onnx", "onnxscript"):
            importlib.import_module(package)
    except ImportError as error:
        raise FeatureError(
            f"a package that writes ONNX is not there ({error}); install it with "
            "`. path.sh && python -m pip install -e '.[onnx]'` in the root of the project"
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep off the terminal what the exporter says of itself, and of packages it does without."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
