#!/usr/bin/env bash
# Run the tests.  Usage: bash tests/run.sh [--slow] [ARG of pytest]...
#
# Leaves out the slow ones unless --slow comes first; as many processes as there are CPUs, each with
# the tests of one file at a time.  Paths are relative to the root of the project:
# bash tests/run.sh tests/utils -k lock

set -Eeuo pipefail
# shellcheck source=path.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../path.sh"
cd -- "$DSNET_ROOT"
python3 -c 'import dsnet, pytest' 2> /dev/null \
  || { echo "tests/run.sh: the project is not installed; run: bash utils/setup.sh" >&2; exit 1; }
chosen=(-m "not slow")
if [[ ${1:-} == --slow ]]; then
  chosen=()
  shift
fi
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}  # the processes are the parallelism
exec python3 -m pytest -n auto --dist loadfile "${chosen[@]}" "$@"
