#!/usr/bin/env python3
"""Write egs/NAME, the recipe of another corpus; new_recipe.sh calls this.

The stages are those of egs/stages.sh, features and systems those of egs/conf. With --table the task
config is drafted from the labels of the table; without, it and local/prepare.py are examples to be
changed.
"""

import argparse
import os
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from dsnet.corpus.columns import parse_columns
from dsnet.corpus.draft import draft_task
from dsnet.corpus.look_alikes import look_alikes_in_words
from dsnet.corpus.table import Table, read_table
from dsnet.corpus.votes import TIE
from dsnet.errors import DsnetError
from dsnet.files import write_text

EGS = Path(__file__).resolve().parents[1] / "egs"
TASK = "emotion"

PREPARE = '''\
#!/usr/bin/env python3
"""{name}: wav/anna_happy_1.wav is speaker anna, emotion happy, take 1."""

from collections.abc import Iterator
from pathlib import Path

from dsnet.corpus.prepare import find_audio, run_prepare
from dsnet.corpus.utterance import Utterance
from dsnet.errors import CorpusError


def utterances(corpus_dir: Path) -> Iterator[Utterance]:
    """Yield the utterances of wav/*.wav."""
    for path in find_audio(corpus_dir / "wav"):
        fields = path.stem.split("_")
        if len(fields) != 3:
            raise CorpusError(f"{{path}}: expected a name such as anna_happy_1.wav")
        speaker, emotion, take = fields
        yield Utterance(
            id=path.stem, speaker=speaker, emotion=emotion, path=path, custom={{"take": take}}
        )


if __name__ == "__main__":
    run_prepare(utterances)
'''

RUN_SH = """\
#!/usr/bin/env bash
# DSNet on {name}: {counts}.
#
# Usage: bash egs/{name}/run.sh --corpus-dir FOLDER [--stage N] [--<option> <value>] ...
#
# Options of this recipe (default):
{options}
#   --task ({task})          classes, folds and references: conf/<task>.yaml

# shellcheck source=path.sh
. "$(dirname "$0")/../../path.sh"
# shellcheck source=utils/recipe.sh
. "$DSNET_ROOT/utils/recipe.sh"
# shellcheck source=egs/options.sh
. "$DSNET_ROOT/egs/options.sh"
corpus_dir=
{defaults}task={task}
parse_options "$@"
need_corpus
{after}plan "$@"

stage 0 "prepare"
once manifests --reads "$corpus_dir" {source} \\
  --writes data/manifests/{{recordings,supervisions}}.jsonl.gz \\
  -- python {program} data/manifests "${{audio_options[@]}}"

# shellcheck source=egs/stages.sh
. ../stages.sh
"""

EXAMPLE_TASK = """\
# An example: four emotions, leave one speaker out. In its place goes what {name} has; see
# egs/README.md. All keys, with what they mean, are in dsnet/task.py.
classes: [angry, happy, neutral, sad]
label_map: {{angry: angry, happy: happy, neutral: neutral, sad: sad}}
folds:
  protocol: leave_one_speaker_out
  validation: next_speaker
references: {{native_label: neutral, policy: first, count: 3, if_missing: error}}
"""

README = """\
# {name}

{counts}.

- **Licence.** To be written: who may use the corpus, and what to cite.
- **Get it.** To be written: where it is found, and which folder to give.
- **Run it.** `bash egs/{name}/run.sh --corpus-dir FOLDER`

## Protocol

`conf/emotion.yaml`. To be written: who is tested, who validates, which utterances serve as neutral
references, which sentences occur on both sides.
"""


def main() -> None:
    """Parse, check the name, write the recipe, say what comes next."""
    parser = argparse.ArgumentParser(
        prog="new_recipe.sh", description="Make the recipe of another corpus.", allow_abbrev=False
    )
    parser.add_argument("name", help="of the recipe: lower-case letters, digits and _")
    parser.add_argument("--table", type=Path, help="csv or tsv; without: local/prepare.py is yours")
    parser.add_argument(
        "--columns",
        nargs="+",
        default=[],
        help="OURS=THEIRS ...: which column of the table is path, speaker, emotion and so on, as "
        "in \"path=File 'emotion=Primary emotion'\"",
    )
    parser.add_argument(
        "--votes",
        choices=("none", "majority"),
        default="none",
        help="majority: a row of the table is what one listener said; most votes are the label",
    )
    args = parser.parse_args()
    try:
        check_name(args.name)
        if args.columns and not args.table:
            raise DsnetError("--columns says how a table calls its columns; give --table FILE, too")
        votes = args.votes == "majority"
        if votes and not args.table:
            raise DsnetError("--votes says what the rows of a table are; give --table FILE, too")
        columns = parse_columns(" ".join(args.columns))
        table = read_table(args.table, columns=columns, votes=votes) if args.table else None
        write_recipe(args.name, table, columns, args.votes)
    except DsnetError as error:
        sys.exit(f"new_recipe.sh: {error}")
    for words in notes(table) if table else ():
        print(f"note: {words}")
    print(next_steps(args.name, table))


