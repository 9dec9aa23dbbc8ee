"""Before stage 0: check every name, key and import of a run, and say what the stages will do.

Prints a line for each thing that the recipe's script has to run:

    network NAME FEATURES ENROLMENTS    a system that has embeddings to probe; - for no enrolments
    linear NAME FEATURES ENROLMENTS     another one; members of ensembles are among them
    ensemble NAME MEMBER...
    features NAME KIND                  a type of features that these need

and writes exp/<task>/<system>/system.json and data/<features>/config.json, what each of them is. A
stage that reads such a file runs again when it changes. What this means for networks that are there
is said on the terminal.
"""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dsnet.bin import run
from dsnet.bin.trained import read_train_json
from dsnet.config import differences, find, load, nearest
from dsnet.environment import choose_device
from dsnet.errors import ConfigError, DsnetError, TrainingError
from dsnet.features import build_extractor
from dsnet.files import read_lines, write_text
from dsnet.folds.protocols import known_fold_names
from dsnet.models.front_end import build_front_end
from dsnet.recipe import Recipe
from dsnet.recognizer.bundle import check_place
from dsnet.systems import build_system, check_enrolment, code_digest, find_system
from dsnet.systems.catalog import SystemSpec, resolve
from dsnet.task import TaskConfig
from dsnet.training.checkpoint import config_values
from dsnet.training.data import require_no_validation
from dsnet.training.enrolment import parse_enrolment

LIMITS = {"train.max_epochs": 10_000, "input.max_seconds": 3600}  # more is a slip of the keyboard
MAX_SEED = 2**32 - 1  # of scikit-learn's generators


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--task", required=True, help="such as 4class")
    parser.add_argument("--systems", required=True, help="such as 'dsnet compare_svm'")
    parser.add_argument("--seeds", default="1", help="such as '1 2'")
    parser.add_argument("--folds", default="", help="such as '03 08'; empty: all")
    parser.add_argument("--enrolments", default="", help="such as 'neutral:1 any:3'")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda:N (%(default)s)")
    parser.add_argument("--final", type=int, default=0, help="1: a bundle will be made")
    parser.add_argument("--bundle-dir", type=Path, help="where")
    args = parser.parse_args()
    recipe = Recipe()
    task = load(find(args.task, [recipe.conf[0]], "task"), TaskConfig)
    choose_device(args.device)
    check_folds(args.folds.split(), task, recipe.task(args.task))
    check_seeds(args.seeds.split())
    count = known_utterances(task, recipe.task(args.task))
    specs = all_specs(args.systems.split())
    trained = [spec for spec in specs if spec.config is not None]
    for spec in trained:
        check_sizes(spec, count)
        check_system(spec, task)
    check_enrolments(args.enrolments.split(), trained)
    if args.final:
        check_bundle(trained)
        if args.bundle_dir is not None and str(args.bundle_dir):
            check_place(args.bundle_dir)
    for spec in trained:
        announce(spec, recipe.exp(args.task) / spec.name, args.seeds.split(), args.folds.split())
        content = {"code": code_digest(spec.config.kind), "config": config_values(spec.config)}
        write_json(recipe.exp(args.task) / spec.name / "system.json", content)
    for spec in specs:
        print(describe_system(spec, args.enrolments))
    for name in dict.fromkeys(spec.config.features for spec in trained):
        extractor = build_extractor(name)
        print("features", name, extractor.kind)
        content = {**asdict(extractor.config), **extractor.files(), **extractor.libraries()}
        write_json(recipe.features(name) / "config.json", content)
    # with a dot: of a folder that a step reads, such files do not count
    write_json(recipe.task(args.task) / ".config.json", asdict(task))


def describe_system(spec: SystemSpec, enrolments: str = "") -> str:
    """Return a system's line for the recipe's script; see above."""
    if spec.config is None:
        return f"ensemble {spec.name} {' '.join(spec.members)}"
    kind = "network" if find_system(spec.config).is_network else "linear"
    tried = " ".join(suitable_enrolments(enrolments.split(), spec)) or "-"
    return f"{kind} {spec.name} {spec.config.features} {tried}"


