# shellcheck shell=bash
# Sourced by local/results.sh of a recipe, behind its function `run`: what the kept pages compare.

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
