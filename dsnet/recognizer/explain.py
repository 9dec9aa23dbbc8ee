"""What a model made of one recording: its answer, where it looked, what it says of each moment.

Axes: N samples, B utterances, C channels and T steps of the encoder's pooling, K classes.
"""

import dataclasses
from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn

from dsnet.corpus.sound import BadAudio, audio_hash
from dsnet.models.encoder import CompactEncoder, ConvEncoder, FinetunedEncoder, FramesEncoder
from dsnet.models.pooling import CLAMP, AttentionPooling, AttentiveStatistics, time_softmax
from dsnet.recognizer.bundle import FeaturesFacts
from dsnet.recognizer.profile import Profile
from dsnet.recognizer.recognizer import MAX_SECONDS, Recognizer, Result
from dsnet.recognizer.recording import as_samples, check_sound, windows

WINDOW_SECONDS, HOP_SECONDS = 1.5, 0.25
BATCH = 32  # windows that are judged together
# of an encoder: frames from one step of its pooling to the next, and from the beginning of the
# first frame to the centre of the first step
STEPS: dict[type[nn.Module], tuple[int, float]] = {
    ConvEncoder: (16, 8.0),  # max-pooled in pairs, four times
    CompactEncoder: (8, 1.0),  # averaged in pairs, then two strides of 2 that begin at a centre
    FramesEncoder: (2, 1.0),  # averaged in pairs
    FinetunedEncoder: (2, 1.0),  # likewise
}


@dataclass(frozen=True)
class Attention:
    """How much of an embedding comes from each part of a recording.

    Args:
        centres: (T,) seconds.
        step_seconds: from one centre to the next.
        weights: (T,) mean over channels; their mean is 1, so that 1 is uniform attention.
    """

    centres: np.ndarray
    step_seconds: float
    weights: np.ndarray


@dataclass(frozen=True)
class Window:
    """A part of a recording, judged as a recording of its own.

    Args:
        start, end: in seconds.
        result: None: there is no signal in it.
    """

    start: float
    end: float
    result: Result | None


@dataclass(frozen=True)
class Explanation:
    """What a model made of a recording.

    Args:
        given: what the model was given of the speaker: none, neutral or any.
        result: of the whole recording.
        attention: None: the model has none, such as a linear one.
        heard_seconds: from the beginning; a network of fixed input hears no more.
        windows: by start.
    """

    given: str
    result: Result
    attention: Attention | None
    heard_seconds: float
    windows: list[Window]


def explain(
    recognizer: Recognizer,
    samples: np.ndarray,
    sampling_rate: int,
    speaker: Profile | None = None,
    reject: float | None = None,
) -> Explanation:
    """Judge a recording and its parts, and catch what the network attended to.

    For the arguments see `Recognizer.__call__`.

    Raises:
        BadAudio: nothing to be judged, or more than can be judged at once.
        BundleError: a profile of another model.
    """
    samples = as_samples(samples, sampling_rate)
    seconds = len(samples) / sampling_rate
    if seconds > MAX_SECONDS:
        raise BadAudio(
            f"{seconds:.0f} s are too long to be judged at once ({MAX_SECONDS:.0f} s); "
            "cut the recording"
        )
    given = speaker.kind if speaker else "none"
    result, scores = _judge_watched(recognizer, samples, sampling_rate, speaker, reject)
    member = recognizer.bundle.members[given]
    fixed = member.system.input.mode == "fixed"
    heard = min(seconds, member.system.input.max_seconds) if fixed else seconds
    attention = None
    if scores is not None:
        encoder = recognizer.parts[given].system.encoder
        weights = attention_weights(encoder.pooling, scores)[0]
        attention = on_the_time_axis(weights, encoder, recognizer.bundle.features, heard)
    own = None if speaker is None else _without(speaker, samples)
    parts = judge_windows(recognizer, samples, sampling_rate, own)
    return Explanation(given, result, attention, heard, parts)


def judge_windows(
    recognizer: Recognizer,
    samples: np.ndarray,
    sampling_rate: int,
    speaker: Profile | None = None,
) -> list[Window]:
    """Judge (N,) samples in windows of WINDOW_SECONDS, one every HOP_SECONDS."""
    found: list[Window] = []
    sounds: list[np.ndarray] = []
    audible: list[int] = []
    for start, end in windows(len(samples) / sampling_rate, WINDOW_SECONDS, HOP_SECONDS):
        sound = samples[round(start * sampling_rate) : round(end * sampling_rate)]
        try:
            check_sound(sound)
        except BadAudio:  # digital silence, which a recording may well begin with
            pass
        else:
            audible.append(len(found))
            sounds.append(sound)
        found.append(Window(start, end, None))
    for first in range(0, len(sounds), BATCH):
        batch = slice(first, first + BATCH)
        results = recognizer.judge(sounds[batch], sampling_rate, speaker)
        for place, result in zip(audible[batch], results, strict=True):
            found[place] = dataclasses.replace(found[place], result=result)
    return found


def attention_weights(pooling: nn.Module, scores: Tensor) -> Tensor:
    """Return (B, T) weights that sum to 1, the mean over channels, of (B, C, T) scores."""
    if isinstance(pooling, AttentionPooling):
        scores = scores.clamp(-CLAMP, CLAMP)
    return time_softmax(scores.float(), None).mean(1)


def on_the_time_axis(
    weights: Tensor, encoder: nn.Module, features: FeaturesFacts, seconds: float
) -> Attention:
    """Return attention in seconds.

    Steps beyond the end are left out: of a short recording the network hears a repetition.

    Args:
        weights: (T,) that sum to 1.
        encoder: that they are of; a key of STEPS.
        features: that it reads.
        seconds: of the recording that are heard.
    """
    shift = features.frame_shift_ms / 1000
    frames, first = STEPS[type(encoder)]
    centres = (first + frames * np.arange(len(weights))) * shift
    if features.config.get("snip_edges"):  # then the first frame, not its shift, begins at 0
        centres += (features.config["frame_length_ms"] / 1000 - shift) / 2
    inside = centres < seconds
    kept = weights.double().cpu().numpy()[inside]
    return Attention(centres[inside], frames * shift, kept / kept.mean())


def _judge_watched(
    recognizer: Recognizer,
    samples: np.ndarray,
    sampling_rate: int,
    speaker: Profile | None,
    reject: float | None,
) -> tuple[Result, Tensor | None]:
    """Return the result, and the (1, C, T) scores of the pooling that led to it, if it has any."""
    system = recognizer.parts[recognizer._given(speaker)].system
    pooling = getattr(getattr(system, "encoder", None), "pooling", None)
    if not isinstance(pooling, (AttentionPooling, AttentiveStatistics)):
        return recognizer(samples, sampling_rate, speaker, reject), None
    caught: list[Tensor] = []

    def catch(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        caught.append(output.detach())

    hook = pooling.score.register_forward_hook(catch)
    try:
        result = recognizer(samples, sampling_rate, speaker, reject)
    finally:
        hook.remove()
    return result, caught[0]  # of the recording as it is, which is judged first


def _without(speaker: Profile, samples: np.ndarray) -> Profile:
    """Return a profile without (N,) samples, of whose windows it would else know too much."""
    own = audio_hash(samples)
    return dataclasses.replace(speaker, clips=[c for c in speaker.clips if c.audio != own])
