# What every run.sh shares: options, stages, steps that are skipped once done, what to do on errors.
# Source me before the options. An option is a lower-case variable that run.sh, or a file that it
# sources for its options, sets; stage, stop_stage, force and folds are among them.
# shellcheck shell=bash disable=SC2034,SC2154  # run.sh sets and uses them

set -Eeufo pipefail  # f: a name such as * or [1] stands for itself, not for files
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}  # of steps without --num-threads: theirs are small matrices
recipe=    # name of the recipe: emodb
command=   # what the user typed, for reports: no stages, FOLDER for folders outside the recipe
files=()   # what fold_files has found
trainings=   # of stage 3, as time_left names them
longest_first=   # systems, as time_left orders them
systems=   # what `plan` has found: systems to train, networks among them, ensembles, features
networks=
ensembles=
audio_options=()  # of stage 0, for every program that writes manifests
features=
# Names with a leading underscore cannot clash with an option.
_stage=   # number and title of the stage that run.sh is in
_title=
_resume="bash $0 --stage"
_run_sh=$(realpath -- "$0")
_child=   # process of the step that runs
_queued=()   # steps for `together`

# coloured FD CODE TEXT: write TEXT there; on a terminal in that colour, see https://no-color.org
coloured() {
  if [[ -t $1 && ${NO_COLOR-} == "" ]]; then
    printf '\e[%sm%s\e[0m\n' "$2" "$3" >&"$1"
  else
    printf '%s\n' "$3" >&"$1"
  fi
}
log() { coloured 1 1 "$(printf '%(%F %T)T' -1) $*"; }  # bold
failure() { coloured 2 31 "$*"; }  # red

# Exit status 64 of a step or of $(...) means: the user has been told all there is to say.
die() { failure "${0##*/}: $*"; exit "$(( BASH_SUBSHELL ? 64 : 1 ))"; }

# shown PATH: a path of the recipe as seen from where the user stands.
shown() { echo "${DSNET_FROM:+$DSNET_FROM/}$1"; }

