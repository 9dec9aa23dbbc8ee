#!/usr/bin/env bash
# Download RAVDESS speech (208 MB) from its Zenodo record, check it and unpack it.
#
# Usage: bash egs/ravdess/local/download.sh FOLDER [--url ADDRESS] [--checksum md5:HEX]
#
# Needs 0.75 GB while it works; the archive is removed at the end and 0.52 GB stay.  FOLDER appears
# once it is whole; until then all is in FOLDER.download.  An archive that was cut off comes anew.
# The checksum is the one that the record gives (zenodo.org/records/1188976).

set -Eeuo pipefail
# shellcheck source=path.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../../../path.sh"
if [[ ${1:---help} == --help ]]; then
  awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "${BASH_SOURCE[0]}"
  exit
fi
exec python3 "$DSNET_ROOT"/utils/download.py --holds Actor_24 \
  --url 'https://zenodo.org/records/1188976/files/Audio_Speech_Actors_01-24.zip?download=1' \
  --checksum md5:bc696df654c87fed845eb13823edef8a "$@"
