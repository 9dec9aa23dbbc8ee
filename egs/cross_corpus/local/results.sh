#!/usr/bin/env bash
# Make the pages that are kept in egs/cross_corpus anew, behind egs/emodb/local/results.sh and
# egs/ravdess/local/results.sh, whose models they test on the other corpus.
#
# Usage: bash egs/cross_corpus/local/results.sh [--<option> <value>] ...
#
# Options are those of run.sh, such as --fold-jobs 8.

set -Eeuo pipefail
here=$(cd -- "$(dirname -- "$0")/.." > /dev/null && pwd)
run() {
  bash "$here"/run.sh --task 6class_nobody_validates --results-dir "$here" "$@"
}

for pair in "emodb ravdess" "ravdess emodb"; do
  read -r train test <<< "$pair"
  run --train "$here/../$train" --test "$here/../$test" "$@" --seeds "1 2 3" --stop-stage 4 \
    --systems "whisper_base_matched whisper_base_matched_neutral whisper_base_matched_any
      whisper_dsnet whisper_dsnet_neutral whisper_dsnet_any whisper_dsnet_plus
      whisper_dsnet@losses.similarity=0,losses.difference=0,losses.reconstruction=0"
  run --train "$here/../$train" --test "$here/../$test" "$@" \
    --systems "whisper_probe whisper_probe_neutral whisper_probe_any"
done
