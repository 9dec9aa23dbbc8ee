"""Stage 2 of egs/cross_corpus: may the models of one recipe be tested on another's utterances?

Prints what was counted to the terminal (standard error) and, for the recipe's script, a line

    tasks TRAIN_TASK TEST_TASK

and the lines of `plan` for the systems: network, linear and ensemble.
"""

import argparse
import sys
from pathlib import Path

from dsnet.bin import run
from dsnet.bin.infer import MATCHES
from dsnet.bin.plan import all_specs, check_once, check_seeds, describe_system
from dsnet.config import load
from dsnet.environment import choose_device
from dsnet.results.classes import SharedClasses
from dsnet.results.pair import audit_pair, check_ready, find_side
from dsnet.systems.catalog import check_matching


def main() -> None:
    """Parse, check, print."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--train", default="", help="recipe whose models are tested: ../emodb")
    parser.add_argument("--test", default="", help="recipe whose utterances they are tested on")
    parser.add_argument("--systems", required=True, help="such as 'dsnet compare_svm'")
    parser.add_argument("--seeds", required=True, help="such as '1 2'")
    parser.add_argument("--folds", default="", help="of the training recipe; empty: all")
    parser.add_argument("--match-target", choices=MATCHES, default="none", help="(%(default)s)")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda:N (%(default)s)")
    parser.add_argument("config", type=Path, help="shared classes, such as conf/6class.yaml")
    args = parser.parse_args()
    shared = load(args.config, SharedClasses)
    train = find_side("--train", args.train, shared)
    test = find_side("--test", args.test, shared)
    specs = all_specs(args.systems.split(), train.recipe.folder)
    trained = [spec for spec in specs if spec.config is not None]
    choose_device(args.device)
    check_seeds(args.seeds.split())
    check_once("--folds", args.folds.split())
    for spec in trained if args.match_target != "none" else ():
        check_matching(spec)
    check_ready(train, test, trained, args.seeds.split(), args.folds.split())
    features = list(dict.fromkeys(spec.config.features for spec in trained))
    print(audit_pair(train, test, shared, features), file=sys.stderr)
    print("tasks", train.task, test.task)
    for spec in specs:
        print(describe_system(spec))


if __name__ == "__main__":
    run(main)
