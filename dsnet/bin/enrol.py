"""Learn what a speaker sounds like, for `dsnet predict --speaker NAME`.

Three neutral clips of some seconds do; with --any clips of whatever emotion, ten or more. Nothing
but statistics of the clips is kept, in a small file that belongs to one model.
"""

import argparse
import sys
from collections.abc import Sequence

import numpy as np

from dsnet.bin.predict import add_model_options, read_clips, say_passed_over
from dsnet.corpus.sound import BadAudio
from dsnet.environment import limit_threads
from dsnet.errors import BundleError
from dsnet.recognizer.inputs import find_inputs
from dsnet.recognizer.profile import Profile, farthest, profile_path, write_profile
from dsnet.recognizer.recognizer import Recognizer

SHORT_SECONDS = 1.0
LEAST_DECIBELS = 15.0  # from the quiet to the loud tenth of a clip
NEUTRAL = "neutral"
MOST_DOUBTS = 3  # of one kind that are all told


def main(program: str, words: Sequence[str]) -> int:
    """Enrol a speaker; doubts about the clips are said, and do not stop it."""
    parser = argparse.ArgumentParser(program, description=__doc__, allow_abbrev=False)
    parser.add_argument("name", help="of the speaker")
    parser.add_argument("clips", nargs="+", help="sound files, or folders of such")
    parser.add_argument("--any", action="store_true", help="clips of whatever emotion, unlabelled")
    add_model_options(parser)
    args = parser.parse_args(words)
    limit_threads(args.num_threads)
    recognizer = Recognizer.load(args.model, args.encoder, args.device)
    path = profile_path(args.name, recognizer.bundle.id)
    inputs = find_inputs(args.clips, sys.stdin.buffer)
    say_passed_over(inputs)
    files = [str(item.path) for item in inputs.items]
    clips = read_clips(files, args.channel)
    kind = "any" if args.any else NEUTRAL
    try:
        profile = recognizer.enrol(args.name, clips, kind, files)
    except BadAudio as error:
        raise BundleError(f"clip {error}") from error
    if len(profile.clips) < len(clips):
        print(
            f"note: {len(clips) - len(profile.clips)} clips are copies of others", file=sys.stderr
        )
        clips = [clips[files.index(clip.file)] for clip in profile.clips]
    for doubt in doubts(profile, clips, recognizer):
        print(f"note: {doubt}", file=sys.stderr)
    again = "again " if path.exists() else ""
    write_profile(path, profile)
    seconds = sum(clip.seconds for clip in profile.clips)
    print(
        f"{args.name}: enrolled {again}with {len(clips)} {kind} clips, {seconds:.0f} s, for "
        f"{recognizer.name}\n{path}"
    )
    return 0


def doubts(profile: Profile, clips: Sequence[tuple], recognizer: Recognizer) -> list[str]:
    """Return what may be wrong with clips, in words."""
    short, noisy, emotional, far = [], [], [], []
    is_judged = profile.kind == NEUTRAL and {"none"} <= recognizer.bundle.members.keys()
    for clip, (samples, rate) in zip(profile.clips, clips, strict=True):
        if clip.seconds < SHORT_SECONDS:
            short.append(f"{clip.file}: {clip.seconds:.1f} s say little; a second or more is good")
        decibels = dynamic_range(samples, rate)
        if decibels < LEAST_DECIBELS:
            noisy.append(
                f"{clip.file}: loud and quiet parts differ by {decibels:.0f} dB only; is there "
                "noise behind the speech?"
            )
        if is_judged and NEUTRAL in recognizer.classes:
            result = recognizer(samples, rate)
            if result.label != NEUTRAL:
                emotional.append(
                    f"{clip.file}: sounds like {result.label} to the model "
                    f"({result.confidence:.2f}; neutral {result.scores[NEUTRAL]:.2f})"
                )
    usual = recognizer.bundle.usual_distance
    if len(clips) > 2:
        measured = [np.array(clip.measured) for clip in profile.clips]
        distances = farthest(measured, recognizer.bundle.within.numpy())
        far = [
            f"{clip.file}: {distance:.1f} from the other clips, where {usual:.1f} is the most that "
            "is usual; another speaker, room or microphone?"
            for clip, distance in zip(profile.clips, distances, strict=True)
            if distance > usual
        ]
    return [line for found in (short, noisy, emotional, far) for line in _some(found)]


def _some(doubts: list[str]) -> list[str]:
    """Return doubts of one kind; of many the first, and how many there are."""
    if len(doubts) <= MOST_DOUBTS:
        return doubts
    return [doubts[0], f"the same of {len(doubts) - 1} others"]


def dynamic_range(samples: np.ndarray, sampling_rate: int) -> float:
    """Return the decibels between the loud and the quiet tenth of (N,) samples, by 25 ms."""
    size = max(1, sampling_rate // 40)
    frames = samples[: len(samples) // size * size].reshape(-1, size).astype("float64")
    power = np.square(frames).mean(1) + 1e-12
    low, high = np.percentile(power, [10, 90])
    return float(10 * np.log10(high / low))
