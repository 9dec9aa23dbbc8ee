#!/usr/bin/env python3
"""MSP-Podcast: Audios/MSP-PODCAST_0001_0008.wav, labels and sides in Labels/labels_consensus.csv.

MSP-PODCAST_0001   podcast; what follows is the turn. MSP-PODCAST_test3 is none: the hidden Test3
EmoClass           A H S N F D U C, O other, X no agreement: the label of most listeners
SpkrID             speaker; Unknown or nothing where nobody knows
Split_Set          Train, Development, Test1, Test2; audio without a row is the hidden Test3
"""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from dsnet.corpus.gate import first_ten
from dsnet.corpus.prepare import find_audio, run_prepare
from dsnet.corpus.utterance import Utterance
from dsnet.errors import CorpusError

TABLE = Path("Labels", "labels_consensus.csv")
COLUMNS = (
    "FileName", "EmoClass", "EmoAct", "EmoVal", "EmoDom", "SpkrID", "Gender", "Split_Set",
)  # fmt: skip
NAME = re.compile(r"(MSP-PODCAST_\d+|MSP-PODCAST_test3)(_\d+)+\.wav")
HIDDEN_NAME = "MSP-PODCAST_test3"  # no podcast: nobody is to know which
EMOTIONS = "AHSNFDUCOX"
RATINGS = {"EmoAct": "activation", "EmoVal": "valence", "EmoDom": "dominance"}  # 1 to 7
SEXES = {"female": "female", "male": "male", "unknown": None, "": None}
HIDDEN = {"EmoClass": "hidden", "Split_Set": "Test3"}  # of audio without a row


def utterances(corpus_dir: Path) -> Iterator[Utterance]:
    """Yield every utterance of Audios/, whatever its label."""
    rows = read_labels(corpus_dir / TABLE)
    wavs = find_wavs(corpus_dir / "Audios")
    missing = sorted(set(rows) - set(wavs))
    if missing:
        raise CorpusError(
            f"{corpus_dir}: {len(missing)} of {len(rows)} rows of {TABLE} without a file in "
            f"Audios: {first_ten(missing)}. Is the copy complete?"
        )
    hidden = len(wavs) - len(rows)
    if hidden:
        print(f"{hidden} files without a row in {TABLE}: partition Test3, label hidden")
    for name, path in sorted(wavs.items()):
        yield utterance(name, rows.get(name, {}), path)


def utterance(name: str, row: dict[str, str], path: Path) -> Utterance:
    """Return what a row says of an utterance; nothing of one whose labels are hidden."""
    row = {column: "" for column in COLUMNS} | (row or HIDDEN)
    podcast = NAME.fullmatch(name)[1]
    ratings = {ours: float(row[theirs]) for theirs, ours in RATINGS.items() if row[theirs]}
    return Utterance(
        id=Path(name).stem,
        speaker=row["SpkrID"] if row["SpkrID"].lower() not in ("", "unknown") else None,
        emotion=row["EmoClass"],
        path=path,
        sex=SEXES[row["Gender"].lower()],
        dialogue=podcast if podcast != HIDDEN_NAME else None,
        custom={"partition": row["Split_Set"], **ratings},
    )


def read_labels(path: Path) -> dict[str, dict[str, str]]:
    """Return the row of each file, by column.

    Raises:
        CorpusError: no such table, columns missing, or a row that does not fit, with its line.
    """
    if not path.is_file():
        raise CorpusError(
            f"{path.parents[1]}: no {TABLE} in it; give the folder that holds Audios and Labels"
        )
    rows: dict[str, dict[str, str]] = {}
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream, restval="")
        lacking = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
        if lacking:
            there = ", ".join(reader.fieldnames or ["nothing"])
            raise CorpusError(f"{path}: no column {', '.join(lacking)}; found {there}")
        for found in reader:
            row = {column: found[column].strip() for column in COLUMNS}
            wrong = _wrong(row)
            if wrong:
                raise CorpusError(f"{path}:{reader.line_num}: {wrong}; found {row}")
            if row["FileName"] in rows:
                raise CorpusError(
                    f"{path}:{reader.line_num}: a second row of {row['FileName']}; keep the "
                    "owners' file"
                )
            rows[row["FileName"]] = row
    return rows


def _wrong(row: dict[str, str]) -> str:
    """Say what a row would have to be like; empty: it is right."""
    if not NAME.fullmatch(row["FileName"]):
        return "FileName: expected a name such as MSP-PODCAST_0001_0008.wav"
    if len(row["EmoClass"]) != 1 or row["EmoClass"] not in EMOTIONS:
        return f"EmoClass: expected one of {' '.join(EMOTIONS)}"
    if row["Gender"].lower() not in SEXES:
        return "Gender: expected Female, Male or Unknown"
    if not row["Split_Set"]:
        return "Split_Set: expected a name such as Train"
    strange = [column for column in RATINGS if not re.fullmatch(r"(\d+(\.\d*)?)?", row[column])]
    return f"{strange[0]}: expected a number or nothing" if strange else ""


def find_wavs(folder: Path) -> dict[str, Path]:
    """Return the audio files by name."""
    if not folder.is_dir():
        raise CorpusError(
            f"{folder.parent}: no folder Audios in it; unpack the owners' archive of audio there"
        )
    wavs = {f"{path.stem}.wav": path for path in find_audio(folder)}
    strange = sorted(name for name in wavs if not NAME.fullmatch(name))
    if strange:
        raise CorpusError(
            f"{folder}: {len(strange)} files with other names than MSP-PODCAST_0001_0008.wav: "
            f"{first_ten(strange)}; remove them"
        )
    return wavs


if __name__ == "__main__":
    run_prepare(utterances)
