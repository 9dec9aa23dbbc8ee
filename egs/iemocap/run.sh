#!/usr/bin/env bash
# DSNet on IEMOCAP: 5,531 utterances of 10 speakers in 4 emotions, leave one speaker out.
#
# Usage: bash egs/iemocap/run.sh --corpus-dir FOLDER [--stage N] [--<option> <value>] ...
#
# Options of this recipe (default):
#   --corpus-dir              IEMOCAP_full_release, with Session1 to Session5 (see README.md)
#   --task (4class)           classes, folds and references: conf/<task>.yaml
#   --allow-near-copies (true)  segments of a dialogue's two speakers may hold the same seconds of it

# shellcheck source=path.sh
. "$(dirname "$0")/../../path.sh"
# shellcheck source=utils/recipe.sh
. "$DSNET_ROOT/utils/recipe.sh"
# shellcheck source=egs/options.sh
. "$DSNET_ROOT/egs/options.sh"
corpus_dir=
task=4class
allow_near_copies=true
parse_options "$@"
need_corpus
plan "$@"

stage 0 "prepare"
once manifests --reads "$corpus_dir" local/prepare.py \
  --writes data/manifests/{recordings,supervisions}.jsonl.gz \
  -- python local/prepare.py "$corpus_dir" data/manifests "${audio_options[@]}"

# shellcheck source=egs/stages.sh
. ../stages.sh
