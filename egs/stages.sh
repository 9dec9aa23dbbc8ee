# Stages 0 (counts) to 5, and final, of every recipe of a corpus: run.sh goes on here after it has prepared.
# shellcheck shell=bash disable=SC2154,SC2086,SC2046  # options of run.sh; a launcher may have its own

manifests=(data/manifests/{recordings,supervisions}.jsonl.gz)

# Runs in front of --stage too: it is quick, and who edits a task goes on with --stage 2.
task_config=(conf/"${task%%@*}".yaml data/"$task"/.config.json)  # the file, and all that it says
stage=0 once "gate.$task" --reads "${task_config[@]}" "${manifests[@]}" \
  --writes data/manifests/gate."$task".json \
  -- python -m dsnet.bin.check_gate --allow-count-mismatch "$allow_count_mismatch" \
  --folds "$folds" conf/"$task".yaml data/manifests data/manifests/gate."$task".json

stage 1 "features"
for name in $features; do
  config=data/$name/config.json
  once "$name.jobs" --reads "$config" "${manifests[@]}" --writes data/"$name"/shards \
    -- $(launcher_of "$name") JOB=1:"$nj" data/"$name"/log/extract.JOB.log \
    python -m dsnet.bin.extract --features "$name" --job JOB --num-jobs "$nj" \
    --device "$device" \
    data/manifests data/"$name"
  once "$name" --reads "$config" "${manifests[@]}" \
    --writes data/"$name"/{feats.scp,utt2num_frames,cuts.jsonl.gz,frames.bin,utt2crc32,feats.json} \
    -- python -m dsnet.bin.combine_feats --features "$name" data/manifests data/"$name"
done

stage 2 "folds and neutral references"
once "folds.$task" --reads "${task_config[@]}" "${manifests[@]}" --writes data/"$task"/task.json \
  -- python -m dsnet.bin.make_folds --allow-near-copies "$allow_near_copies" \
  conf/"$task".yaml data/manifests data/"$task"

stage 3 "train"
folds=$(fold_names data/"$task")
num_folds=$(wc -w <<< "$folds")
time_left
team=()  # of processes that train one network
((processes == 1)) || team=(--processes "$processes")
for name in $longest_first; do
  feats=data/$(features_of "$name")/feats.json
  for seed in $seeds; do
    exp=exp/$task/$name/seed_$seed
    fold_files "$exp" "" train.json model.pt
    queue "train.$task.$name.$seed" --reads exp/"$task/$name"/system.json "$feats" data/"$task" \
      --writes "${files[@]}" \
      -- $cuda_cmd --max-jobs-run "$fold_jobs" --num-threads "$num_threads" \
      JOB=1:"$num_folds" "$exp"/log/train.JOB.log \
      python -m dsnet.bin.train --task "$task" --system "$name" --seed "$seed" \
      --folds "$folds" --job JOB --device "$device" --num-threads "$num_threads" "${team[@]}"
  done
done
DSNET_TRAININGS=$trainings together

stage 4 "infer"
for name in $systems; do
  feats=data/$(features_of "$name")/feats.json
  for seed in $seeds; do
    exp=exp/$task/$name/seed_$seed
    fold_files "$exp" train.json
    trained=("${files[@]}")
    fold_files "$exp" run.json {dev,test}/posteriors.tsv
    queue "infer.$task.$name.$seed" --reads "$feats" data/"$task" "${trained[@]}" \
      --writes "${files[@]}" \
      -- $cuda_cmd --max-jobs-run "$fold_jobs" --num-threads "$num_threads" \
      JOB=1:"$num_folds" "$exp"/log/infer.JOB.log \
      python -m dsnet.bin.infer --task "$task" --system "$name" --seed "$seed" \
      --folds "$folds" --job JOB --device "$device" --num-threads "$num_threads" \
      --enrolments "$(enrolments_of "$name")"
  done
done
together
for name in $networks; do
  for seed in $seeds; do
    exp=exp/$task/$name/seed_$seed
    fold_files "$exp" train.json
    trained=("${files[@]}")
    fold_files "$exp" run.json {dev,test}/posteriors.tsv
    inferred=("${files[@]}")
    fold_files "$exp" probes.json
    once "probe.$task.$name.$seed" --reads data/"$task" "${trained[@]}" "${inferred[@]}" \
      --writes "${files[@]}" -- python -m dsnet.bin.probe --folds "$folds" data/"$task" "$exp"
  done
done
for name in $ensembles; do
  ensemble "$name" "exp/$task" --task "$task"
done

stage 5 "score"
results_dir=${results_dir:-exp/results/$task}
once "score.$task" --reads conf ../conf data/"$task" exp/"$task" \
  --writes "$results_dir"/{index.html,RESULTS.md,metrics.json} \
  -- python -m dsnet.bin.score --task "$task" --command "$command" --sound "$page_sound" \
  --results-dir "$results_dir"
show_results "$results_dir"

stage final "a model of all speakers"
seed=${seeds%% *}
read -ra bundled <<< "$systems"
models=()
runs=()
for name in "${bundled[@]}"; do
  exp=exp/$task.final/$name/seed_$seed
  feats=data/$(features_of "$name")/feats.json
  queue "final.$task.$name.$seed" --reads exp/"$task/$name"/system.json "$feats" data/"$task" \
    --writes "$exp"/{train.json,model.pt} \
    -- $cuda_cmd --max-jobs-run "$fold_jobs" --num-threads "$num_threads" "$exp"/log/final.log \
    python -m dsnet.bin.train --task "$task" --system "$name" --seed "$seed" --folds final \
    --device "$device" --num-threads "$num_threads" "${team[@]}"
  models+=("$exp"/model.pt)
  for each in $seeds; do
    fold_files "exp/$task/$name/seed_$each" run.json test/posteriors.tsv
    runs+=("${files[@]}")
  done
done
together
bundle_dir=${bundle_dir:-exp/$task.final/$recipe-$(features_of "${bundled[0]}")}
card=()
[[ ! -f card.yaml ]] || card=(card.yaml)
once "bundle.$task.${bundle_dir//\//.}" \
  --reads conf "${card[@]}" data/"$task" "${models[@]}" "${runs[@]}" \
  --writes "$bundle_dir"/{manifest.json,config.yaml,model.safetensors,card.md} \
  -- python -m dsnet.bin.bundle --task "$task" --systems "${bundled[*]}" --seeds "$seeds" \
  --folds "$folds" --command "$command" "$bundle_dir"
