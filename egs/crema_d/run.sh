#!/usr/bin/env bash
# DSNet on CREMA-D: 7,441 utterances of 91 actors in 6 emotions, five groups of actors.
#
# Usage: bash egs/crema_d/run.sh --corpus-dir FOLDER [--stage N] [--<option> <value>] ...
#
#   stage 0  prepare   corpus             -> data/manifests (Lhotse), counts checked
#   stage 1  features  manifests          -> data/<feats>: feats.scp and arks (Kaldi), cuts (Lhotse)
#   stage 2  folds     cuts               -> data/<task>: speaker-disjoint folds, spk2neutral, audit
#   stage 3  train     folds, features    -> exp/<task>/<system>/seed_<s>/fold_<name>/model.pt
#   stage 4  infer     model.pt           -> .../fold_<name>/{dev,test}/posteriors.tsv, probes.json
#   stage 5  score     posteriors         -> <results-dir>/RESULTS.md, ledger.jsonl, figures/
#
# What is done for the same command, configs and inputs is skipped, so the same command resumes.
#
# Options (default):
#   --corpus-dir              folder that holds CREMA-D's AudioWAV/ (see README.md)
#   --stage (0)               first stage to run; earlier ones are only checked
#   --stop-stage (5)          last stage to run
#   --force (false)           redo what is done
#   --task (6class)           classes, folds and references: conf/<task>.yaml
#   --feats (fbank)           features: conf/<feats>.yaml
#   --systems (dsnet_small)   conf/<system>.yaml or ../conf/<system>.yaml; several in quotes
#   --seeds (1)               several in quotes
#   --classical ()            SVMs on openSMILE functionals: "compare_svm egemaps_svm" (see README)
#   --ensembles ()            such as "dsnet_small dsnet_small+compare_svm": of all their seeds
#   --ablation (false)        train and score the variants of ../conf/ablation.txt instead
#   --folds ()                such as "group1 group2"; empty: all
#   --nj (2)                  parallel jobs of stage 1
#   --fold-jobs (2)           parallel jobs of stages 3 and 4, each with
#   --num-threads (1)         so many threads
#   --device (auto)           auto, cpu or cuda:N
#   --cmd (run.py)            launches CPU jobs: run.py, slurm.py, or Kaldi's run.pl, slurm.pl
#   --cuda-cmd (run.py)       launches stages 3 and 4, such as "slurm.py --gpu 1"
#   --results-dir ()          where stage 5 writes; empty: exp/results/<task>
#   --drop-bad-audio (false)  leave out unusable audio, counted, instead of stopping
#   --allow-count-mismatch (false)   go on though the corpus has other counts than its gate

corpus_dir=
stage=0
stop_stage=5
force=false
task=6class
feats=fbank
systems=dsnet_small
seeds=1
classical=
ensembles=
ablation=false
folds=
nj=2
fold_jobs=2
num_threads=1
device=auto
cmd=run.py
cuda_cmd=run.py
results_dir=
drop_bad_audio=false
allow_count_mismatch=false

# shellcheck source=path.sh
. "$(dirname "$0")/../../path.sh"
# shellcheck source=utils/recipe.sh
. "$DSNET_ROOT/utils/recipe.sh"
parse_options "$@"
[[ $ablation == false ]] || ablation "$@"

stage 0 "prepare"
once manifests --reads "$corpus_dir" local/prepare.py \
  --writes data/manifests/{recordings,supervisions}.jsonl.gz \
  -- python local/prepare.py "$corpus_dir" data/manifests --drop-bad-audio "$drop_bad_audio"

# Stages 0 (counts) to 5 read the same in every recipe.
once "gate.$task" --reads conf/"${task%%@*}".yaml data/manifests/supervisions.jsonl.gz \
  --writes data/manifests/gate."$task".json \
  -- python -m dsnet.bin.check_gate --allow-count-mismatch "$allow_count_mismatch" \
  conf/"$task".yaml data/manifests data/manifests/gate."$task".json

stage 1 "features"
once "$feats.jobs" --reads conf/"$feats".yaml data/manifests/{recordings,supervisions}.jsonl.gz \
  --writes data/"$feats"/shards \
  -- $cmd JOB=1:"$nj" data/"$feats"/log/compute_fbank.JOB.log \
  python -m dsnet.bin.compute_fbank --config conf/"$feats".yaml --job JOB --num-jobs "$nj" \
  data/manifests data/"$feats"
