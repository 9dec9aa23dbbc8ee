"""Synthesise a small corpus of acted speech by source and filter, for first runs and tests.

    glottal pulses (f0, open quotient) -- tilt --+-- five formant resonators --+-- level -- wav
    breath noise (in the open phase) ------------+                             |
    frication noise (fricatives, bursts) ------------ one resonator -----------+

What varies:
  speaker    length of the vocal tract (scales the formants), pitch, open quotient, tilt, breath,
             jitter, rate, level, noise of the room; and how strongly and in which way the speaker
             expresses each emotion (`Speaker.styles`)
  emotion    pitch level, pitch range, final pitch movement, rate, level, tilt, breath, formants
             (`EMOTIONS`), so that categories overlap: happy is near angry, sad near neutral
  sentence   vowels, consonants, pauses and their number (`SENTENCES`); every speaker says every
             sentence in every emotion
  utterance  all of the above by chance

Nobody's voice is in it: accuracy on this corpus tells whether the software works, not how well a
system recognises people's emotions.

Sources: glottal pulse, Rosenberg 1971 (J. Acoust. Soc. Am. 49, 583), form C; resonators and the
order of the parts, Klatt 1980 (J. Acoust. Soc. Am. 67, 971); vowel formants of men, Peterson and
Barney 1952 (J. Acoust. Soc. Am. 24, 175).
"""

import argparse
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from scipy.io import wavfile
from scipy.signal import lfilter, sosfilt

from dsnet.bin import run
from dsnet.files import write_text

RATE = 16000
HOP = 80  # samples, 5 ms: formants stand still for so long

SPEAKERS = ("f1", "f2", "f3", "f4", "m1", "m2", "m3", "m4")
SENTENCES = (  # a letter a sound of `SOUNDS`, a comma a pause
    "mala sito, neku",
    "tika polu, sama",
    "nofi lake, mitu",
    "lusa, demo tani",
    "kapo, xine mula",
    "fimo deku, lota",
    "pesa xolu nami",
)


@dataclass(frozen=True)
class Prosody:
    """How an utterance is spoken, relative to the speaker's neutral voice."""

    pitch: float = 0.0  # semitones
    pitch_range: float = 0.0  # change of the accents' height, log2
    ending: float = 0.0  # semitones that the last 0.3 s rise
    rate: float = 0.0  # log2
    level: float = 0.0  # dB
    tilt: float = 0.0  # positive: darker
    breath: float = 0.0  # log2
    formants: float = 0.0  # log2; a smile shortens the tract

    def plus(self, other: "Prosody", weight: float = 1.0) -> "Prosody":
        """Return the sum with `weight` times another."""
        return Prosody(
            *(getattr(self, f.name) + weight * getattr(other, f.name) for f in fields(self))
        )

    def scattered(self, rng: np.random.Generator) -> "Prosody":
        """Return each entry times its own draw from a normal distribution."""
        return Prosody(*(getattr(self, f.name) * rng.standard_normal() for f in fields(self)))


EMOTIONS = {
    "angry": Prosody(3.0, 0.5, -3.0, 0.15, 5.0, -0.15, -0.5, 0.0),
    "happy": Prosody(3.5, 0.7, 3.0, 0.10, 2.5, -0.05, 0.0, 0.05),
    "neutral": Prosody(),
    "sad": Prosody(-1.5, -0.7, -0.5, -0.25, -4.0, 0.12, 1.0, -0.02),
}
# Standard deviations of a speaker's own way with an emotion, and of single utterances.
STYLE = Prosody(1.2, 0.3, 1.5, 0.10, 1.5, 0.05, 0.5, 0.015)
CHANCE = Prosody(1.2, 0.3, 1.5, 0.08, 1.5, 0.05, 0.5, 0.015)


@dataclass(frozen=True)
class Sound:
    """A stretch of speech: formants in Hz of a man's tract, amplitudes relative to a vowel."""

    formants: tuple[float, float, float]
    voice: float
    seconds: float
    noise: float = 0.0
    noise_hz: float = 4000.0


def _stop(formants: tuple[float, float, float], noise_hz: float, voice: float = 0.0) -> list[Sound]:
    return [Sound(formants, voice, 0.055), Sound(formants, voice, 0.02, 0.5, noise_hz)]


SOUNDS = {
    "a": [Sound((730, 1090, 2440), 1.0, 0.12)],
    "e": [Sound((530, 1840, 2480), 1.0, 0.11)],
    "i": [Sound((270, 2290, 3010), 0.9, 0.10)],
    "o": [Sound((570, 840, 2410), 1.0, 0.12)],
    "u": [Sound((300, 870, 2240), 0.9, 0.10)],
    "m": [Sound((250, 1000, 2200), 0.35, 0.07)],
    "n": [Sound((250, 1500, 2600), 0.35, 0.06)],
    "l": [Sound((360, 1100, 2800), 0.6, 0.06)],
    "f": [Sound((340, 1100, 2300), 0.0, 0.09, 0.10, 4500)],
    "s": [Sound((320, 1500, 2600), 0.0, 0.10, 0.35, 5500)],
    "x": [Sound((320, 1800, 2500), 0.0, 0.10, 0.40, 2900)],  # as in 'she'
    "p": _stop((300, 900, 2200), 1000),
    "t": _stop((300, 1800, 2600), 4500),
    "k": _stop((300, 2000, 2300), 2000),
    "d": _stop((250, 1800, 2600), 4000, voice=0.2),
    ",": [Sound((500, 1500, 2500), 0.0, 0.14)],
    " ": [],
}


