#!/usr/bin/env bash
# Download EmoDB (40 MB) from its authors' site, check it and unpack it.
#
# Usage: bash egs/emodb/local/download.sh FOLDER [--url ADDRESS] [--checksum sha256:HEX]
#
# Needs 0.2 GB at most while it works; the archive is removed at the end.  FOLDER appears once it is
# whole; until then all is in FOLDER.download.  An archive that was cut off comes anew.
#
# The authors publish no checksum, and the address is plain http.  What is checked: the CRC of every
# file in the archive, and the counts of stage 0.  The SHA-256 of what came is printed: compare it
# with that of somebody you trust, or give it as --checksum.

set -Eeuo pipefail
# shellcheck source=path.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../../../path.sh"
if [[ ${1:---help} == --help ]]; then
  awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "${BASH_SOURCE[0]}"
  exit
fi
exec python3 "$DSNET_ROOT"/utils/download.py --holds wav \
  --url http://emodb.bilderbar.info/download/download.zip "$@"
