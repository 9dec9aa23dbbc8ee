"""Stage 0: from the utterances that a recipe finds to checked manifests."""

import argparse
import dataclasses
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any

from lhotse import RecordingSet, SupervisionSet
from tabulate import tabulate
from tqdm import tqdm

from dsnet.corpus.audio import AudioFacts, inspect_all
from dsnet.corpus.levels import EmptyChannel
from dsnet.corpus.look_alikes import look_alikes_in_words
from dsnet.corpus.manifests import make_manifests, write_manifests
from dsnet.corpus.problems import Problems
from dsnet.corpus.same_audio import in_words, same_audio, shared_by_speakers
from dsnet.corpus.sound import OVERHANG_SECONDS, BadAudio
from dsnet.corpus.utterance import MEAN, Utterance
from dsnet.errors import CorpusError, DsnetError
from dsnet.files import write_text
from dsnet.shown import show_paths, shown

UNKNOWN = "(unknown)"  # speakers, in tables
MOST_ROWS = 100  # speakers of a table; of more it has the largest


def run_prepare(utterances: Callable[[Path], Iterable[Utterance]]) -> None:
    """Be a recipe's `local/prepare.py CORPUS_DIR MANIFEST_DIR [--<option> VALUE] ...`.

    Args:
        utterances: finds the utterances below a corpus folder; raises CorpusError, saying what it
            expected, where the folder is laid out in another way.
    """
    parser = argparse.ArgumentParser(
        description="Write Lhotse manifests of a corpus.", allow_abbrev=False
    )
    parser.add_argument("corpus_dir", type=Path, help="the corpus as its owners distribute it")
    add_arguments(parser)
    args = parser.parse_args()
    show_paths()
    try:
        found = _found(utterances, args.corpus_dir)
        prepare(found, args.manifest_dir, **options(args))
    except DsnetError as error:
        sys.exit(f"{Path(sys.argv[0]).stem}: {shown(str(error))}")


def _found(utterances: Callable[[Path], Iterable[Utterance]], corpus_dir: Path) -> list[Utterance]:
    """Return the utterances; what is wrong with the folder as such is told by its option."""
    if not corpus_dir.is_dir():
        raise CorpusError(f"--corpus-dir: {corpus_dir}: no such folder")
    try:
        found = list(utterances(corpus_dir))
    except CorpusError as error:
        if str(error).startswith(f"{corpus_dir}: "):
            raise CorpusError(f"--corpus-dir: {error}") from error
        raise
    if not found:
        raise CorpusError(
            f"--corpus-dir: {corpus_dir}: no utterance found; is this the folder that the recipe's "
            "README.md describes?"
        )
    return found


def find_audio(folder: Path, depth: int = 1, suffixes: Collection[str] = (".wav",)) -> list[Path]:
    """Return the audio files at one depth below a folder, sorted, without hidden ones.

    Args:
        folder: of a corpus.
        depth: 1: in the folder itself.
        suffixes: in lower case; .WAV is .wav too.

    Raises:
        CorpusError: two files that differ in the case of their suffix only.
    """
    # [!.]: a Mac leaves ._anna_happy_1.wav
    found = sorted(folder.glob("/".join(["[!.]*"] * depth)))
    found = [path for path in found if path.suffix.lower() in suffixes]
    by_name: dict[Path, Path] = {}
    for path in found:
        other = by_name.setdefault(path.with_suffix(path.suffix.lower()), path)
        if other != path:
            raise CorpusError(f"{path}: beside it lies {other.name}; which is the utterance?")
    return found


