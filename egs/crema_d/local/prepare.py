#!/usr/bin/env python3
"""CREMA-D: AudioWAV/1001_DFA_ANG_XX.wav is actor 1001, sentence DFA, anger, level unspecified."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from dsnet.corpus.prepare import find_audio, run_prepare
from dsnet.corpus.sound import BadAudio, read_samples
from dsnet.corpus.utterance import Utterance
from dsnet.errors import CorpusError

NAME = re.compile(
    r"(?P<actor>1\d{3})_(?P<sentence>[A-Z]{3})_(?P<emotion>ANG|DIS|FEA|HAP|NEU|SAD)"
    r"_(?P<level>XX?|LO|MD|HI)"  # one X: 1040_ITH_SAD_X, as released
)
TEXTS = {
    "DFA": "Don't forget a jacket.",
    "IEO": "It's eleven o'clock.",
    "IOM": "I'm on my way to the meeting.",
    "ITH": "I think I have a doctor's appointment.",
    "ITS": "I think I've seen this before.",
    "IWL": "I would like a new alarm clock.",
    "IWW": "I wonder what this is about.",
    "MTI": "Maybe tomorrow it will be cold.",
    "TAI": "The airplane is almost full.",
    "TIE": "That is exactly what happened.",
    "TSI": "The surface is slick.",
    "WSI": "We'll stop in a couple of minutes.",
}
VOTES = {"A": "ANG", "D": "DIS", "F": "FEA", "H": "HAP", "N": "NEU", "S": "SAD"}
ACTORS = "VideoDemographics.csv"
SUMMARY = "processedResults/summaryTable.csv"
SILENT = "1076_MTI_SAD_XX"  # the owners' README lists it as without audio
SILENCE = 1e-3  # range of the samples, full scale being 2
# actors by side in crema_d 1.0.0 of TensorFlow Datasets; the other 63 train
TFDS_VALIDATION = ("1015", "1020", "1021", "1030", "1050", "1070", "1079", "1089", "1090")
TFDS_TEST = (
    "1010", "1013", "1022", "1026", "1037", "1038", "1040", "1045", "1047", "1048",
    "1059", "1065", "1066", "1068", "1071", "1073", "1084", "1086", "1088",
)  # fmt: skip
TFDS_LEFT_OUT = {"1006_TIE_NEU_XX", "1013_WSI_DIS_XX", "1017_IWW_FEA_XX", "1040_ITH_SAD_XX"}
POINTER = b"version https://git-lfs"


def utterances(corpus_dir: Path) -> Iterator[Utterance]:
    """Yield the utterances of AudioWAV/*.wav; say which file is left out, and what is missing."""
    paths = find_wavs(corpus_dir)
    names = parse_names(paths)
    actors = read_actors(corpus_dir / ACTORS)
    votes = read_votes(corpus_dir / SUMMARY, {clip(name) for name in names.values()})
    for path, name in names.items():
        if name["actor"] not in actors:
            raise CorpusError(
                f"{corpus_dir / ACTORS}: no actor {name['actor']}, who speaks {path.name}; it has "
                f"{len(actors)} actors, the release 91. Is the copy complete?"
            )
        if path.stem == SILENT and not has_signal(path):
            print(f"1 of {len(paths)} files left out: {SILENT} has no signal, as released")
            continue
        sex, age = actors[name["actor"]]
        facts = {
            "sentence": name["sentence"],
            "level": name["level"],
            "age": age,
            "tfds_split": tfds_split(name),
        }
        yield Utterance(
            id=path.stem,
            speaker=name["actor"],
            emotion=name["emotion"],
            path=path,
            sex=sex,
            text=TEXTS[name["sentence"]],
            custom={**facts, **votes.get(clip(name), {})},
        )


def parse_names(paths: list[Path]) -> dict[Path, dict[str, str]]:
    """Return what the name of each file says; no two may be of one clip."""
    names = {path: parse_name(path) for path in paths}
    by_clip: dict[str, Path] = {}
    for path, name in names.items():
        other = by_clip.setdefault(clip(name), path)
        if other != path:
            raise CorpusError(
                f"{path}: {other.name} beside it is the same clip, as X stands for XX; the release "
                "has one file a clip: keep one of them"
            )
    return names


def parse_name(path: Path) -> dict[str, str]:
    """Return what the name of a file says: actor, sentence, emotion, level."""
    name = NAME.fullmatch(path.stem)
    if not name or name["sentence"] not in TEXTS:
        raise CorpusError(
            f"{path}: expected a name such as 1001_DFA_ANG_XX.wav: actor 1001, one of the "
            f"sentences {' '.join(TEXTS)}, one of ANG DIS FEA HAP NEU SAD, one of XX LO MD HI"
        )
    return {**name.groupdict(), "level": "XX" if name["level"] == "X" else name["level"]}


def clip(name: dict[str, str]) -> str:
    """Return how the owners' tables call the file of a name."""
    return "_".join(name.values())


def tfds_split(name: dict[str, str]) -> str:
    """Return train, validation or test as TensorFlow Datasets has it; left_out: it does not."""
    if clip(name) in TFDS_LEFT_OUT:
        return "left_out"
    if name["actor"] in TFDS_VALIDATION:
        return "validation"
    return "test" if name["actor"] in TFDS_TEST else "train"


def find_wavs(corpus_dir: Path) -> list[Path]:
    """Return the files of AudioWAV, after a look at whether they are where and what they should be.

    Raises:
        CorpusError: another level of the release, or Git LFS pointers in place of audio.
    """
    paths = find_audio(corpus_dir / "AudioWAV")
    if not paths:
        hint = f"give the folder that holds AudioWAV/*.wav and {ACTORS}"
        below = [str(p.parent) for p in sorted(corpus_dir.glob("*/AudioWAV"))]
        if corpus_dir.name == "AudioWAV":
            hint = f"this is the folder of the audio; give {corpus_dir.parent}"
        elif below:
            hint = f"did you mean {below[0]}?"
        raise CorpusError(f"{corpus_dir}: no AudioWAV/*.wav in it; {hint}")
    pointers = [path for path in paths if is_pointer(path)]
    if pointers:
        raise CorpusError(
            f"{len(pointers)} of {len(paths)} files are Git LFS pointers, not audio; first: "
            f"{pointers[0]}. Run `git lfs pull` in the clone, or fetch a whole copy with "
            "local/download.sh (README.md)"
        )
    return paths


