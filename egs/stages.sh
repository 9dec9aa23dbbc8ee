# Stages 0 (counts) to 5 of every recipe of a corpus; run.sh goes on here once it has prepared.
# shellcheck shell=bash disable=SC2154,SC2086  # options of run.sh; a launcher may have its own

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