@dataclass(frozen=True)
class Speaker:
    """A synthetic voice and its way with emotions."""

    sex: str
    tract: float  # formants relative to a man's
    pitch_hz: float
    open_quotient: float  # share of a period with open glottis
    breath: float  # noise amplitude relative to the pulses
    jitter: float  # relative deviation of single periods
    room_db: float  # noise, relative to the nominal level
    habits: Prosody  # relative to the average speaker
    styles: dict[str, Prosody]  # each emotion, relative to `habits`


def make_speaker(name: str, seed: int) -> Speaker:
    """Draw the voice of one of `SPEAKERS`; it depends on name and seed only."""
    rng = np.random.default_rng([seed, SPEAKERS.index(name)])
    female = name.startswith("f")
    styles = {}
    for emotion, typical in EMOTIONS.items():
        own = Prosody().plus(typical, rng.uniform(0.5, 1.3))
        styles[emotion] = own if emotion == "neutral" else own.plus(STYLE.scattered(rng))
    return Speaker(
        sex="female" if female else "male",
        tract=rng.uniform(1.1, 1.22) if female else rng.uniform(0.94, 1.05),
        pitch_hz=rng.uniform(175, 240) if female else rng.uniform(90, 140),
        open_quotient=rng.uniform(0.5, 0.8),
        breath=rng.uniform(0.02, 0.1),
        jitter=rng.uniform(0.003, 0.015),
        room_db=rng.uniform(-48, -36),
        habits=Prosody(0.0, 0.3, 0.0, 0.12, 3.0, 0.10, 0.0, 0.0).scattered(rng),
        styles=styles,
    )


def synthesise(speaker: Speaker, how: Prosody, text: str, rng: np.random.Generator) -> np.ndarray:
    """Return one utterance as int16 samples at 16 kHz.

    Args:
        speaker: whose voice.
        how: prosody, with the speaker's habits in it.
        text: letters of `SOUNDS`.
        rng: draws accents, noise and jitter.
    """
    sounds, seconds = _timing(text, how, rng)
    ends = np.cumsum(seconds)
    num_hops = int(ends[-1] * RATE) // HOP
    times = (np.arange(num_hops) + 0.5) * HOP / RATE

    # A sound has its values in its middle half; between them they glide.
    middle = ends - seconds / 2
    knots = np.stack([middle - seconds / 4, middle + seconds / 4], axis=1).ravel()
    targets = np.array([[*s.formants, s.voice, s.noise, s.noise_hz] for s in sounds])
    tracks = np.stack([np.interp(times, knots, np.repeat(row, 2)) for row in targets.T])
    formants = tracks[:3] * speaker.tract * 2**how.formants
    voice, noise = (np.repeat(track, HOP) for track in tracks[3:5])

    vowels = [at for at, s in zip(middle, sounds, strict=True) if s.voice >= 0.9]
    semitones = _pitch(times, vowels, ends[-2], how, rng)  # ends[-1]: of the closing pause
    f0_hz = np.repeat(speaker.pitch_hz * 2 ** (semitones / 12), HOP)
    pulses, opening = _glottis(f0_hz, speaker, rng)
    pole = np.clip(0.55 + how.tilt, 0.05, 0.95)
    pulses = lfilter([1 - pole], [1, -pole], pulses)
    breath = speaker.breath * 2**how.breath * opening * rng.standard_normal(len(pulses))
    source = voice * (pulses / np.std(pulses) + breath)
    hiss = noise * rng.standard_normal(len(pulses))
    speech = _filter(source, hiss, formants, tracks[5], speaker.tract)

    speech *= 10 ** (how.level / 20) / np.std(speech)
    room = lfilter([1.0], [1, -0.8], rng.standard_normal(len(speech)))
    speech += 10 ** (speaker.room_db / 20) * room / np.std(room)
    return np.clip(np.round(0.02 * speech * 32768), -32768, 32767).astype(np.int16)


def _timing(text: str, how: Prosody, rng: np.random.Generator) -> tuple[list[Sound], np.ndarray]:
    pause = SOUNDS[","]
    sounds = [s for part in [pause, *(SOUNDS[letter] for letter in text), pause] for s in part]
    seconds = np.array([s.seconds for s in sounds]) * rng.uniform(0.85, 1.2, len(sounds))
    last_vowel = max(k for k, s in enumerate(sounds) if s.voice >= 0.9)
    seconds[last_vowel] *= 1.5  # phrases end slowly
    return sounds, seconds * 1.1 / 2**how.rate