def check_pairs(corpus_dir: Path, labels: Iterable[str], audio: Iterable[str]) -> None:
    """Make sure that every label has its audio file and every audio file its label.

    Args:
        corpus_dir: for the message.
        labels: ids of the utterances that have a label.
        audio: ids of those that have a file.

    Raises:
        CorpusError: counts what lacks the other half and names the first ten.
    """
    labels, audio = set(labels), set(audio)
    found = [
        f"{len(ids)} {what}: {', '.join(sorted(ids)[:10])}{', ...' if len(ids) > 10 else ''}"
        for what, ids in (
            ("label lines without a wav file", labels - audio),
            ("wav files without a label line", audio - labels),
        )
        if ids
    ]
    if found:
        raise CorpusError(
            f"{corpus_dir}: {'; '.join(found)}. In the release every utterance has both; is the "
            "copy complete?"
        )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what every program has that writes manifests."""
    parser.add_argument("manifest_dir", type=Path, help="where the manifests go")
    parser.add_argument("--nj", type=int, default=2, help="threads that decode audio")
    parser.add_argument(
        "--drop-bad-audio",
        choices=("true", "false"),
        default="false",
        help="leave out, counted, what cannot be used; false: stop and name it",
    )
    parser.add_argument(
        "--channel",
        type=_channel,
        help=f"of files with several: 0, 1, ... or {MEAN}, where the corpus does not say which; "
        "without: 0, and the report says where that is a choice",
    )
    parser.add_argument(
        "--overhang",
        type=_seconds,
        default=OVERHANG_SECONDS,
        help="seconds that an utterance may end behind its file, where it is cut",
    )


def options(args: argparse.Namespace) -> dict[str, Any]:
    """Return what `add_arguments` added, as arguments of `prepare`."""
    return {
        "nj": args.nj,
        "drop_bad_audio": args.drop_bad_audio == "true",
        "channel": args.channel,
        "overhang": args.overhang,
    }


def _channel(value: str) -> int | str | None:
    """Parse a value of --channel; recipes give an empty one where the user gave none."""
    if value in ("", MEAN):
        return value or None
    if not value.isdecimal():
        raise argparse.ArgumentTypeError(f"'{value}'; expected 0 for the first, 1, ... or {MEAN}")
    return int(value)


def _seconds(value: str) -> float:
    """Parse a value of --overhang."""
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 1:
        raise argparse.ArgumentTypeError(f"'{value}'; expected seconds from 0 to 1")
    return seconds


def prepare(
    utterances: list[Utterance],
    manifest_dir: Path,
    nj: int = 2,
    drop_bad_audio: bool = False,
    channel: int | str | None = None,
    overhang: float = OVERHANG_SECONDS,
) -> None:
    """Check the audio of all utterances, write manifests and print what they hold.

    Args:
        utterances: in any order.
        manifest_dir: recordings.jsonl.gz, supervisions.jsonl.gz and, where something was left
            out, dropped.txt go here.
        nj: threads that decode audio.
        drop_bad_audio: leave bad audio out instead of stopping.
        channel: of the utterances that do not say which.
        overhang: seconds that an utterance may end behind its file, where it is cut, and counted.

    Raises:
        CorpusError: two utterances with one id, a speaker of two sexes, bad audio, or a segment
            beyond its file.
    """
    _check_ids(utterances)
    good: list[tuple[Utterance, AudioFacts]] = []
    bad: list[tuple[Utterance, BadAudio]] = []
    ordered = sorted(
        (dataclasses.replace(u, channel=channel) if u.channel is None else u for u in utterances),
        key=lambda utterance: utterance.id,
    )
    outcomes = inspect_all(ordered, max(nj, 1), overhang)
    for utterance, outcome in tqdm(
        outcomes, "decode", len(ordered), unit=" utterances", disable=None
    ):
        (bad if isinstance(outcome, BadAudio) else good).append((utterance, outcome))
    if bad and not drop_bad_audio:
        raise CorpusError(
            f"{len(bad)} of {len(ordered)} utterances have audio that cannot be used; first ten:\n"
            + "".join(f"  {utterance.id}: {why}\n" for utterance, why in bad[:10])
            + "Is the copy of the corpus complete? --drop-bad-audio true leaves them out."
        )
    if not good:
        raise CorpusError(f"none of the {len(bad)} utterances has audio that can be used")
    recordings, supervisions = make_manifests(good)
    dropped = Path(manifest_dir) / "dropped.txt"
    dropped.unlink(missing_ok=True)
    if bad:
        write_text(dropped, "".join(f"{utterance.id}\t{why}\n" for utterance, why in bad))
    write_manifests(manifest_dir, recordings, supervisions)
    _report(good, recordings, supervisions, overhang)
    if bad:
        print(f"{len(bad)} of {len(ordered)} utterances dropped: bad audio ({dropped})")
        _note(
            "are dropped that are empty on the channel taken, and not on another",
            [utterance.id for utterance, why in bad if isinstance(why, EmptyChannel)],
        )


def _check_ids(utterances: list[Utterance]) -> None:
    """Find ids of several utterances, and speakers of two sexes."""
    problems = Problems("the corpus")
    by_id: dict[str, Utterance] = {}
    by_speaker: dict[str, Utterance] = {}
    two_sexes = set()
    for utterance in utterances:
        other = by_id.setdefault(utterance.id, utterance)
        if other is not utterance:
            problems.add(
                "ids of two utterances",
                f"two utterances with the id '{utterance.id}': {other.path} and {utterance.path}; "
                "is there a second copy of a file in the corpus folder?",
            )
        if utterance.sex is None or utterance.speaker in two_sexes:
            continue
        other = by_speaker.setdefault(utterance.speaker, utterance)
        if other.sex != utterance.sex:
            two_sexes.add(utterance.speaker)
            problems.add(
                "speakers of two sexes",
                f"speaker '{utterance.speaker}' is {other.sex} in '{other.id}' and {utterance.sex} "
                f"in '{utterance.id}'; correct one, or give two speakers two names",
            )
    problems.check()


def _report(
    good: list[tuple[Utterance, AudioFacts]],
    recordings: RecordingSet,
    supervisions: SupervisionSet,
    overhang: float,
) -> None:
    hours = sum(segment.duration for segment in supervisions) / 3600
    print(count_table((u.speaker if u.speaker_is_known else UNKNOWN, u.emotion) for u, _ in good))
    known = {u.speaker for u, _ in good if u.speaker_is_known}
    of_unknown = sum(not u.speaker_is_known for u, _ in good)
    rates = sorted({recording.sampling_rate for recording in recordings})
    print(
        f"{len(good)} utterances of {len(known)} speakers, {hours:.2f} h, "
        f"{' and '.join(map(str, rates))} Hz"
    )
    if of_unknown:
        print(f"note: {of_unknown} of them of unknown speakers (unknown_speakers of a task)")
    _note_channels([u.recording_id for u, f in good if u.channel is None and f.channels_differ])
    for words in sorted({words for _, facts in good for words in facts.remarks}):
        _note(f"are {words}", [u.id for u, facts in good if words in facts.remarks])
    _note("have samples of 8 bits or fewer", [u.id for u, facts in good if facts.coarse])
    _note(
        f"end up to {overhang:g} s behind their file, and are cut there",
        [u.id for u, facts in good if facts.overhangs],
    )
    for words in look_alikes_in_words(known, {u.emotion for u, _ in good}):
        print(f"note: {words}")
    groups = same_audio({u.id: facts.audio_hash for u, facts in good})
    _note("have the same audio as another", sorted(utt for utts in groups for utt in utts))
    utt2emo = {u.id: u.emotion for u, _ in good}
    _note(
        "have the same audio as another and another label",
        [
            f"{u} {utt2emo[u]}"
            for utts in groups
            if len({*map(utt2emo.get, utts)}) > 1
            for u in utts
        ],
    )
    shared = shared_by_speakers(groups, {u.id: u.speaker for u, _ in good})
    for words in in_words(shared)[:10]:
        print(f"note: {words}")


def _note_channels(of_utterances: list[str]) -> None:
    recordings = list(dict.fromkeys(of_utterances))
    if recordings:
        print(
            f"note: {len(recordings)} recordings have several channels that differ: channel 0 is "
            f"taken; channel: {MEAN} averages them (egs/README.md, Channels): {_first(recordings)}"
        )


def _note(what: str, ids: list[str]) -> None:
    if ids:
        print(f"note: {len(ids)} utterances {what}: {_first(ids)}")


def _first(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def count_table(pairs: Iterable[tuple[str, str]]) -> str:
    """Return a text table of counts, one row a speaker, one column a label, with totals.

    Of more than MOST_ROWS speakers it has those with the most utterances, and says so.
    """
    counts = Counter(pairs)
    by_speaker: Counter[str] = Counter()
    for (speaker, _), number in counts.items():
        by_speaker[speaker] += number
    labels = sorted({label for _, label in counts})
    speakers = sorted(by_speaker)
    if len(speakers) > MOST_ROWS:
        speakers = sorted(sorted(speakers, key=lambda s: -by_speaker[s])[:MOST_ROWS])
    rows = [[speaker, *(counts[speaker, label] for label in labels)] for speaker in speakers]
    rows.append(["total", *(sum(counts[s, label] for s in by_speaker) for label in labels)])
    rows = [[*row, sum(row[1:])] for row in rows]
    header = ["speaker", *labels, "total"]
    table = tabulate(
        rows, header, tablefmt="plain", colalign=["left"] + ["right"] * (len(labels) + 1)
    )
    others = [number for speaker, number in by_speaker.items() if speaker not in speakers]
    if others:
        table += (
            f"\n(the {MOST_ROWS} speakers with the most; {len(others)} others have {sum(others)} "
            f"together, {min(others)} to {max(others)} each)"
        )
    return table
