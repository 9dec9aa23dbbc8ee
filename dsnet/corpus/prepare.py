"""Stage 0: from the utterances that a recipe finds to checked manifests."""

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from lhotse import RecordingSet, SupervisionSet
from tqdm import tqdm

from dsnet.corpus.audio import MAX_CLIPPED, AudioFacts, BadAudio, inspect_all
from dsnet.corpus.manifests import make_manifests, write_manifests
from dsnet.corpus.utterance import Utterance
from dsnet.errors import CorpusError, DsnetError
from dsnet.files import write_text


def run_prepare(utterances: Callable[[Path], Iterable[Utterance]]) -> None:
    """Be a recipe's `local/prepare.py CORPUS_DIR MANIFEST_DIR [--nj N] [--drop-bad-audio BOOL]`.

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
    try:
        if not args.corpus_dir.is_dir():
            raise CorpusError(f"{args.corpus_dir}: no such corpus folder; see --corpus-dir")
        found = list(utterances(args.corpus_dir))
        if not found:
            raise CorpusError(
                f"{args.corpus_dir}: no utterance found; is this the folder that the recipe's "
                "README.md describes?"
            )
        prepare(found, args.manifest_dir, args.nj, args.drop_bad_audio == "true")
    except DsnetError as error:
        sys.exit(f"{Path(sys.argv[0]).stem}: {error}")


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


def prepare(
    utterances: list[Utterance], manifest_dir: Path, nj: int = 2, drop_bad_audio: bool = False
) -> None:
    """Check the audio of all utterances, write manifests and print what they hold.

    Args:
        utterances: in any order.
        manifest_dir: recordings.jsonl.gz, supervisions.jsonl.gz and, where something was left
            out, dropped.txt go here.
        nj: threads that decode audio.
        drop_bad_audio: leave bad audio out instead of stopping.

    Raises:
        CorpusError: two utterances with one id, bad audio, or a segment beyond its file.
    """
    _check_ids(utterances)
    good: list[tuple[Utterance, AudioFacts]] = []
    bad: list[tuple[Utterance, BadAudio]] = []
    ordered = sorted(utterances, key=lambda utterance: utterance.id)
    outcomes = inspect_all(ordered, max(nj, 1))
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
    _report(good, recordings, supervisions)
    if bad:
        print(f"{len(bad)} of {len(ordered)} utterances dropped: bad audio ({dropped})")


def _check_ids(utterances: list[Utterance]) -> None:
    seen: dict[str, Utterance] = {}
    for utterance in utterances:
        other = seen.setdefault(utterance.id, utterance)
        if other is not utterance:
            raise CorpusError(
                f"two utterances with the id '{utterance.id}': {other.path} and {utterance.path}; "
                "is there a second copy of a file in the corpus folder?"
            )


def _report(
    good: list[tuple[Utterance, AudioFacts]],
    recordings: RecordingSet,
    supervisions: SupervisionSet,
) -> None:
    hours = sum(segment.duration for segment in supervisions) / 3600
    print(count_table((u.speaker, u.emotion) for u, _ in good))
    rates = sorted({recording.sampling_rate for recording in recordings})
    print(
        f"{len(good)} utterances of {len({u.speaker for u, _ in good})} speakers, {hours:.2f} h, "
        f"{' and '.join(map(str, rates))} Hz"
    )
    _note(
        "are of files with several channels; the manifest says which is used",
        [u.id for u, facts in good if facts.num_channels > 1],
    )
    _note(
        f"are clipped: over {MAX_CLIPPED:.0%} of the samples at full scale",
        [u.id for u, facts in good if facts.clipped],
    )
    _note("have samples of 8 bits or fewer", [u.id for u, facts in good if facts.coarse])
    copies = Counter(facts.audio_hash for _, facts in good)
    _note("have the same audio as another", [u.id for u, f in good if copies[f.audio_hash] > 1])


def _note(what: str, ids: list[str]) -> None:
    if ids:
        more = ", ..." if len(ids) > 3 else ""
        print(f"note: {len(ids)} utterances {what}: {', '.join(ids[:3])}{more}")


def count_table(pairs: Iterable[tuple[str, str]]) -> str:
    """Return a text table of counts, one row a speaker, one column a label, with totals."""
    counts = Counter(pairs)
    speakers = sorted({speaker for speaker, _ in counts})
    labels = sorted({label for _, label in counts})
    rows = [["speaker", *labels, "total"]]
    for speaker in speakers:
        of_speaker = [counts[speaker, label] for label in labels]
        rows.append([speaker, *map(str, of_speaker), str(sum(of_speaker))])
    totals = [sum(counts[speaker, label] for speaker in speakers) for label in labels]
    rows.append(["total", *map(str, totals), str(sum(totals))])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        row[0].ljust(widths[0])
        + "".join(f"  {cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True))
        for row in rows
    )
