# Options that every recipe of a corpus has, with their defaults; run.sh adds and changes some.
# shellcheck shell=bash disable=SC2034
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
# Options of every recipe (default):
#   --stage (0)               first stage to run; earlier ones are only checked
#   --stop-stage (5)          last stage to run
#   --force (false)           redo what is done
#   --feats (fbank)           features: conf/<feats>.yaml
#   --systems (dsnet_small)   conf/<system>.yaml or ../conf/<system>.yaml; several in quotes
#   --seeds (1)               several in quotes
#   --classical ()            SVMs on openSMILE functionals: "compare_svm egemaps_svm" (see README)
#   --ensembles ()            such as "dsnet_small dsnet_small+compare_svm": of all their seeds
#   --ablation (false)        train and score the variants of ../conf/ablation.txt instead
#   --folds ()                such as "03 08"; empty: all
#   --nj (2)                  parallel jobs of stage 1
#   --fold-jobs (2)           parallel jobs of stages 3 and 4, each with
#   --num-threads (1)         so many threads
#   --device (auto)           auto, cpu or cuda:N
#   --cmd (run.py)            launches CPU jobs: run.py, slurm.py, or Kaldi's run.pl, slurm.pl
#   --cuda-cmd (run.py)       launches stages 3 and 4, such as "slurm.py --gpu 1"
#   --results-dir ()          where stage 5 writes; empty: exp/results/<task>
#   --drop-bad-audio (false)  leave out unusable audio, counted, instead of stopping
#   --allow-count-mismatch (false)   go on though the corpus has other counts than its gate

stage=0
stop_stage=5
force=false
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
