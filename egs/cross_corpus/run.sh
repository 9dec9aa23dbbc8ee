#!/usr/bin/env bash
# Models of one recipe scored on the utterances of another, in the classes that both have.
#
# Usage: bash egs/cross_corpus/run.sh --train egs/emodb --test egs/ravdess [--<option> <value>] ...
#
#   stage 2  audit  folds, features  -> data/<task>: classes, features and audio of both compared
#   stage 4  infer  models, features -> exp/<task>/<system>/<target-statistics>/<train>/<test>/...
#   stage 5  score  posteriors       -> <results-dir>/RESULTS.md: all pairs so far, metrics.json
#
# Both recipes must have been run: the first to the end of stage 3 (stage 5 for its own figures on
# the diagonal), the second to the end of stage 2. Nothing is written into their folders. What is
# done for the same command, configs and inputs is skipped.
#
# Options (default):
#   --train                   recipe whose models are scored, such as egs/emodb
#   --test                    recipe whose task utterances they are scored on
#   --stage (2)               first stage to run; earlier ones are only checked
#   --stop-stage (5)          last stage to run
#   --force (false)           redo what is done
#   --task (4class)           shared classes: conf/<task>.yaml
#   --feats (fbank)           features of both recipes: data/<feats>
#   --systems (dsnet_small)   systems that the first recipe has trained; several in quotes
#   --seeds (1)               several in quotes
#   --folds ()                folds of the first recipe whose models are scored; empty: all
#   --target-statistics (none)   corpus or speaker: before scoring, the target's log-mels get the
#                             mean and deviation of the training part, over all of the target's
#                             (or each of its speakers') audio; no labels, but transductive
#   --fold-jobs (2)           parallel jobs of stage 4, each with
#   --num-threads (1)         so many threads
#   --device (auto)           auto, cpu or cuda:N
#   --cuda-cmd (run.py)       launches stage 4: run.py, or slurm.py such as "slurm.py --gpu 1"
#   --results-dir ()          where stage 5 writes; empty: exp/results/<task>

train=
test=
stage=2
stop_stage=5
force=false
task=4class
feats=fbank
systems=dsnet_small
seeds=1
folds=
target_statistics=none
fold_jobs=2
num_threads=1
device=auto
cuda_cmd=run.py
results_dir=

# shellcheck source=path.sh
. "$(dirname "$0")/../../path.sh"
# shellcheck source=utils/recipe.sh
. "$DSNET_ROOT/utils/recipe.sh"
parse_options "$@"

stage 2 "shared classes and audit"
tasks=$(python -m dsnet.bin.cross_tasks --systems "$systems" --seeds "$seeds" --folds "$folds" \
  --feats "$feats" conf/"$task".yaml "$train" "$test")
read -r train_task test_task <<< "$tasks"
folds=$(fold_names "$train/data/$train_task")
num_folds=$(wc -w <<< "$folds")
pair=${train##*/}/${test##*/}
inputs=("$train/data/$train_task" "$test/data/$test_task")
inputs+=({"$train","$test"}/data/"$feats"/feats.json)
once "audit.$task.${pair/\//--}" --reads conf/"$task".yaml "${inputs[@]}" \
  --writes data/"$task/$pair"/audit.json \
  -- python -m dsnet.bin.cross_audit --feats "$feats" \
  conf/"$task".yaml "$train" "$test" data/"$task/$pair"/audit.json

stage 4 "infer"
for name in $systems; do
  config=$(system_config "$name" "$train")
  for seed in $seeds; do
    fold_files "$train/exp/$train_task/$name/seed_$seed" model.pt
    models=("${files[@]}")
    exp=exp/$task/$name/$target_statistics/$pair/seed_$seed
    fold_files "$exp" posteriors.tsv cross.json
    once "infer.$task.$name.$target_statistics.${pair/\//--}.$seed" \
      --reads "$config" "${inputs[@]}" "${models[@]}" --writes "${files[@]}" \
      -- $cuda_cmd --max-jobs-run "$fold_jobs" --num-threads "$num_threads" \
      JOB=1:"$num_folds" "$exp"/log/infer.JOB.log \
      python -m dsnet.bin.cross_infer --system "$name" --folds "$folds" --job JOB --seed "$seed" \
      --feats "$feats" --target-statistics "$target_statistics" \
      --device "$device" --num-threads "$num_threads" \
      "$train" "$train_task" "$test" "$test_task" "$exp"
  done
done

stage 5 "score"
results_dir=${results_dir:-exp/results/$task}
diagonal=()  # the recipes' own test posteriors, where they are there already
for name in $systems; do
  for own in "$train/exp/$train_task/$name" "$test/exp/$test_task/$name"; do
    [[ ! -d $own ]] || diagonal+=("$own")
  done
done
once "score.$task" --reads conf/"$task".yaml "${inputs[@]}" exp/"$task" "${diagonal[@]}" \
  --writes "$results_dir"/RESULTS.md \
  -- python -m dsnet.bin.cross_score --command "$command" --results-dir "$results_dir" \
  conf/"$task".yaml exp/"$task"