def all_specs(names: list[str], recipe: Path = Path()) -> list[SystemSpec]:
    """Return the systems that are named and the members of ensembles, each once.

    Raises:
        ConfigError: no system, or one that there is not.
    """
    if not names:
        raise ConfigError("--systems names no system; such as --systems 'dsnet_small'")
    specs: dict[str, SystemSpec] = {}
    for name in names:
        spec = resolve(name, recipe)
        for member in spec.members:
            specs.setdefault(member, resolve(member, recipe))
        specs[name] = spec
    return list(specs.values())


def known_utterances(task: TaskConfig, task_dir: Path) -> int:
    """Return how many utterances the task has, as far as that is known by now; 0: it is not."""
    path = task_dir / "utt2emo"
    return len(read_lines(path)) if path.is_file() else task.gate.utterances


def check_sizes(spec: SystemSpec, num_utterances: int) -> None:
    """Raise ConfigError for values with which a training would not end, or not be one."""
    limits = LIMITS | ({"train.batch_size": max(num_utterances, 64)} if num_utterances else {})
    for key, limit in limits.items():
        section, name = key.split(".")
        value = getattr(getattr(spec.config, section), name)
        if value > limit:
            words = f" (the task has {num_utterances} utterances)" if name == "batch_size" else ""
            raise ConfigError(
                f"system {spec.name}: {key} is {value}, expected {limit} at most{words}; change it "
                f"in the system's config or behind its @"
            )


def check_system(spec: SystemSpec, task: TaskConfig) -> None:
    """Build a system for the features that it is to read; its control must be there too.

    One that is chosen by validation speakers needs a task that has some.

    Raises:
        DsnetError: says what does not fit, or which package is missing.
    """
    config = spec.config
    assert config is not None
    try:
        extractor = build_extractor(config.features)
        if getattr(extractor.config, "use_log", True) is False:
            raise ConfigError(
                f"the features '{extractor.name}' have use_log false; what systems do with mel "
                "energies (floor, augmentation, enrolment) is for logarithms. Set it true"
            )
        build_front_end(config.augment, extractor, vars(extractor.config))
        build_system(config, extractor, num_classes=2, num_speakers=2)
        if task.folds.validation == "none":
            require_no_validation(config)
        if spec.control is not None:
            resolve(spec.control)
    except DsnetError as error:
        raise ConfigError(f"system {spec.name}: {error}") from error
    except RuntimeError as error:  # torch has no memory for it
        raise ConfigError(
            f"system {spec.name}: it cannot be built here ({error}); are its sizes right?"
        ) from error


def check_bundle(specs: list[SystemSpec]) -> None:
    """Raise ConfigError for systems that cannot be in one bundle."""
    features = sorted({spec.config.features for spec in specs})
    if len(features) > 1:
        raise ConfigError(
            f"--stage final: a bundle has one type of features; the systems read "
            f"{', '.join(features)}. Choose by --systems"
        )
    of_source: dict[str, str] = {}
    for spec in specs:
        source, kind = spec.config.enrolment.source, find_system(spec.config)
        reason = ""
        if kind.needs_unlabelled or source == "all":
            reason = "it is transductive: it hears the audio that it is tested on"
        elif kind.neutral_at_inference:
            reason = "it hears a neutral utterance beside each one, which predict does not give it"
        elif spec.config.kind == "svm":
            reason = "its decision values are no probabilities"
        elif source in of_source:
            reason = f"{of_source[source]} has enrolment.source {source}, too; one is enough"
        else:
            of_source[source] = spec.name
            try:
                require_no_validation(spec.config)
            except TrainingError:
                reason = (
                    "all speakers train, so that nobody validates; set train.select last, "
                    "stop_after 0 and schedule one_cycle or constant"
                )
        if reason:
            raise ConfigError(f"--stage final: {spec.name} cannot be in the bundle: {reason}")