def is_pointer(path: Path) -> bool:
    """Return whether a file only says where Git LFS keeps the real one."""
    with path.open("rb") as stream:
        return stream.read(len(POINTER)) == POINTER


def has_signal(path: Path) -> bool:
    """Return whether there is anything to hear; stage 0 itself complains of an unreadable file."""
    try:
        samples = read_samples(path)
    except BadAudio:
        return True
    return samples.size == 0 or float(samples.max() - samples.min()) >= SILENCE


def read_actors(path: Path) -> dict[str, tuple[str, int]]:
    """Return (sex, age) of every actor."""
    found = {}
    for line, row in read_table(path, "ActorID", "Age", "Sex"):
        sex, age = row["Sex"].lower(), row["Age"]
        if sex not in ("female", "male") or not age.isdecimal():
            raise CorpusError(
                f"{path}:{line}: expected sex Female or Male and an age in years; found "
                f"sex {row['Sex']!r}, age {age!r}"
            )
        found[row["ActorID"]] = sex, int(age)
    return found


def read_votes(path: Path, wanted: set[str]) -> dict[str, dict[str, str]]:
    """Return what most listeners heard in each wanted clip; nothing without the file.

    Raises:
        CorpusError: the table lacks a clip, or a vote is none.
    """
    if not path.is_file():
        print(f"note: no {path}: no voted labels, so the task 6class_voted cannot run")
        return {}
    found = {}
    for line, row in read_table(path, "FileName", "VoiceVote"):
        letters = row["VoiceVote"].split(":")
        if not set(letters) <= set(VOTES):
            raise CorpusError(
                f"{path}:{line}: expected VoiceVote as one of {' '.join(VOTES)}, or several "
                f"with ':' between them; found {row['VoiceVote']!r}"
            )
        vote = VOTES[letters[0]] if len(letters) == 1 else "tie"
        found[row["FileName"]] = {"voice_vote": vote, "voice_vote_raw": row["VoiceVote"]}
    missing = sorted(wanted - set(found))
    if missing:
        raise CorpusError(
            f"{path}: no vote for {len(missing)} of {len(wanted)} clips, first: "
            f"{', '.join(missing[:10])}. Is the table complete? Without the file, stage 0 goes on "
            "without voted labels"
        )
    return found


def read_table(path: Path, *columns: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line, row) of a CSV file that has these columns."""
    if not path.is_file():
        raise CorpusError(
            f"{path}: no such file; it says who is a woman and who a man, which the groups of "
            "actors need. It lies in the corpus's repository beside AudioWAV (README.md)"
        )
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream)
        missing = [name for name in columns if name not in (reader.fieldnames or ())]
        if missing:
            raise CorpusError(
                f"{path}: no column {missing[0]}; expected a CSV table with {', '.join(columns)}; "
                f"found {', '.join(reader.fieldnames or ()) or 'nothing'}"
            )
        for row in reader:
            if None in row.values():
                raise CorpusError(f"{path}:{reader.line_num}: fewer fields than the table's head")
            yield reader.line_num, row


if __name__ == "__main__":
    run_prepare(utterances)
