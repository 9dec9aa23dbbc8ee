#!/usr/bin/env bash
# Models of one recipe tested on the utterances of another, in the classes that both have.
#
# Usage: bash egs/cross_corpus/run.sh --train egs/emodb --test egs/ravdess [--<option> <value>] ...
#
#   stage 2  audit  folds, features  -> classes, features and audio of both compared
#   stage 4  infer  models, features -> exp/<task>/<train>_on_<test>/<system>/seed_<s>/fold_<name>/
#   stage 5  score  posteriors       -> <results-dir>/index.html: all pairs so far, ledger.jsonl
#
# Both recipes must have been run: the first to the end of stage 3 (stage 4 to stand beside them on
# itself), the second to the end of stage 2, with the systems' features. Nothing is written into
# their folders. What is done for the same command, configs, code and inputs is skipped.
#
# Options (default):
#   --train                   recipe whose models are tested, such as egs/emodb
#   --test                    recipe whose task utterances they are tested on
#   --stage (2)               first stage to run; earlier ones are only checked
#   --stop-stage (5)          last stage to run
#   --force (false)           redo what is done, from --stage on
#   --task (4class)           shared classes: conf/<task>.yaml
#   --systems (dsnet_small)   systems that the first recipe has trained, or ensembles of them
#   --seeds (1)               several in quotes
#   --folds ()                folds of the first recipe whose models are tested; empty: all
#   --match-target (none)     corpus or speaker: before the test, the target's features get the mean
#                             and deviation of the training part, over all of the target's (or each
#                             of its speakers') audio; no labels, but transductive
#   --fold-jobs (2)           parallel jobs of stage 4, each with
#   --num-threads (1)         so many threads
#   --device (auto)           auto, cpu or cuda:N
#   --cuda-cmd (run.py)       launches stage 4: run.py, or slurm.py such as "slurm.py --gpu 1"
#   --results-dir ()          where stage 5 writes; empty: exp/results/<task>

# shellcheck source=path.sh
. "$(dirname "$0")/../../path.sh"
# shellcheck source=utils/recipe.sh
. "$DSNET_ROOT/utils/recipe.sh"
train=
test=
stage=2
stop_stage=5
force=false
task=4class
systems=dsnet_small
seeds=1
folds=
match_target=none
fold_jobs=2
num_threads=1
device=auto
cuda_cmd=run.py
results_dir=
parse_options "$@"

stage 2 "shared classes and audit"
lines=$(python -m dsnet.bin.plan_pair --train "$train" --test "$test" --systems "$systems" \
  --seeds "$seeds" --folds "$folds" --match-target "$match_target" --device "$device" \
  conf/"$task".yaml)
read -r _ train_task test_task <<< "$lines"
read_plan "$lines"
folds=$(fold_names "$train/data/$train_task")
num_folds=$(wc -w <<< "$folds")
pair=${train##*/}_on_${test##*/}
[[ $match_target == none ]] || pair+=_matched_by_$match_target

stage 4 "infer"
for name in $systems; do
  inputs=({"$train/data/$train_task","$test/data/$test_task"})
  inputs+=({"$train","$test"}/data/"$(features_of "$name")"/feats.json)
  for seed in $seeds; do
    fold_files "$train/exp/$train_task/$name/seed_$seed" train.json model.pt
    models=("${files[@]}")
    exp=exp/$task/$pair/$name/seed_$seed
    fold_files "$exp" run.json {dev,test}/posteriors.tsv
    queue "infer.$task.$pair.$name.$seed" --reads "${inputs[@]}" "${models[@]}" \
      --writes "${files[@]}" \
      -- $cuda_cmd --max-jobs-run "$fold_jobs" --num-threads "$num_threads" \
      JOB=1:"$num_folds" "$exp"/log/infer.JOB.log \
      python -m dsnet.bin.infer --recipe "$train" --task "$train_task" --system "$name" \
      --seed "$seed" --folds "$folds" --job JOB --device "$device" --num-threads "$num_threads" \
      --on "$test" --on-task "$test_task" --match-target "$match_target" --to "$exp"
  done
done
together
for name in $ensembles; do
  ensemble "$name" "exp/$task/$pair" --recipe "$train" --task "$train_task"
done

stage 5 "score"
results_dir=${results_dir:-exp/results/$task}
own=()  # the recipes' own runs of these systems, where they are there
for name in $systems $ensembles; do
  for folder in "$train/exp/$train_task/$name" "$test/exp/$test_task/$name"; do
    [[ ! -d $folder ]] || own+=("$folder")
  done
done
once "score.$task" --reads conf/"$task".yaml "$train/data/$train_task" "$test/data/$test_task" \
  exp/"$task" "${own[@]}" --writes "$results_dir"/{index.html,RESULTS.md,metrics.json} \
  -- python -m dsnet.bin.score --shared conf/"$task".yaml --command "$command" \
  --results-dir "$results_dir"
show_results "$results_dir"
