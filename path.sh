# Source me: `. path.sh` finds the project and puts its virtual environment and programs on PATH.
# shellcheck shell=bash
DSNET_ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" > /dev/null && pwd)  # CDPATH makes cd print
export DSNET_ROOT
if [[ -z ${VIRTUAL_ENV:-} && -d $DSNET_ROOT/.venv ]]; then
  PATH=$DSNET_ROOT/.venv/bin:$PATH
fi
export PATH=$DSNET_ROOT/utils:$PATH
