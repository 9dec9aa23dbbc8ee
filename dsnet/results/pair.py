"""May the models of one recipe be tested on another's utterances?"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dsnet.config import nearest
from dsnet.corpus.manifests import read_manifests
from dsnet.corpus.near_copies import near_copies
from dsnet.errors import ConfigError, FoldError
from dsnet.features.feats import FeatsInfo, require_alike
from dsnet.files import read_json
from dsnet.folds.task_data import TaskData
from dsnet.recipe import Recipe
from dsnet.results.classes import SharedClasses
from dsnet.systems import code_digest
from dsnet.systems.catalog import SystemSpec


@dataclass(frozen=True)
class Side:
    """A recipe and the task of it that takes part."""

    recipe: Recipe
    task: str

    def command(self, *options: str) -> str:
        """Return the command line that runs the recipe."""
        return shlex.join(["bash", f"{self.recipe.folder}/run.sh", "--task", self.task, *options])

    def require(self, paths: Sequence[Path], command: str) -> None:
        """Make sure that files of the recipe are there.

        Raises:
            ConfigError: some are not; says what to run.
        """
        missing = [path for path in paths if not path.is_file()]
        if missing:
            raise ConfigError(
                f"{missing[0]} is missing ({len(missing)} of {len(paths)} files that are needed "
                f"from egs/{self.recipe.name}). Run first, with its --corpus-dir if it takes one:\n"
                f"  {command}"
            )


def find_side(option: str, folder: str, shared: SharedClasses) -> Side:
    """Return the recipe that an option names, ../emodb as seen from this one.

    Raises:
        ConfigError: empty, no recipe beside this one, or one that the shared classes do not name.
    """
    path = Path(folder)
    if not folder or path.parent != Path("..") or not (path / "run.sh").is_file():
        found = f"found '{folder}'" if folder else "none was given"
        raise ConfigError(
            f"{option}: expected a recipe of this project, such as egs/emodb, typed from where you "
            f"stand; {found}"
        )
    return Side(Recipe(path), shared.of(path.name).task)


def check_ready(
    train: Side, test: Side, specs: Sequence[SystemSpec], seeds: Sequence[str], folds: Sequence[str]
) -> None:
    """Make sure that stages 1 to 3 of the one, and 1 and 2 of the other recipe have ended.

    Args:
        train: whose models are tested.
        test: whose utterances they are tested on.
        specs: systems, without ensembles.
        seeds: of the models.
        folds: of the training recipe; empty: all.

    Raises:
        ConfigError: they have not, or with another config or code; says what to run.
    """
    if train.recipe == test.recipe:
        raise ConfigError(
            f"--train and --test are both egs/{train.recipe.name}; a recipe on itself is its own "
            "stage 4, which the page takes from there"
        )
    systems = " ".join(spec.name for spec in specs)
    features = list(dict.fromkeys(spec.config.features for spec in specs if spec.config))
    for side in (train, test):
        recipe = side.recipe
        wanted = [recipe.features(name) / "feats.json" for name in features]
        wanted.append(recipe.task(side.task) / "task.json")
        side.require(wanted, side.command("--systems", systems, "--stop-stage", "2"))
    options = ["--systems", systems, "--seeds", " ".join(seeds), "--stop-stage", "3"]
    options += ["--folds", " ".join(folds)] if folds else []
    there = TaskData.load(train.recipe.task(train.task)).fold_names
    for name in folds:
        if name not in there:
            raise ConfigError(f"--folds: no fold '{name}' of {train.task}; {nearest(name, there)}")
    folds = folds or there
    models = [
        train.recipe.run(train.task, spec.name, int(seed), fold) / name
        for spec in specs
        for seed in seeds
        for fold in folds
        for name in ("model.pt", "train.json")
    ]
    train.require(models, train.command(*options))
    for spec in specs:
        for seed in seeds:
            for fold in folds:
                path = train.recipe.run(train.task, spec.name, int(seed), fold) / "train.json"
                remedy = f"run first:\n  {train.command(*options)}"
                then = read_json(path, ConfigError, remedy, ("digests",))["digests"]
                if (then["config"], then["code"]) != (spec.digest, code_digest(spec.config.kind)):
                    raise ConfigError(
                        f"{path}: trained with another config or code than egs/"
                        f"{train.recipe.name} has now. Run first, with its --corpus-dir if it "
                        f"takes one:\n  {train.command(*options)}"
                    )


def audit_pair(train: Side, test: Side, shared: SharedClasses, features: Sequence[str]) -> str:
    """Compare features, classes and audio of two recipes; return what was counted, to print.

    Raises:
        ConfigError: a class that is not declared.
        FeatureError: features of different configs.
        FoldError: audio of the test is part of the training recipe's task.
    """
    for name in features:
        here, there = (FeatsInfo.load(side.recipe.features(name)) for side in (train, test))
        require_alike(here, there, train.recipe, test.recipe)
    tasks = [TaskData.load(side.recipe.task(side.task)) for side in (train, test)]
    for side, task in zip((train, test), tasks, strict=True):
        shared.check_task(side.recipe.name, task.classes)
    heard = {*tasks[0].utt2emo, *tasks[0].neutral2spk}
    trained, tested = _facts_of_audio(train, heard), _facts_of_audio(test, set(tasks[1].utt2emo))
    leaks = _shared_audio(trained, tested)
    if leaks:
        named = ", ".join(f"{utt} (there {other})" for utt, other in leaks[:10])
        raise FoldError(
            f"{len({utt for utt, _ in leaks})} of {len(tested)} utterances of egs/"
            f"{test.recipe.name} have the audio of an utterance of egs/{train.recipe.name}, or "
            f"hold a near copy of it, so its models may have been trained on them; first ten: "
            f"{named}. Test on another corpus, or leave them out of one of the two tasks"
        )
    lines = [
        _describe(words, side, task, shared)
        for words, side, task in zip(("trained on", "tested on"), (train, test), tasks, strict=True)
    ]
    unknown = len(heard) + len(tasks[1].utt2emo) - len(trained) - len(tested)
    if unknown:
        lines.append(f"warning: {unknown} utterances without audio_hash: not compared")
    short = sum(not print_ for facts in (trained, tested) for _, print_ in facts.values())
    if short:
        lines.append(
            f"{short} utterances without fingerprint, as those of less than 0.6 s: not compared "
            "for near copies"
        )
    return "\n".join(lines)


def _facts_of_audio(side: Side, utterances: set[str]) -> dict[str, tuple[str, str]]:
    """Return utterance to the digest of its samples and its fingerprint, where known."""
    _, supervisions = read_manifests(side.recipe.manifests)
    return {
        s.id: (s.custom["audio_hash"], s.custom.get("fingerprint", ""))
        for s in supervisions
        if s.id in utterances and "audio_hash" in (s.custom or {})
    }


def _shared_audio(
    trained: Mapping[str, tuple[str, str]], tested: Mapping[str, tuple[str, str]]
) -> list[tuple[str, str]]:
    """Return each tested utterance whose samples, or a near copy of them, were trained on."""
    owner = {audio_hash: utt for utt, (audio_hash, _) in trained.items()}
    found = {(utt, owner[h]) for utt, (h, _) in tested.items() if h in owner}
    prints = {f"0{utt}": print_ for utt, (_, print_) in trained.items()}
    prints |= {f"1{utt}": print_ for utt, (_, print_) in tested.items()}
    for first, second in near_copies(prints):
        if first[0] != second[0]:
            found.add((second[1:], first[1:]))  # the trained ones come first
    return sorted(found)


def _describe(words: str, side: Side, task: TaskData, shared: SharedClasses) -> str:
    declared = shared.of(side.recipe.name)
    counts: dict[str, int] = dict.fromkeys(shared.classes, 0)
    left_out: dict[str, int] = dict.fromkeys(declared.ignored_labels, 0)
    for own in task.utt2emo.values():
        where, name = (left_out, own) if own in left_out else (counts, declared.label_map[own])
        where[name] += 1
    text = (
        f"{words} {side.recipe.name}, {side.task}: {sum(counts.values())} utterances of "
        f"{len(task.spk2utt.keys() - task.unknown_speakers)} speakers in the shared classes: "
        f"{_counts(counts)}"
    )
    if left_out:
        verb = "left out" if words == "tested on" else "trained on too, but no answer"
        text += f"\n  {verb}: {_counts(left_out)}"
    return text


def _counts(counts: Mapping[str, int]) -> str:
    return " ".join(f"{name} {count}" for name, count in counts.items())
