#!/usr/bin/env bash
# Install the project and what it needs.  Usage: bash utils/setup.sh [--torch-index URL]
#
# --torch-index: take torch and torchaudio from this package index, such as one that has them for
# processors alone: 1 GB in the place of 5.
#
# Makes .venv in the root of the project, or uses the virtual environment that is active, and
# installs the package in editable form.  Returns at once when nothing has changed since.

set -Eeuo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." > /dev/null
venv=${VIRTUAL_ENV:-$PWD/.venv}
python=$venv/bin/python
stamp=$venv/dsnet-setup.stamp
suits='import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 10))'

torch_index=
if (( $# )); then
  [[ $# == 2 && $1 == --torch-index && $2 != "" ]] \
    || { echo "setup.sh: expected nothing or --torch-index URL, found: $*" >&2; exit 1; }
  torch_index=$2
fi

say() { echo "setup.sh: $*"; }
die() { say "$*" >&2; exit 1; }

# An editable install holds the path of the project, so a moved project is another state.
state() { { echo "$PWD" && "$python" -VV && cat setup.py pyproject.toml; } | cksum; }
unchanged() { [[ -f $stamp && $(<"$stamp") == "$(state 2> /dev/null)" ]]; }

find_python() {
  local candidate
  for candidate in python3.11 python3; do
    if "$candidate" -c "$suits" &> /dev/null; then echo "$candidate"; return; fi
  done
  die "no Python 3.10 or later with venv and pip was found; python3 here is:" \
    "$(python3 -V 2>&1 || true). Install python3.11 (and python3.11-venv)"
}

if unchanged; then
  say "$venv is up to date"
  exit 0
fi
mkdir -p "$venv"
exec 9< "$venv"  # a lock on the folder itself; pip inherits it, so it outlives a killed setup.sh
flock --nonblock 9 || { say "another setup works on $venv; waiting for it"; flock 9; }
if unchanged; then
  say "$venv is up to date"
  exit 0
fi
rm -f "$stamp"
if ! "$python" -c "$suits" &> /dev/null; then
  [[ -z ${VIRTUAL_ENV:-} ]] \
    || die "the active virtual environment $venv has no Python 3.10 or later: run 'deactivate'"
  base=$(find_python)
  say "making $venv with $("$base" -V)"
  "$base" -m venv --clear "$venv"
fi
say "installing dsnet and what it needs into $venv; the first time this takes minutes and, with libraries for GPUs, 5 GB"
if [[ $torch_index != "" ]]; then
  mapfile -t pair < <(grep -oE '"torch(audio)?==[^"]+' setup.py | tr -d '"')
  "$python" -m pip install --disable-pip-version-check --index-url "$torch_index" "${pair[@]}"
fi
"$python" -m pip install --disable-pip-version-check -e ".[test]"
state > "$stamp.tmp" && mv "$stamp.tmp" "$stamp"
say "done in $SECONDS s"