def check_folds(names: list[str], task: TaskConfig, task_dir: Path) -> None:
    """Raise ConfigError for a fold that the task will not have, as far as that is known by now.

    And for one that is named twice.
    """
    check_once("--folds", names)
    there = known_fold_names(task)
    if (task_dir / "folds").is_file():
        there = (task_dir / "folds").read_text(encoding="utf-8").split()
    for name in names if there else ():
        if name not in there:
            raise ConfigError(f"--folds: no fold '{name}'; {nearest(name, there)}")


def check_seeds(seeds: list[str]) -> None:
    """Raise ConfigError for a seed that is no number that every library takes, or comes twice."""
    for seed in seeds:
        if not (seed.isdecimal() and int(seed) <= MAX_SEED):
            raise ConfigError(f"--seeds: expected integers of 0 to {MAX_SEED}, found '{seed}'")
    check_once("--seeds", [str(int(seed)) for seed in seeds])


def check_once(option: str, values: list[str]) -> None:
    """Raise ConfigError for a value that is given twice."""
    twice = [value for value in values if values.count(value) > 1]
    if twice:
        raise ConfigError(f"{option}: {twice[0]} is given twice; once is enough")


def suitable_enrolments(texts: list[str], spec: SystemSpec) -> list[str]:
    """Return those of some enrolments that a system can be tried with."""
    return [text for text in texts if unfit(text, spec) is None]


def unfit(text: str, spec: SystemSpec) -> ConfigError | None:
    """Return why a system cannot be tried with an enrolment; None: it can."""
    try:
        parsed = parse_enrolment(text, spec.config.enrolment)
        check_enrolment(parsed, build_extractor(spec.config.features))
    except ConfigError as error:
        return error
    own = spec.config.enrolment
    if own.source == "all" and own.shrink and parsed.source == "any":
        return ConfigError(
            f"enrolment '{text}': the system was trained with enrolment.source all, so it has not "
            "learned how far a few utterances can be believed; train one with enrolment.source any"
        )
    return None


def check_enrolments(texts: list[str], specs: list[SystemSpec]) -> None:
    """Raise ConfigError for an enrolment that no system can be tried with."""
    for text in texts:
        of_reason: dict[str, list[str]] = {}
        for spec in specs:
            of_reason.setdefault(str(unfit(text, spec) or ""), []).append(spec.name)
        if "" not in of_reason:
            named = (f"{', '.join(names)}: {why}" for why, names in of_reason.items())
            raise ConfigError("--enrolments: " + "; ".join(named))


def announce(spec: SystemSpec, exp_dir: Path, seeds: list[str], folds: list[str]) -> None:
    """Say on the terminal what will happen to the networks of a system that has changed."""
    changed, count = "", 0
    for path in sorted(exp_dir.glob("seed_*/fold_*/train.json")):
        try:
            trained = read_train_json(path.parent, "seed", "fold")
        except TrainingError as error:
            print(error, file=sys.stderr)
            continue
        if str(trained["seed"]) not in seeds or (folds and trained["fold"] not in folds):
            continue
        if "identity" not in trained:
            changes = ["an earlier version of the project"]
        else:
            changes = differences(trained["identity"]["config"], config_values(spec.config))
        if not changes and trained["digests"]["code"] != code_digest(spec.config.kind):
            changes = ["the code of models, losses, training or the system"]
        if changes:
            changed, count = ", ".join(changes), count + 1
    if count:
        print(
            f"{spec.name} changed ({changed}): stage 3 trains anew, replaces {count} "
            f"model{'s' if count > 1 else ''}",
            file=sys.stderr,
        )


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write what something is, unless the file says so already."""
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    if not path.is_file() or path.read_bytes() != text.encode():
        write_text(path, text)


if __name__ == "__main__":
    run(main)