def check_name(name: str) -> None:
    """Raise DsnetError if no recipe can be called so."""
    if not re.fullmatch("[a-z][a-z0-9_]*", name):
        better = re.sub("[^a-z0-9]+", "_", name.lower()).strip("_0123456789")
        hint = f"; '{better}' would do" if better else ""
        raise DsnetError(
            f"'{name}' is no name of a recipe; expected lower-case letters, digits and _, "
            f"such as my_corpus{hint}"
        )
    if (EGS / name).exists():
        raise DsnetError(
            f"{EGS / name} exists already; choose another name (or, if it is a recipe of yours "
            "that you do not need, remove it first)"
        )


def write_recipe(name: str, table: Table | None, columns: Mapping[str, str], votes: str) -> None:
    """Write all files of a recipe beside the others, then give the folder its name."""
    made = Path(tempfile.mkdtemp(dir=EGS, prefix=".new-"))
    try:
        (made / "conf").mkdir()
        if table:
            found = [(row.facts["speaker"], row.facts["emotion"]) for row in table.rows]
            ties = {TIE} if votes == "majority" else set()
            task = draft_task(found, name, ignored=ties)
            counts = (
                f"{len(found)} utterances of {len({speaker for speaker, _ in found})} speakers "
                f"with {len({label for _, label in found} - ties)} labels"
            )
        else:
            task = EXAMPLE_TASK.format(name=name)
            counts = "To be written: how many utterances, speakers, labels and hours; language"
            write_text(made / "local/prepare.py", PREPARE.format(name=name))
            (made / "local/prepare.py").chmod(0o755)
        write_text(made / f"conf/{TASK}.yaml", task)
        write_text(made / "README.md", README.format(name=name, counts=counts))
        write_text(made / "run.sh", run_sh(name, table, columns, votes, counts if table else ""))
        (made / "run.sh").chmod(0o755)
        made.chmod(0o755)
        made.rename(EGS / name)
    except BaseException:
        shutil.rmtree(made)
        raise


def run_sh(
    name: str, table: Table | None, columns: Mapping[str, str], votes: str, counts: str
) -> str:
    """Return a run.sh that prepares with a table or with local/prepare.py."""
    if table is None:
        return RUN_SH.format(
            name=name,
            counts="how many utterances, speakers and labels, how they are split",
            task=TASK,
            options="#   --corpus-dir              folder that README.md describes",
            defaults="",
            after="",
            source="local/prepare.py",
            program='local/prepare.py "$corpus_dir"',
        )
    pairs = shlex.join(f"{ours}={theirs}" for ours, theirs in columns.items())
    return RUN_SH.format(
        name=name,
        counts=counts,
        task=TASK,
        options="#   --corpus-dir              folder that the table's relative paths start from\n"
        f"#   --table ({table.path.name})  a row an utterance; in that folder, or its full path\n"
        f"#   --columns ({pairs})  what the table calls otherwise: OURS=THEIRS ...\n"
        f"#   --votes ({votes})  majority: a row a listener, several a clip; most votes count",
        defaults=f"table={shlex.quote(table.path.name)}\ncolumns={in_quotes(pairs)}\n"
        f"votes={votes}\n",
        after="need_table\n",
        source='"$table"',
        program='-m dsnet.bin.prepare_table --columns "$columns" --votes "$votes" \\\n'
        '  "$table" "$corpus_dir"',
    )


def in_quotes(text: str) -> str:
    """Return a text as a shell script assigns it, in double quotes where these change nothing."""
    if not text or re.search(r'["$`\\]', text):
        return shlex.quote(text) if text else ""
    return f'"{text}"'


def notes(table: Table) -> list[str]:
    """Return what a person should know about a table, in words."""
    speakers = [row.facts["speaker"] for row in table.rows]
    return table.notes + look_alikes_in_words(speakers, [r.facts["emotion"] for r in table.rows])


def next_steps(name: str, table: Table | None) -> str:
    """Return what to do with a new recipe."""
    recipe = os.path.relpath(EGS / name)
    folder = shlex.quote(str(table.path.parent)) if table else "FOLDER"
    task = f"{recipe}/conf/{TASK}.yaml"
    if not table:
        first = f"write {recipe}/local/prepare.py, and the labels into {task}"
    elif "native_label:\n" in (EGS / name / "conf" / f"{TASK}.yaml").read_text(encoding="utf-8"):
        first = f"say in {task} which label is neutral speech, and change what else is not right"
    else:
        first = f"read {task}, which was drafted from the table, and change what is not right"
    return (
        f"{recipe} is there. Next:\n"
        f"  {first}\n"
        f"  bash {shlex.quote(f'{recipe}/run.sh')} --corpus-dir {folder} --stop-stage 2"
    )


if __name__ == "__main__":
    main()
