#!/usr/bin/env bash
# DSNet on synthetic speech: 8 speakers, 4 emotions, leave one speaker out; minutes on two cores.
#
# Usage: bash egs/mini/run.sh [--stage N] [--<option> <value>] ...
#
# Options of this recipe (default):
#   --corpus-dir (data/corpus)   where the synthesised corpus lies
#   --task (4class)           classes, folds and references: conf/<task>.yaml

# shellcheck source=path.sh
. "$(dirname "$0")/../../path.sh"
# shellcheck source=utils/recipe.sh
. "$DSNET_ROOT/utils/recipe.sh"
# shellcheck source=egs/options.sh
. "$DSNET_ROOT/egs/options.sh"
corpus_dir=data/corpus
task=4class
parse_options "$@"
plan "$@"

stage 0 "prepare"
once corpus --reads local/make_corpus.py --writes "$corpus_dir"/utterances.csv \
  -- python local/make_corpus.py "$corpus_dir"
once manifests --reads "$corpus_dir" local/prepare.py \
  --writes data/manifests/{recordings,supervisions}.jsonl.gz \
  -- python local/prepare.py "$corpus_dir" data/manifests "${audio_options[@]}"

# shellcheck source=egs/stages.sh
. ../stages.sh
