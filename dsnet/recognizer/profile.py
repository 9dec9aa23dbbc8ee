"""Profiles: what a model has heard of a speaker, in a small file that a person can read.

A profile belongs to one model, since it holds the statistics of that model's features; it holds no
audio. Clips count alike; a clip that is judged itself is left out of what is known of its speaker.
Axes: F dimensions, V versions of a recording (at other speeds).
"""

import dataclasses
import json
import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from dsnet.errors import BundleError
from dsnet.files import write_text

FORMAT = 1
KINDS = ("neutral", "any")
DIGITS = 6


@dataclass(frozen=True)
class Clip:
    """A recording of the speaker.

    Args:
        file: where it was.
        audio: 16 hex digits of its samples.
        seconds: its length.
        measured: (2FV,) mean and log deviation of each dimension, of each version of the recording
            that the model hears; see `Recognizer.measure`.
    """

    file: str
    audio: str
    seconds: float
    measured: list[float]


@dataclass(frozen=True)
class Profile:
    """A speaker.

    Args:
        speaker: name.
        kind: of the clips: neutral, or any (of whatever emotion, unlabelled).
        model: name of the bundle, for people.
        model_id: of the bundle.
        clips: one or more.
    """

    speaker: str
    kind: str
    model: str
    model_id: str
    clips: list[Clip]

    def without(self, audio: str) -> "Profile":
        """Return the profile without the clips of some audio; see `measured` for errors."""
        self.measured(audio)
        kept = [clip for clip in self.clips if clip.audio != audio]
        return dataclasses.replace(self, clips=kept)

    def measured(self, without: str = "") -> np.ndarray:
        """Return (clips, 2FV) statistics of the clips, without that of some audio.

        Raises:
            BundleError: nothing is left.
        """
        kept = [clip.measured for clip in self.clips if clip.audio != without]
        if not kept:
            raise BundleError(
                f"this recording is the only one that speaker '{self.speaker}' was enrolled with; "
                "it says nothing about itself. Enrol others"
            )
        return np.array(kept)


def profiles_dir(model_id: str) -> Path:
    """Return the folder of a model's profiles: DSNET_SPEAKERS, or below the user's data."""
    top = os.environ.get("DSNET_SPEAKERS")
    if not top:
        data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
        top = Path(data) / "dsnet" / "speakers"
    return Path(top) / model_id


def profile_path(speaker: str, model_id: str) -> Path:
    """Return the file of a speaker's profile.

    Raises:
        BundleError: a name that is no file name.
    """
    if not re.fullmatch(r"[^\s/.][^/\n\0]*", speaker):
        raise BundleError(f"speaker '{speaker}': a name without / that begins with a letter")
    return profiles_dir(model_id) / f"{speaker}.json"


def write_profile(path: Path, profile: Profile) -> None:
    """Write a profile; a clip a line."""
    content = asdict(profile)
    clips = content.pop("clips")
    for clip in clips:
        clip["measured"] = [round(value, DIGITS) for value in clip["measured"]]
    head = json.dumps({"format": FORMAT, **content}, indent=1)
    lines = ",\n".join("  " + json.dumps(clip) for clip in clips)
    write_text(path, f'{head[:-2]},\n "clips": [\n{lines}\n ]\n}}\n')


def read_profile(path: Path, model: str, model_id: str, size: int) -> Profile:
    """Read a speaker's profile.

    Args:
        path: of the file.
        model, model_id: of the bundle that wants it.
        size: how many numbers are measured of a clip.

    Raises:
        BundleError: one that cannot be read, is damaged, or of another model.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        version = content.pop("format")
        clips = [Clip(**clip) for clip in content.pop("clips")]
        profile = Profile(**content, clips=clips)
        if version != FORMAT or profile.kind not in KINDS or not clips:
            raise ValueError(f"format {version}, kind {profile.kind}, {len(clips)} clips")
        values = [np.array(clip.measured, dtype=float) for clip in clips]
        if not all(np.isfinite(value).all() for value in values):
            raise ValueError("statistics that are not finite")
        sizes = {value.shape for value in values}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise BundleError(f"{path}: not a profile ({error}); enrol the speaker again") from error
    if profile.model_id != model_id:
        raise BundleError(
            f"{path}: of the model {profile.model} ({profile.model_id}), not of {model} "
            f"({model_id}); enrol the speaker with this model, too"
        )
    if sizes != {(size,)}:
        raise BundleError(f"{path}: damaged; enrol the speaker again")
    return profile


def farthest(measured: Sequence[np.ndarray], scale: np.ndarray) -> np.ndarray:
    """Return how far each clip is from the mean of the others, in deviations between utterances.

    Args:
        measured: two or more (2FV,), of clips.
        scale: (F,) deviation of a dimension's mean between utterances of one speaker.

    Returns:
        (clips,) root mean square over dimensions.
    """
    means = np.array(measured)[:, : len(scale)]
    count = len(means)
    others = (means.sum(0) - means) / (count - 1)
    return np.sqrt((((means - others) / scale) ** 2).mean(1) / (1 + 1 / (count - 1)))
