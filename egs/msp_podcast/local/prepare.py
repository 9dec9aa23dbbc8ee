#!/usr/bin/env python3
"""MSP-Podcast: Audios/MSP-PODCAST_0001_0008.wav, labels and sides in Labels/labels_consensus.csv.

MSP-PODCAST_0001   podcast; what follows is the turn. MSP-PODCAST_test3 is none: the hidden Test3
EmoClass           A H S N F D U C, O other, X no agreement: the label of most listeners
SpkrID             speaker; Unknown or nothing where nobody knows
Split_Set          Train, Development, Test1, Test2; audio without a row is the hidden Test3

Releases differ: to 1.9 the table is labels_concensus.csv and has Validation for Development; some
have label, labels and Audio for the folders; an archive unpacked in its own folder repeats it.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from dsnet.corpus.gate import first_ten
from dsnet.corpus.prepare import find_audio, run_prepare
from dsnet.corpus.utterance import Utterance
from dsnet.errors import CorpusError

TABLE = "Labels/labels_consensus.csv"
LABELS = "[Ll]abel*"  # Labels, labels, label
AUDIO_FOLDERS = ("Audios", "Audio")
COLUMNS = (
    "FileName", "EmoClass", "EmoAct", "EmoVal", "EmoDom", "SpkrID", "Gender", "Split_Set",
)  # fmt: skip
NAME = re.compile(r"(MSP-PODCAST_\d+|MSP-PODCAST_test3)(_\d+)+\.wav")
HIDDEN_NAME = "MSP-PODCAST_test3"  # no podcast: nobody is to know which
NOT_RELEASED = {"MSP-PODCAST_1909_1017.wav"}  # release 2.0 has its row, but no file
EMOTIONS = "AHSNFDUCOX"
RATINGS = {"EmoAct": "activation", "EmoVal": "valence", "EmoDom": "dominance"}  # 1 to 7
SEXES = {"female": "female", "male": "male", "unknown": None, "": None}
OLD_NAMES = {"Validation": "Development"}  # of sides
NEAR_TEST = ("Train", "Development", "Test1", "Test2", "Test3")
HIDDEN = {"EmoClass": "hidden", "Split_Set": "Test3"}  # of audio without a row


def utterances(corpus_dir: Path) -> Iterator[Utterance]:
    """Yield every utterance of Audios/, whatever its label, but those of `on_two_sides`."""
    table = find_table(corpus_dir)
    rows = read_labels(table)
    wavs = find_wavs(corpus_dir)
    missing = sorted(set(rows) - set(wavs))
    lost = [name for name in missing if name not in NOT_RELEASED]
    if lost:
        raise CorpusError(
            f"{corpus_dir}: {len(lost)} of {len(rows)} rows of {table.name} without an audio file: "
            f"{first_ten(lost)}. Is the copy complete? If the owners' release lacks them, add them "
            "to NOT_RELEASED of local/prepare.py"
        )
    if missing:
        print(f"{table.name}: no file of {', '.join(missing)}, as released")
    rows = {name: row for name, row in rows.items() if name in wavs}
    hidden = len(wavs) - len(rows)
    if hidden:
        print(f"{hidden} files without a row in {table.name}: partition Test3, label hidden")
    left_out = on_two_sides(rows)
    for name, path in sorted(wavs.items()):
        if name not in left_out:
            yield utterance(name, rows.get(name, {}), path)


def utterance(name: str, row: dict[str, str], path: Path) -> Utterance:
    """Return what a row says of an utterance; nothing of one whose labels are hidden."""
    row = {column: "" for column in COLUMNS} | (row or HIDDEN)
    podcast = NAME.fullmatch(name)[1]
    ratings = {ours: float(row[theirs]) for theirs, ours in RATINGS.items() if row[theirs]}
    return Utterance(
        id=Path(name).stem,
        speaker=speaker_of(row),
        emotion=row["EmoClass"],
        path=path,
        sex=SEXES[row["Gender"].lower()],
        dialogue=podcast if podcast != HIDDEN_NAME else None,
        custom={"partition": row["Split_Set"], **ratings},
    )


def speaker_of(row: dict[str, str]) -> str | None:
    """Return who speaks; None: nobody knows."""
    return row["SpkrID"] if row["SpkrID"].lower() not in ("", "unknown") else None


def on_two_sides(rows: dict[str, dict[str, str]]) -> set[str]:
    """Return the files of speakers who are on a side nearer to the test, too; say how many.

    Release 2.0 tests some speakers of Train and Development, which no split by speaker may. Turns
    without agreement (X), which no task can use, bind nobody to a side.
    """
    nearest: dict[str, int] = {}
    side = {name: NEAR_TEST.index(row["Split_Set"]) for name, row in rows.items()}
    known = {name: speaker_of(row) for name, row in rows.items() if speaker_of(row)}
    for name, speaker in known.items():
        if rows[name]["EmoClass"] != "X":
            nearest[speaker] = max(nearest.get(speaker, 0), side[name])
    found = {name for name, speaker in known.items() if side[name] < nearest.get(speaker, 0)}
    if found:
        counts = sorted(Counter(rows[name]["Split_Set"] for name in found).items())
        speakers = sorted({known[name] for name in found})
        print(
            f"{len(found)} turns left out ({', '.join(f'{s} {n}' for s, n in counts)}): "
            f"their speakers are on a side nearer to the test, too: {first_ten(speakers)}"
        )
    return found


def find_table(corpus_dir: Path) -> Path:
    """Return the table under whichever of its names.

    Raises:
        CorpusError: none, or several.
    """
    file_name = "labels_con[cs]ensus.csv"
    found = [*corpus_dir.glob(f"{LABELS}/{file_name}")]
    found = found or [*corpus_dir.glob(f"{LABELS}/*/{file_name}")]
    if len(found) > 1:
        raise CorpusError(
            f"{corpus_dir}: two tables, {found[0]} and {found[1]}; keep the release's own"
        )
    if found:
        return found[0]
    if any(corpus_dir.glob(f"{LABELS}/labels.txt")):
        raise CorpusError(
            f"{corpus_dir}: labels.txt and no {Path(TABLE).name}; releases before 1.6 have no such "
            "table and are not read: request a later one"
        )
    inside = corpus_dir.name in AUDIO_FOLDERS or corpus_dir.match(LABELS)
    near = [
        *([corpus_dir.absolute().parent] if inside else []),
        *sorted(p.parent for name in AUDIO_FOLDERS for p in corpus_dir.glob(f"*/{name}")),
    ]
    hint = f"did you mean {near[0]}?" if near else "give the folder that holds Audios and Labels"
    raise CorpusError(f"{corpus_dir}: no {TABLE} in it; {hint}")


def read_labels(path: Path) -> dict[str, dict[str, str]]:
    """Return the row of each file, by column.

    Raises:
        CorpusError: columns missing, or a row that does not fit, with its line.
    """
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
            row["Split_Set"] = OLD_NAMES.get(row["Split_Set"], row["Split_Set"])
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
    if row["Split_Set"] not in (*NEAR_TEST, *OLD_NAMES):
        return f"Split_Set: expected one of {' '.join((*NEAR_TEST, *OLD_NAMES))}"
    strange = [column for column in RATINGS if not re.fullmatch(r"(\d+(\.\d*)?)?", row[column])]
    return f"{strange[0]}: expected a number or nothing" if strange else ""


def find_wavs(corpus_dir: Path) -> dict[str, Path]:
    """Return the audio files by name; they lie in the folder or one folder below.

    Raises:
        CorpusError: no folder of audio, two of them, files of other names, or two of one name.
    """
    folders = [corpus_dir / name for name in AUDIO_FOLDERS if (corpus_dir / name).is_dir()]
    if not folders:
        raise CorpusError(
            f"{corpus_dir}: no folder Audios in it; unpack the owners' archive of audio there"
        )
    if len(folders) > 1:
        raise CorpusError(f"{corpus_dir}: both Audios and Audio are in it; keep the release's")
    paths = [*find_audio(folders[0]), *find_audio(folders[0], depth=2)]
    wavs = {f"{path.stem}.wav": path for path in paths}
    strange = sorted(name for name in wavs if not NAME.fullmatch(name))
    if strange:
        raise CorpusError(
            f"{folders[0]}: {len(strange)} files with other names than MSP-PODCAST_0001_0008.wav: "
            f"{first_ten(strange)}; remove them"
        )
    twice = sorted(str(path) for path in paths if wavs[f"{path.stem}.wav"] != path)
    if twice:
        raise CorpusError(
            f"{folders[0]}: {len(twice)} files have another of their name in another folder: "
            f"{first_ten(twice)}; keep one of each"
        )
    return wavs


if __name__ == "__main__":
    run_prepare(utterances)
