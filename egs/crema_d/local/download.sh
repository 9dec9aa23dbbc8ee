#!/usr/bin/env bash
# Download CREMA-D's audio, actors and votes (0.63 GB) from its owners' repository at release v1.0.
#
# Usage: bash egs/crema_d/local/download.sh FOLDER [--url ADDRESS] [--checksum sha256:HEX]
#          [--lfs-url ADDRESS]
#
# Needs 0.65 GB.  The repository keeps audio in Git LFS: first its archive (24 MB) comes, which has
# a pointer with size and SHA-256 for each file, then the 7,442 wav files, eight at a time, each
# checked against its pointer.  FOLDER appears once it is whole; until then all is in
# FOLDER.download, and the same command goes on with the files that are missing.
#
# GitHub publishes no checksum of such an archive; its SHA-256 is printed.  The address names the
# commit of release v1.0, and the CRC of every file in it is checked.  The owners ask users of the
# repository to fill out the form that its README names.

set -Eeuo pipefail
# shellcheck source=path.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../../../path.sh"
if [[ ${1:---help} == --help ]]; then
  awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "${BASH_SOURCE[0]}"
  exit
fi
repository=CheyneyComputerScience/CREMA-D
commit=f3b8611a309886568dfa957141775b2e05add04a
exec python3 "$DSNET_ROOT"/utils/download.py --holds AudioWAV \
  --only '*/AudioWAV/*.wav' --only '*/VideoDemographics.csv' \
  --only '*/processedResults/summaryTable.csv' --only '*/README.md' --only '*/LICENSE.txt' \
  --url "https://github.com/$repository/archive/$commit.zip" \
  --lfs-url "https://media.githubusercontent.com/media/$repository/$commit" "$@"