def _pitch(
    times: np.ndarray, vowels: list[float], end: float, how: Prosody, rng: np.random.Generator
) -> np.ndarray:
    """Semitones about the speaker's pitch: a falling line, accents on every other vowel, an end."""
    semitones = how.pitch - 1.5 * (times - times.mean())
    for centre in vowels[::2]:
        height = rng.uniform(1.5, 4.0) * 2**how.pitch_range
        semitones += height * np.exp(-0.5 * ((times - centre) / 0.07) ** 2)
    return semitones + how.ending * np.clip((times - end + 0.3) / 0.3, 0, 1)


def _glottis(
    f0_hz: np.ndarray, speaker: Speaker, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return derivative of the flow, which is what the lips radiate, and the opening in [0, 1]."""
    cycles = np.cumsum(f0_hz) / RATE
    factors = 1 + speaker.jitter * rng.standard_normal(int(cycles[-1]) + 2)
    cycles = np.cumsum(f0_hz * factors[cycles.astype(int)]) / RATE
    phase = cycles % 1.0 / speaker.open_quotient  # 0 to 1 while open
    rise = 0.7  # share of it in which the flow grows
    growing = 0.5 * (1 - np.cos(np.pi * phase / rise))
    falling = np.cos(0.5 * np.pi * (phase - rise) / (1 - rise))
    opening = np.select([phase < rise, phase < 1], [growing, falling], 0.0)
    return np.diff(opening, prepend=0.0), opening


def _filter(
    source: np.ndarray, hiss: np.ndarray, formants: np.ndarray, noise_hz: np.ndarray, tract: float
) -> np.ndarray:
    """Pass `source` through five formants and `hiss` through one resonance, 5 ms at a time."""
    num_hops = formants.shape[1]
    upper = np.outer([3500 * tract, 4500 * tract], np.ones(num_hops))
    cascade = _resonators(np.vstack([formants, upper]), [60, 90, 150, 250, 350])
    single = _resonators(np.minimum(noise_hz[None] * tract, 7000), [1500])
    state, noise_state = np.zeros((5, 2)), np.zeros((1, 2))
    out = np.empty_like(source)
    for k in range(num_hops):
        piece = slice(k * HOP, (k + 1) * HOP)
        voiced, state = sosfilt(cascade[k], source[piece], zi=state)
        unvoiced, noise_state = sosfilt(single[k], hiss[piece], zi=noise_state)
        out[piece] = voiced + unvoiced
    return out


def _resonators(centres_hz: np.ndarray, bandwidths_hz: list[float]) -> np.ndarray:
    """Return second-order sections of y[n] = A x[n] + B y[n-1] + C y[n-2], gain 1 at 0 Hz.

    Args:
        centres_hz: (resonators, hops).
        bandwidths_hz: of each resonator.

    Returns:
        (hops, resonators, 6) as scipy's sosfilt takes them.

    Source: Klatt 1980, equations 1 and 2.
    """
    decay = np.exp(-np.pi * np.array(bandwidths_hz) / RATE)
    b = 2 * decay * np.cos(2 * np.pi * centres_hz.T / RATE)
    c = np.broadcast_to(-(decay**2), b.shape)
    zero, one = np.zeros(b.shape), np.ones(b.shape)
    return np.stack([1 - b - c, zero, zero, one, -b, -c], axis=-1)


def make_utterance(name: str, emotion: str, sentence: int, seed: int) -> np.ndarray:
    """Return the samples of one entry of the corpus; it depends on its own keys and seed only."""
    speaker = make_speaker(name, seed)
    keys = [seed, 1, SPEAKERS.index(name), list(EMOTIONS).index(emotion), sentence]
    rng = np.random.default_rng(keys)
    how = speaker.habits.plus(speaker.styles[emotion]).plus(CHANCE.scattered(rng))
    return synthesise(speaker, how, SENTENCES[sentence], rng)


def main() -> None:
    """Write wav/*.wav and, when all are there, utterances.csv."""
    parser = argparse.ArgumentParser(description="Synthesise the mini corpus.", allow_abbrev=False)
    parser.add_argument("corpus_dir", type=Path, help="where it goes")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other speakers")
    args = parser.parse_args()
    (args.corpus_dir / "wav").mkdir(parents=True, exist_ok=True)
    rows = ["id,path,speaker,sex,emotion,text"]
    for name in SPEAKERS:
        sex = make_speaker(name, args.seed).sex
        for emotion in EMOTIONS:
            for number, text in enumerate(SENTENCES):
                utt = f"{name}-{emotion}-{number + 1}"
                samples = make_utterance(name, emotion, number, args.seed)
                wavfile.write(args.corpus_dir / "wav" / f"{utt}.wav", RATE, samples)
                rows.append(f'{utt},wav/{utt}.wav,{name},{sex},{emotion},"{text}"')
    write_text(args.corpus_dir / "utterances.csv", "\n".join(rows) + "\n")
    print(f"{len(rows) - 1} utterances of {len(SPEAKERS)} speakers in {args.corpus_dir}")


if __name__ == "__main__":
    run(main)
