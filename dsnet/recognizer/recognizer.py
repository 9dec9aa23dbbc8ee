"""Recognizer: a bundle at work.

    samples -- features -- (normalised by what is known of the speaker) -- network -- probabilities

A recording is judged as the recipe judges an utterance: whole, and by itself.
Axes: N samples, T frames, F dimensions, B utterances of equal length, K classes, V versions of a
recording: as it is, and at the other speeds at which the model hears it.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dsnet.config import from_values
from dsnet.corpus.sound import BadAudio, audio_hash
from dsnet.environment import choose_device
from dsnet.errors import BundleError, FeatureError
from dsnet.features import FEATURES
from dsnet.features.encoder_files import SETTINGS
from dsnet.features.extractor import Extractor
from dsnet.features.resample import rate_at, resample
from dsnet.models.encoder import MIN_FRAMES
from dsnet.models.front_end import FRONT_ENDS, FrontEnd
from dsnet.models.voice import Voice, measure
from dsnet.recognizer.bundle import Bundle, Member, find_bundle, read_bundle
from dsnet.recognizer.profile import Clip, Profile
from dsnet.recognizer.recording import as_samples, check_sound
from dsnet.scoring.rejection import threshold
from dsnet.systems import build_system
from dsnet.systems.system import Output, System, together

UNSURE = "unsure"
MAX_SECONDS = 600.0  # that are judged at once


@dataclass(frozen=True)
class Result:
    """What a model makes of a recording.

    Args:
        label: the most probable class; "unsure" if its probability is below the threshold.
        scores: probability by class; they sum to 1.
        confidence: the highest of them.
        embeddings: (D,) by name, such as e (emotion), s (the rest), h (both).
    """

    label: str
    scores: dict[str, float]
    confidence: float
    embeddings: dict[str, np.ndarray] = field(repr=False)

    @property
    def embedding(self) -> np.ndarray:
        """The (D,) emotion part, or the only embedding that the model has."""
        name = "e" if "e" in self.embeddings else next(iter(self.embeddings))
        return self.embeddings[name]


@dataclass(frozen=True)
class Part:
    """A member, ready."""

    member: Member
    system: System
    voice: Voice | None


class Recognizer:
    """Recognises emotions in speech; `Recognizer.load("emodb-small")(samples, sampling_rate)`.

    Attributes:
        name: of the model.
        classes: K names.
        sampling_rate: Hz, to which input is brought.
        card: what the model is good for, and what not, in Markdown.
        parts: what works, by what it is given of a speaker: none, neutral, any.
    """

    def __init__(self, bundle: Bundle, encoder: Path | None = None, device: str = "cpu"):
        """Args: see `load`."""
        self.bundle = bundle
        self.name, self.classes, self.card = bundle.name, bundle.classes, bundle.card
        self.device = choose_device(device)
        self._extractor = _build_extractor(bundle, encoder).to(self.device)
        self.sampling_rate = self._extractor.sampling_rate
        self.front_end = FRONT_ENDS.get(bundle.features.kind, FrontEnd)
        self.parts = {given: self._build(member) for given, member in bundle.members.items()}

    @classmethod
    def load(
        cls,
        model: str | Path = "emodb-small",
        encoder: str | Path | None = None,
        device: str = "cpu",
    ) -> "Recognizer":
        """Return the recognizer of a bundle.

        Args:
            model: a bundle's folder or zip file, or the name of one in the package.
            encoder: folder of the pretrained encoder, for bundles on such features; None: where
                DSNET_MODELS or the Hugging Face hub has it.
            device: cpu, cuda:N, or auto: the GPU if there is one.

        Raises:
            BundleError: no bundle, or one that does not fit.
            FeatureError: a package or an encoder that it needs is missing.
            ConfigError: no such device here.
        """
        return cls(read_bundle(find_bundle(model)), encoder and Path(encoder), device)

    def __call__(
        self,
        samples: np.ndarray,
        sampling_rate: int,
        speaker: Profile | None = None,
        reject: float | None = None,
    ) -> Result:
        """Judge one recording.

        Args:
            samples: (N,) float in [-1, 1], int16 or int32; (N, channels) are averaged.
            sampling_rate: Hz.
            speaker: what `enrol` returned for its speaker; None: nothing is known of them.
            reject: see `threshold`.

        Raises:
            BadAudio: nothing to be judged, such as silence.
            BundleError: a profile of another model.
        """
        return self.judge([samples], sampling_rate, speaker, reject)[0]

    def judge(
        self,
        recordings: Sequence[np.ndarray],
        sampling_rate: int,
        speaker: Profile | None = None,
        reject: float | None = None,
    ) -> list[Result]:
        """Judge several recordings of one sampling rate; those of equal length go together.

        For the arguments see `__call__`.
        """
        sounds = [as_samples(samples, sampling_rate) for samples in recordings]
        sampling_rate = int(sampling_rate)
        for sound in sounds:
            check_sound(sound)
        given = self._given(speaker)
        limit = 0.0 if reject is None else self.threshold(reject, given)
        part = self.parts[given]
        feats = [self._versions(sound, sampling_rate) for sound in sounds]
        if part.voice is not None:
            feats = [
                self._normalise(part, own, self._heard(part.voice, speaker, sound))
                for own, sound in zip(feats, sounds, strict=True)
            ]
        versions = [self._outputs(part, own) for own in zip(*feats, strict=True)]
        temperature = part.member.temperature
        return [
            self._result(outputs, temperature, limit) for outputs in zip(*versions, strict=True)
        ]

    def features(self, samples: np.ndarray, sampling_rate: int, speed: float = 1) -> Tensor:
        """Return the (T, F) features of (N,) samples at a speed, as stage 1 would store them."""
        extractor, rate = self._extractor, rate_at(sampling_rate, speed)
        wanted = (2 * len(samples) * extractor.sampling_rate + rate) // (2 * rate)
        sound = resample(torch.from_numpy(samples), rate, extractor.sampling_rate, wanted)
        return extractor(sound).to(getattr(torch, extractor.storage)).float()

    def measure(self, samples: np.ndarray, sampling_rate: int) -> np.ndarray:
        """Return what is known of a voice by one recording; see `dsnet.models.voice`.

        (2FV,): 2F as it is, then 2F at each of the other speeds.
        """
        feats = self._versions(samples, sampling_rate)
        return torch.cat([measure(own, self.front_end) for own in feats]).numpy()

    @property
    def num_measured(self) -> int:
        """Return 2FV, how many numbers `measure` returns."""
        return 2 * self.bundle.features.dim * len(self._extractor.all_speeds)

    def enrol(
        self,
        name: str,
        clips: Sequence[tuple[np.ndarray, int]],
        kind: str = "neutral",
        files: Sequence[str] = (),
    ) -> Profile:
        """Return a profile of a speaker, to be given with recordings of theirs.

        Args:
            name: of the speaker.
            clips: samples and sampling rate of each.
            kind: neutral, or any: of whatever emotion, unlabelled.
            files: names of the clips.

        Raises:
            BadAudio: a clip that is no speech.
            BundleError: no clips, or a model that cannot use them.
        """
        if kind not in self.parts or kind == "none":
            able = [given for given in self.parts if given != "none"]
            raise BundleError(
                f"the model {self.name} takes no clips of kind {kind}; it takes: "
                f"{', '.join(able) or 'none'}"
            )
        if not clips:
            raise BundleError(f"speaker '{name}': no clips to enrol")
        found: dict[str, Clip] = {}  # by their audio, so that copies count once
        for number, (samples, rate) in enumerate(clips):
            file = files[number] if files else f"clip {number + 1}"
            try:
                sound = as_samples(samples, rate)
                check_sound(sound)
                if len(sound) > MAX_SECONDS * rate:
                    raise BadAudio(f"{len(sound) / rate:.0f} s are too long for a clip")
            except BadAudio as error:
                raise BadAudio(f"{file}: {error}") from error
            audio = audio_hash(sound)
            measured = self.measure(sound, int(rate)).tolist()
            found.setdefault(audio, Clip(file, audio, len(sound) / rate, measured))
        return Profile(name, kind, self.name, self.bundle.id, list(found.values()))

    def threshold(self, error: float, given: str = "none") -> float:
        """Return the confidence below which an answer is "unsure".

        Among held-out speakers, of answers that are as confident or more, at most the share
        `error` was wrong.

        Raises:
            BundleError: no threshold does that, or the model needs clips.
        """
        if given == "none":
            self._given(None)  # refuses, if the model cannot do without clips
        curve = self.bundle.members[given].held_out
        limit = threshold(curve, error)
        if limit is None:
            raise BundleError(
                f"--reject {error:g}: even the surest answers of {self.name} were wrong more often "
                f"on held-out speakers; the least is {min(curve['error']):.2f}"
            )
        return limit

    def _versions(self, samples: np.ndarray, sampling_rate: int) -> list[Tensor]:
        """Return the V features of a recording, (T, F) each."""
        speeds = self._extractor.all_speeds
        return [self.features(samples, sampling_rate, speed) for speed in speeds]

    def _given(self, speaker: Profile | None) -> str:
        if speaker is None:
            if "none" not in self.parts:
                raise BundleError(
                    f"the model {self.name} needs clips of the speaker "
                    f"({' or '.join(self.parts)}): enrol them"
                )
            return "none"
        if speaker.model_id != self.bundle.id:
            raise BundleError(
                f"speaker '{speaker.speaker}' was enrolled with the model {speaker.model} "
                f"({speaker.model_id}), not with {self.name} ({self.bundle.id})"
            )
        if speaker.kind not in self.parts:
            raise BundleError(
                f"speaker '{speaker.speaker}': clips of kind {speaker.kind}, which the model "
                f"{self.name} does not take; enrol the speaker again"
            )
        return speaker.kind

    def _heard(self, voice: Voice, speaker: Profile, sound: np.ndarray) -> tuple[Tensor, Tensor]:
        """Return mean and log deviation, (V, F) each, of what is heard of a speaker."""
        clips = torch.from_numpy(speaker.measured(without=audio_hash(sound)))
        measured = clips.mean(0).reshape(len(self._extractor.all_speeds), -1)
        number = torch.full((len(measured), 1), float(len(clips)), dtype=torch.double)
        return voice.believe(*measured.chunk(2, 1), number)

    def _normalise(
        self, part: Part, feats: list[Tensor], heard: tuple[Tensor, Tensor]
    ) -> list[Tensor]:
        scale = part.member.system.enrolment.normalise == "shift_and_scale"
        return [
            part.voice.normalise(
                own[None], mean[None], deviation[None], self.front_end.floor, scale
            )[0]
            for own, mean, deviation in zip(feats, *heard, strict=True)
        ]

    @torch.inference_mode()
    def _outputs(self, part: Part, feats: Sequence[Tensor]) -> list[Output]:
        """Return what the network makes of features; those of equal length go together."""
        outputs: list[Output | None] = [None] * len(feats)
        for places in _alike(feats):
            batch = torch.stack([feats[place] for place in places])
            found = part.system(fitted(batch, part.member, self.bundle).to(self.device))
            for row, place in enumerate(places):
                own = {name: x[row].float().cpu() for name, x in found.embeddings.items()}
                outputs[place] = Output(found.logits[row].double().cpu(), own)
        return outputs

    def _result(self, versions: Sequence[Output], temperature: float, limit: float) -> Result:
        """Return the decision of all versions of a recording."""
        logits = together([own.logits for own in versions])
        scores = (logits / temperature).softmax(0).numpy()
        best = int(scores.argmax())
        confidence = float(scores[best])
        return Result(
            label=self.classes[best] if confidence >= limit else UNSURE,
            scores=dict(zip(self.classes, scores.tolist(), strict=True)),
            confidence=confidence,
            embeddings={name: x.numpy() for name, x in versions[0].embeddings.items()},
        )

    def _build(self, member: Member) -> Part:
        bundle = self.bundle
        # a network that goes on from the encoder's states finds it where the extractor did
        features = dataclasses.replace(
            bundle.features, config=dataclasses.asdict(self._extractor.config)
        )
        system = build_system(member.system, features, len(bundle.classes), member.num_speakers)
        try:
            system.load_state_dict(dict(member.weights))
            voice = Voice(**member.voice) if member.voice else None
        except (RuntimeError, TypeError) as error:
            raise BundleError(
                f"{bundle.name}: weights that do not fit its config "
                f"({str(error).splitlines()[0]}); it was made by another version of dsnet"
            ) from error
        return Part(member, system.to(self.device).eval(), voice)


def fitted(feats: Tensor, member: Member, bundle: Bundle) -> Tensor:
    """Return (B, T, F) features with as many frames as the network is fed with."""
    shift = bundle.features.frame_shift_ms
    if shift is None:
        return feats
    wanted, config = max(feats.shape[1], MIN_FRAMES), member.system.input
    if config.mode == "fixed":
        wanted = max(MIN_FRAMES, round(1000 * config.max_seconds / shift))
    return feats[:, torch.arange(wanted) % feats.shape[1]]


def _alike(feats: Sequence[Tensor]) -> list[list[int]]:
    """Return the places of features of equal length."""
    by_length: dict[int, list[int]] = {}
    for place, one in enumerate(feats):
        by_length.setdefault(len(one), []).append(place)
    return list(by_length.values())


def _build_extractor(bundle: Bundle, encoder: Path | None) -> Extractor:
    facts = bundle.features
    schema, kind = FEATURES[facts.kind]
    config = from_values(facts.config, schema, f"{bundle.name}: features")
    if encoder is not None:
        if facts.kind != "pretrained":
            raise BundleError(f"--encoder: the model {bundle.name} needs none, it reads log-mels")
        if not (encoder / SETTINGS[0]).is_file():
            raise BundleError(
                f"--encoder {encoder}: no {SETTINGS[0]} there; a folder with {', '.join(SETTINGS)} "
                f"and model.safetensors of {config.model} is wanted"
            )
        config = dataclasses.replace(config, model=str(encoder))
    try:
        extractor = kind(facts.name, config)
    except FeatureError as error:
        hint = "; or name its folder by --encoder" if facts.kind == "pretrained" else ""
        raise FeatureError(f"{bundle.name}: {error}{hint}") from error
    found = extractor.identity()
    differing = [
        key
        for key, value in facts.identity.items()
        if found.get(key) != value and key != "transformers"
    ]
    if differing or (extractor.dim, extractor.num_layers) != (facts.dim, facts.num_layers):
        raise BundleError(
            f"{bundle.name}: the features of this machine are not those that it was trained with "
            f"({', '.join(differing) or 'other dimensions'} differ). An encoder must be the same "
            "one to the last weight"
        )
    return extractor
