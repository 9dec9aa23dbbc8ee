#!/usr/bin/env bash
# Make the pages that are kept in egs/emodb anew: RESULTS.md, index.html and what they show.
#
# Usage: bash egs/emodb/local/results.sh --corpus-dir FOLDER --models-dir FOLDER [--<option> <value>] ...
#
# Options are those of run.sh but for stages, such as --fold-jobs 8. Nobody validates, so nine
# speakers train; networks hear three speeds and have three seeds, what is chosen by
# cross-validation has nothing to draw. What is done is skipped; from nothing it takes two cores half
# a day. The page holds twelve utterances (CC0). Of extras pretrained and opensmile are needed.

set -Eeuo pipefail
here=$(cd -- "$(dirname -- "$0")/.." > /dev/null && pwd)
run() {
  bash "$here"/run.sh --task 7class@folds.validation=none \
    --enrolments "neutral:1 neutral:5 any:3 any:30" --results-dir "$here" --page-sound embed "$@"
}
at_three_speeds() { printf '%s@features=fbank_sp ' "$@"; }

networks="whisper_base whisper_base_neutral whisper_base_any
  whisper_base_matched whisper_base_matched_neutral whisper_base_matched_any
  whisper_dsnet whisper_dsnet_neutral whisper_dsnet_any whisper_dsnet_plus
  whisper_dsnet_plus_neutral whisper_dsnet@losses.difference=0
  whisper_dat whisper_menan whisper_isnet whisper_dsc
  whisper_dsnet@losses.similarity=0,losses.difference=0,losses.reconstruction=0
  $(at_three_speeds base_matched_small base_matched_neutral_small base_matched_any_small dsnet_small)"
others="whisper_probe whisper_probe_neutral whisper_probe_any
  whisper_base+whisper_probe whisper_base_neutral+whisper_probe_neutral
  whisper_base_any+whisper_probe_any
  compare_svm compare_svm_neutral egemaps_svm
  base_matched_small@features=fbank_sp+compare_svm"
run "$@" --stop-stage 0 --systems "$networks $others"  # what is missing is said now
run "$@" --seeds "1 2 3" --stop-stage 4 --systems "$networks"
run "$@" --systems "$others"
