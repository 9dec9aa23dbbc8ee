#!/usr/bin/env bash
# DSNet on RAVDESS speech: 1,440 utterances of 24 actors in 8 emotions, 12 groups of two actors.
#
# Usage: bash egs/ravdess/run.sh --corpus-dir FOLDER [--stage N] [--<option> <value>] ...
#
# Options of this recipe (default):
#   --corpus-dir              folder that holds Actor_01 to Actor_24 (see README.md)
#   --task (8class)           classes, folds and references: conf/<task>.yaml

# shellcheck source=path.sh
. "$(dirname "$0")/../../path.sh"
# shellcheck source=utils/recipe.sh
. "$DSNET_ROOT/utils/recipe.sh"
# shellcheck source=egs/options.sh
. "$DSNET_ROOT/egs/options.sh"
corpus_dir=
task=8class
parse_options "$@"
need_corpus
plan "$@"

stage 0 "prepare"
once manifests --reads "$corpus_dir" local/prepare.py \
  --writes data/manifests/{recordings,supervisions}.jsonl.gz \
  -- python local/prepare.py "$corpus_dir" data/manifests "${audio_options[@]}"

# shellcheck source=egs/stages.sh
. ../stages.sh