# parse_options ARGS...: --some-name VALUE (or =VALUE) sets $some_name, then go to the recipe.
# Options are the lower-case variables that run.sh sets in front of its call, and those of
# egs/options.sh if it sources that.
parse_options() {
  local name item file files=("$0") options=() parsed=()
  ! grep -q '/options[.]sh"$' "$0" || files=("$DSNET_ROOT"/egs/options.sh "$0")
  if [[ " $* " == *" --help "* || " $* " == *" -h "* ]]; then
    awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0"
    (( ${#files[@]} == 1 )) || awk '/^#$/ { on = 1 } on { if (!/^#/) exit; sub(/^# ?/, ""); print }' \
      "${files[0]}"
    exit 0
  fi
  for file in "${files[@]}"; do
    while IFS='=' read -r name _; do
      [[ $name != parse_options* ]] || break
      [[ ! $name =~ ^[a-z][a-z0-9_]*$ ]] || options+=("$name=${!name}")
    done < "$file"
  done
  mapfile -d '' -t parsed < <(python3 -I "$DSNET_ROOT"/utils/options.py "$0" "${options[@]}" -- "$@")
  wait "$!" || exit 1
  for item in "${parsed[@]}"; do printf -v "${item%%=*}" '%s' "${item#*=}"; done
  if [[ ! -v DSNET_FROM ]]; then  # else it is that of the ablation, which calls its recipe
    DSNET_FROM=$(realpath -m --relative-to=. -- "$(dirname -- "$0")")
    [[ $DSNET_FROM != . ]] || DSNET_FROM=
    export DSNET_FROM  # what paths in messages begin with
  fi
  cd -- "$(dirname -- "$0")" > /dev/null
  recipe=${PWD##*/}
  [[ ! -v overhang ]] || audio_options=(
    --drop-bad-audio "$drop_bad_audio" --channel "$channel" --overhang "$overhang"
  )
}

# need_corpus: stop at a --corpus-dir that is no folder; in front of --stage it may be left out.
need_corpus() {
  [[ $corpus_dir != "" ]] || (( stage > 0 )) || die "--corpus-dir FOLDER is missing: stage 0 reads" \
    "the corpus there; --help and $(shown README.md) say which folder"
  [[ $corpus_dir == "" || -d $corpus_dir ]] || die "--corpus-dir: $corpus_dir: no such folder"
}

# need_table: set $table to its full path, empty if that is not known, and stop if it is no file.
need_table() {
  [[ $table == /* ]] || table=${corpus_dir:+$corpus_dir/$table}
  [[ $table == "" || -f $table ]] || die "--table: $table: no such file;" \
    "give its full path, or one that starts from --corpus-dir"
}

# plan ARGS...: check all names before anything runs, and say what the stages need: the systems to
# train with their features, the networks among them, ensembles. --ablation ends here.
plan() {
  [[ ${models_dir-} == "" ]] || models_dir=$(realpath -ms -- "$models_dir")  # typed from anywhere
  export DSNET_MODELS=${models_dir-}  # read where encoders are loaded
  [[ $ablation == false ]] || ablation "$@"
  local lines
  lines=$(python -m dsnet.bin.plan --task "$task" --systems "$systems" --folds "$folds" \
    --seeds "$seeds" --enrolments "$enrolments" --device "$device" \
    --final "$(( stop_stage >= 6 ))" ${bundle_dir:+--bundle-dir "$bundle_dir"}) \
    || { (( $? != 137 )) || stop 137; exit 1; }
  read_plan "$lines"
}

# read_plan LINES: set what the lines of a plan say: systems to train, networks among them,
# ensembles, features.
declare -A _features_of=() _enrolments_of=() _members_of=() _kind_of=()
read_plan() {
  local what name rest
  systems='' networks='' ensembles='' features=''
  while read -r what name rest; do
    case $what in
      features) features+=" $name" _kind_of[$name]=$rest ;;
      ensemble) ensembles+=" $name" _members_of[$name]=$rest ;;
      network | linear)
        systems+=" $name"
        [[ $what != network ]] || networks+=" $name"
        _features_of[$name]=${rest%% *} _enrolments_of[$name]=${rest#* } ;;
    esac
  done <<< "$1"
}

# launcher_of FEATURES: what launches their jobs; encoders run where networks do.
launcher_of() { [[ ${_kind_of[$1]-} == pretrained ]] && echo "$cuda_cmd" || echo "$cmd"; }

features_of() { echo "${_features_of[$1]}"; }

enrolments_of() { [[ ${_enrolments_of[$1]} == - ]] || echo "${_enrolments_of[$1]}"; }

# stage N TITLE: what follows is stage N, or final, behind the others; ends the run behind
# --stop-stage.
stage() {
  local number=${1/final/6}
  (( number <= stop_stage )) || exit 0
  _stage=$number _title=$2
  (( number < stage )) || log "stage $1: $2"
}

# once NAME --reads PATH... --writes PATH... -- CMD...: run CMD unless it is done (see
# once.py); in front of --stage only check that it is.
once() { _steps once.py "$@"; }

# queue NAME --reads ... -- CMD...: a step as for `once`, which `together` runs.
queue() { _queued+=("$#" "$@"); }

# together: run what was queued, the jobs of all steps in one queue, but not what is done (see
# once_all.py); in front of --stage only check that it is.
together() {
  (( ${#_queued[@]} )) || return 0
  _steps once_all.py <(printf '%s\0' "${_queued[@]}")
  _queued=()
}

# _steps PROGRAM ARG...: let once.py or once_all.py run, or check, what its arguments say.
_steps() {
  local program=$1 mode=run status=0
  shift
  [[ $force == false ]] || mode=force
  (( _stage >= stage )) || mode=check
  # In the background, since only `wait` lets a signal through to the trap.
  python3 -ES "$DSNET_ROOT/utils/$program" "$mode" "$_stage" "$_resume" "$@" &
  _child=$!
  wait "$_child" || status=$?
  _child=
  return "$status"
}

# fold_names TASK_DIR: the folds that --folds chose, or all of them, on one line.
fold_names() {
  local all chosen name
  [[ -s $1/folds ]] || die "$(shown "$1")/folds is missing; run the stage that makes folds"
  mapfile -t all < "$1"/folds
  read -ra chosen <<< "${folds:-${all[*]}}"
  for name in "${chosen[@]}"; do
    [[ " ${all[*]} " == *" $name "* ]] || die "no fold '$name' in $(shown "$1")/folds; it has: ${all[*]}"
  done
  echo "${chosen[*]}"
}

# ablation ARGS...: run the recipe with the user's options for every line of ../conf/ablation.txt,
# put all results on one page, and end.
ablation() {
  local changes names joint=@ variants=() models=() last=$stop_stage corpus=$corpus_dir
  [[ $task != *@* ]] || joint=,  # the task is changed already
  [[ ! -v models_dir ]] || models=(--models-dir "$models_dir")
  (( last < 5 )) || last=4
  [[ $corpus == "" ]] || corpus=$(realpath -ms -- "$corpus")  # to be typed from anywhere
  while read -r changes names; do
    [[ $changes != "" && $changes != "#"* ]] || continue
    [[ $changes == - ]] && changes= || changes=$joint$changes
    [[ $changes == "" ]] || variants+=("$task$changes")
    log "ablation: $task$changes: $names"
    # Of an option that is given twice the last value counts; we are in the recipe's folder now.
    python3 -ES "$DSNET_ROOT"/utils/signals.py bash "$_run_sh" "$@" --ablation false --corpus-dir "$corpus" "${models[@]}" \
      --task "$task$changes" --systems "$names" --stop-stage "$last" < /dev/null || exit "$?"
  done < ../conf/ablation.txt
  (( stop_stage >= 5 )) || exit 0
  results_dir=${results_dir:-exp/results/$task.ablation}
  python -m dsnet.bin.score --task "$task" --command "$command" --sound "$page_sound" \
    --results-dir "$results_dir" --variants "${variants[@]}"
  show_results "$results_dir"
  exit 0
}

# show_results DIR: print what stage 5 has found, also if it was done before.
show_results() { (( stage > 5 )) || python -m dsnet.bin.results "$1"; }

# ensemble NAME EXP_DIR OPTION...: one decision of what its members left in EXP_DIR, of all seeds.
ensemble() {
  local name=$1 exp=$2 step member seed members=()
  step=${exp#exp/}
  shift 2
  for member in ${_members_of[$name]}; do
    for seed in $seeds; do
      fold_files "$exp/$member/seed_$seed" run.json {dev,test}/posteriors.tsv
      members+=("${files[@]}")
    done
  done
  fold_files "$exp/$name/seed_1" run.json {dev,test}/posteriors.tsv
  once "ensemble.${step/\//.}.$name" --reads "${members[@]}" --writes "${files[@]}" \
    -- python -m dsnet.bin.ensemble "$@" --system "$name" --seeds "$seeds" --folds "$folds" "$exp"
}

# time_left: say how many trainings are left and how long they take. Sets `trainings`, by which the
# launcher tells the same meanwhile, and `longest_first`: the systems, those that take long first.
time_left() {
  local since=0 words
  [[ $force == false ]] || printf -v since '%(%s)T' -2  # when this shell began
  words=("$task" "$systems" "$seeds" "$folds" "$fold_jobs" "$since")
  trainings=$(IFS=$'\n'; echo "${words[*]}")
  longest_first=$systems
  (( _stage >= stage )) || return 0
  longest_first=$(python3 -ES "$DSNET_ROOT"/utils/time_left.py --order "${words[@]}")
  python3 -ES "$DSNET_ROOT"/utils/time_left.py "${words[@]}"
}

# fold_files DIR FILE...: set `files` to each FILE in DIR/fold_<name> of each fold in $folds.
fold_files() {
  local dir=$1 name file
  shift
  files=()
  for name in $folds; do
    for file; do files+=("$dir/fold_$name/$file"); done
  done
}

# stop STATUS: end the step that runs, say where the recipe stood and how to go on.
stop() {
  (( BASH_SUBSHELL == 0 )) || exit "$1"
  trap - ERR
  trap '' INT TERM HUP
  [[ -z $_child ]] || kill "$_child" 2> /dev/null || true
  [[ -z $_child ]] || wait "$_child" || true
  local what="stage $_stage ($_title)" from=${_stage:-$stage}
  [[ $_stage ]] || what="the start"
  (( from >= stage )) || from=$stage  # it only checked an earlier one
  case $1 in
    64) exit 1 ;;
    129|130|143) echo "${0##*/}: interrupted in $what; go on with: $_resume $from" >&2 ;;
    *) failure "${0##*/}: $what failed with exit status $1."
       (( $1 != 137 )) || echo "  A process of it was killed (SIGKILL): out of memory?" >&2
       echo "  Once the cause is mended, go on with: $_resume $from" >&2 ;;
  esac
  exit "$1"
}
trap 'stop $?' ERR
trap 'stop 130' INT
trap 'stop 143' TERM
trap 'stop 129' HUP
