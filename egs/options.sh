# Options that every recipe of a corpus has, with their defaults; run.sh adds and changes some.
# shellcheck shell=bash disable=SC2034
#
# Stages:
#   0  prepare   corpus             -> data/manifests (Lhotse), counts checked
#   1  features  manifests          -> data/<features>: feats.scp and arks (Kaldi), cuts (Lhotse)
#   2  folds     manifests          -> data/<task>: speaker-disjoint folds, spk2neutral, audit
#   3  train     folds, features    -> exp/<task>/<system>/seed_<s>/fold_<name>/model.pt
#   4  infer     model.pt           -> .../fold_<name>/{dev,test}/posteriors.tsv, probes.json
#   5  score     posteriors         -> <results-dir>/index.html, RESULTS.md, ledger.jsonl
#   final        all speakers, runs -> <bundle-dir>: a model for `dsnet predict`, with its card
#
# What is done for the same command, configs, code and inputs is skipped, so the same command resumes.
#
# Options of every recipe (default):
#   --stage (0)               first stage to run; earlier ones are only checked
#   --stop-stage (5)          last stage to run; --stage final runs that one alone
#   --force (false)           redo what is done, from --stage on
#   --systems (dsnet_small)   several in quotes: conf/systems/<system>.yaml of the recipe or of all;
#                             dsnet@losses.alpha=1 is dsnet with a key changed; dsnet+compare_svm
#                             is one decision of both, of all their seeds
#   --seeds (1)               several in quotes
#   --folds ()                such as "03 08"; empty: all
#   --enrolments ()           such as "neutral:1 neutral:5 any:3": try enrolled systems with these too,
#                             those given neutral utterances with neutral:N, others with any:N or all
#   --ablation (false)        train and score the variants of ../conf/ablation.txt instead
#   --nj (2)                  parallel jobs of stage 1
#   --fold-jobs (2)           parallel jobs of stages 3, 4 and final, each with
#   --num-threads (1)         so many threads
#   --processes (1)           that train one network together, each on a GPU of its own: data parallel,
#                             such as two with --cuda-cmd "slurm.py --gpu 2", or here on two
#                             GPUs with --cuda-cmd "run.py --gpu 2" --fold-jobs 1
#   --device (auto)           auto, cpu or cuda:N
#   --cmd (run.py)            launches CPU jobs: run.py, slurm.py, or Kaldi's run.pl, slurm.pl
#   --cuda-cmd (run.py)       launches encoders, stages 3, 4 and final, such as "slurm.py --gpu 1"
#   --models-dir ()           folder with pretrained encoders, each in a folder of its name; empty:
#                             that of DSNET_MODELS, else those of the Hugging Face hub
#   --results-dir ()          where stage 5 writes; empty: exp/results/<task>
#   --page-sound (link)       of the mistakes that its page shows: link to the corpus, embed, or
#                             none, then without spectrogram and text, too
#   --bundle-dir ()           where stage final writes; empty: exp/<task>.final/<recipe>-<features>. Of the
#                             first seed, and of the systems at most one for each of
#                             enrolment.source none, neutral and any
#   --channel ()              which of several: 0, 1, ... or mean; empty: 0, and counted
#   --overhang (0.01)         seconds that an utterance may end behind its file, where it is cut, counted
#   --drop-bad-audio (false)  leave out unusable audio, counted, instead of stopping
#   --allow-count-mismatch (false)   go on though the corpus has other counts than its gate
#   --allow-near-copies (false)      go on though two sides of a fold hold near copies of a recording

stage=0
stop_stage=5
force=false
systems=dsnet_small
seeds=1
folds=
enrolments=
ablation=false
nj=2
fold_jobs=2
num_threads=1
processes=1
device=auto
cmd=run.py
cuda_cmd=run.py
models_dir=${DSNET_MODELS:+$(realpath -m -- "$DSNET_MODELS")}
results_dir=
page_sound="link"
bundle_dir=
channel=
overhang=0.01
drop_bad_audio=false
allow_count_mismatch=false
allow_near_copies=false
