"""Check that two recipes have been run far enough; print the names of their tasks.

Prints "TRAIN_TASK TEST_TASK", which run.sh needs to name their files. Writes nothing.
"""

import argparse

from dsnet.bin import run
from dsnet.config import load
from dsnet.cross_corpus.classes import SharedClasses
from dsnet.cross_corpus.recipe import Recipe, find_recipe
from dsnet.errors import ConfigError
from dsnet.files import read_lines


def main() -> None:
    """Parse, check, print."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--systems", required=True, help="systems, such as 'base dsnet'")
    parser.add_argument("--seeds", required=True, help="seeds, such as '1 2'")
    parser.add_argument("--folds", default="", help="folds of the training recipe; empty: all")
    parser.add_argument("--feats", default="fbank", help="name of the features (%(default)s)")
    parser.add_argument("config", help="shared classes, such as conf/6class.yaml")
    parser.add_argument("train", help="recipe whose models are scored, such as ../emodb")
    parser.add_argument("test", help="recipe whose utterances they are scored on")
    args = parser.parse_args()
    shared = load(args.config, SharedClasses)
    train, test = (
        Recipe(folder, shared.of(folder.name).task, args.feats)
        for folder in (find_recipe("--train", args.train), find_recipe("--test", args.test))
    )
    if train == test:
        raise ConfigError(
            f"--train and --test are both egs/{train.name}; a recipe against itself is the "
            "diagonal of the matrix, which stage 5 takes from the recipe's own test posteriors"
        )
    for recipe in (train, test):
        recipe.require_folds()
    folds = args.folds.split() or read_lines(train.task_dir / "folds")
    train.require_models(args.systems.split(), args.seeds.split(), folds)
    print(train.task, test.task)


if __name__ == "__main__":
    run(main)