once "$feats" --reads conf/"$feats".yaml data/manifests/{recordings,supervisions}.jsonl.gz \
  --writes data/"$feats"/{feats.scp,utt2num_frames,cuts.jsonl.gz,feats.json} \
  -- python -m dsnet.bin.combine_feats --config conf/"$feats".yaml --num-jobs "$nj" \
  data/manifests data/"$feats"

stage 2 "folds and neutral references"
once "folds.$task" --reads conf/"${task%%@*}".yaml data/"$feats"/cuts.jsonl.gz \
  --writes data/"$task"/task.json \
  -- python -m dsnet.bin.make_folds conf/"$task".yaml data/"$feats" data/"$task"

stage 3 "train"
folds=$(fold_names data/"$task")
num_folds=$(wc -w <<< "$folds")
for name in $systems; do
  config=$(system_config "$name")
  for seed in $seeds; do
    exp=exp/$task/$name/seed_$seed
    fold_files "$exp" train.json model.pt
    time_left
    once "train.$task.$name.$seed" --reads "$config" data/"$feats"/feats.json data/"$task" \
      --writes "${files[@]}" \
      -- $cuda_cmd --max-jobs-run "$fold_jobs" --num-threads "$num_threads" \
      JOB=1:"$num_folds" "$exp"/log/train.JOB.log \
      python -m dsnet.bin.train --system "$name" --folds "$folds" --job JOB \
      --seed "$seed" --device "$device" --num-threads "$num_threads" \
      data/"$task" data/"$feats" "$exp"
  done
done

stage 4 "infer"
for name in $systems; do
  for seed in $seeds; do
    exp=exp/$task/$name/seed_$seed
    fold_files "$exp" train.json
    trained=("${files[@]}")
    fold_files "$exp" {train,dev,test}/embeddings.npz {dev,test}/posteriors.tsv
    inferred=("${files[@]}")
    once "infer.$task.$name.$seed" --reads data/"$feats"/feats.json data/"$task" "${trained[@]}" \
      --writes "${inferred[@]}" \
      -- $cuda_cmd --max-jobs-run "$fold_jobs" --num-threads "$num_threads" \
      JOB=1:"$num_folds" "$exp"/log/infer.JOB.log \
      python -m dsnet.bin.infer --system "$name" --folds "$folds" --job JOB \
      --seed "$seed" --device "$device" --num-threads "$num_threads" \
      data/"$task" data/"$feats" "$exp"
    fold_files "$exp" probes.json
    once "probe.$task.$name.$seed" --reads data/"$task" "${trained[@]}" "${inferred[@]}" \
      --writes "${files[@]}" -- python -m dsnet.bin.probe --folds "$folds" data/"$task" "$exp"
  done
done
for name in $classical; do
  once "functionals.${name%%_*}" --reads data/manifests/{recordings,supervisions}.jsonl.gz \
    --writes data/opensmile/"${name%%_*}".npz \
    -- python -m dsnet.bin.compute_functionals --set "${name%%_*}" --nj "$nj" \
    data/manifests data/opensmile
  fold_files exp/"$task"/"$name"/seed_1 train.json {dev,test}/posteriors.tsv
  once "classical.$task.$name" --reads data/opensmile/"${name%%_*}".npz data/"$task" \
    --writes "${files[@]}" -- python -m dsnet.bin.classical --system "$name" --folds "$folds" \
    data/"$task" data/opensmile exp/"$task"
done
for members in $ensembles; do
  IFS=+ read -ra names <<< "$members"
  fold_files exp/"$task"/ensemble_of_"$members"/seed_1 train.json {dev,test}/posteriors.tsv
  once "ensemble.$task.$members" --reads data/"$task" "${names[@]/#/exp/$task/}" \
    --writes "${files[@]}" -- python -m dsnet.bin.combine --systems "${members//+/ }" --folds "$folds" \
    data/"$task" exp/"$task"
done

stage 5 "score"
results_dir=${results_dir:-exp/results/$task}
once "score.$task" --reads conf ../conf data/"$task" exp/"$task" \
  --writes "$results_dir"/RESULTS.md \
  -- python -m dsnet.bin.score --recipe "$recipe" --command "$command" --results-dir "$results_dir" \
  conf/"$task".yaml data/"$task" exp/"$task"
