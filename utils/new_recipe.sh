#!/usr/bin/env bash
# Make the recipe of another corpus.  Usage: bash utils/new_recipe.sh NAME [--table FILE]
#   [--columns "path=File 'emotion=Primary emotion'"] [--votes majority]
#
# Writes egs/NAME. With --table (csv or tsv, a row an utterance) it needs no code; without, its
# local/prepare.py awaits yours. --columns says what the table calls otherwise than we do, --votes
# that a row is what one of several listeners said; both are written into the recipe. egs/README.md
# goes through all of it, step by step.

set -Eeuo pipefail
# shellcheck source=path.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../path.sh"
python3 -c 'import dsnet' 2> /dev/null \
  || { echo "new_recipe.sh: the project is not installed; run: bash utils/setup.sh" >&2; exit 1; }
exec python3 "$DSNET_ROOT"/utils/new_recipe.py "$@"
