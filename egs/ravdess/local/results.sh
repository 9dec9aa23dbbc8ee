#!/usr/bin/env bash
# Make the pages that are kept in egs/ravdess anew: RESULTS.md, index.html and what they show.
#
# Usage: bash egs/ravdess/local/results.sh --corpus-dir FOLDER --models-dir FOLDER [--<option> <value>] ...
#
# Options are those of run.sh but for stages, such as --fold-jobs 8. Networks hear three speeds and
# have three seeds, what is chosen by cross-validation has nothing to draw. What is done is skipped;
# from nothing it takes two cores most of a day. Of extras pretrained and opensmile are needed.

set -Eeuo pipefail
here=$(cd -- "$(dirname -- "$0")/.." > /dev/null && pwd)
run() {
  bash "$here"/run.sh --task 8class_6groups --enrolments "neutral:1 any:3 any:30" \
    --results-dir "$here" --page-sound none "$@"
}
# shellcheck source=egs/kept_pages.sh
. "$here/../kept_pages.sh"
