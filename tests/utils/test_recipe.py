"""Options, stages, folds, errors and interrupts of a run.sh."""

import os
import pty
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_options_set_variables_in_both_spellings(recipe):
    recipe.write('echo "$nj|$seeds|$cmd|$corpus_dir|$PWD"\n')
    out = recipe.ok("--nj=7", "--seeds", "1 2 3", "--cmd", "slurm.py --gpu 1")
    assert out == f"7|1 2 3|slurm.py --gpu 1||{recipe.folder}\n"


def test_a_folder_is_relative_to_where_the_user_stands(recipe):
    recipe.write('echo "$corpus_dir"\n')
    assert recipe.ok("--corpus-dir", "my corpus/") == f"{recipe.where}/my corpus\n"
    inside = recipe.folder / "data"
    inside.mkdir()
    done = recipe.run("--corpus-dir", "../data/corpus", cwd=inside)
    assert done.stdout == "data/corpus\n"  # below the recipe: the same from wherever it is typed


def test_another_recipe_is_seen_from_beside_it(recipe):
    """--train and --test name folders in egs/, from wherever they are typed."""
    recipe.write('echo "$train|$test"\n')
    text = recipe.script.read_text()
    recipe.script.write_text(text.replace("nj=2\n", "nj=2\ntrain=\ntest=\n"))
    egs = recipe.folder.parent
    done = recipe.run("--train", "egs/one/", "--test", str(egs / "two"), cwd=egs.parent)
    assert done.stdout == "../one|../two\n"
    done = recipe.run("--train", "../one", "--test=two", cwd=egs / "toy")
    assert done.stdout == "../one|two\n"
    assert recipe.ok("--train", "one") == f"{recipe.where}/one|\n"  # not in egs/
    recipe.script.write_text(recipe.script.read_text().replace("$train|$test", "$command"))
    done = recipe.run("--train", "../one", "--test", "/big disk/two", cwd=egs / "toy")
    assert done.stdout == "bash egs/toy/run.sh --train egs/one --test FOLDER\n"


def test_a_flag_needs_no_value(recipe):
    recipe.write('echo "$force|$nj|$command"\n')
    assert recipe.ok("--force").startswith("true|2|")
    assert recipe.ok("--force", "--nj", "3").startswith("true|3|")
    assert recipe.ok("--force", "false").startswith("false|")


def test_stage_final_comes_behind_the_numbered_ones(recipe):
    recipe.write('stage 5 "score"\necho five\nstage final "a model"\n(( 6 < stage )) || echo six\n')
    text = recipe.script.read_text()
    assert recipe.run("--stage", "final").returncode == 1  # this recipe has none
    recipe.script.write_text(text.replace("nj=2\n", "nj=2\nbundle_dir=\n"))
    assert "stage final: a model" in recipe.ok("--stage", "final")
    assert recipe.ok("--stage", "5", "--stop-stage", "final").endswith("six\n")
    assert "six" not in recipe.ok("--stage", "5")
    done = recipe.run("--stage", "final", "--stop-stage", "4")
    assert "nothing to do" in done.stderr


def test_a_folder_or_program_that_cannot_be_is_called_by_its_option(recipe):
    recipe.write("echo ran\n")
    text = recipe.script.read_text()
    recipe.script.write_text(text.replace("nj=2\n", "nj=2\nresults_dir=\ncuda_cmd=run.py\n"))
    (recipe.where / "a file").touch()
    for name in ("--corpus-dir", "--results-dir"):
        error = recipe.fails(name, "a file")
        assert error == f"run.sh: {name}: {recipe.where}/a file: a file; expected a folder\n"
    (recipe.folder / "data").mkdir()
    (recipe.folder / "data" / "x").touch()
    assert "data/x: a file" in recipe.fails("--corpus-dir", f"{recipe.seen}/data/x")
    for name in ("--cmd", "--cuda-cmd"):
        assert f"run.sh: {name}: no program 'rn.py -x' here; run.py" in recipe.fails(
            name, "rn.py -x"
        )
    assert "option --cmd needs a value, not ''" in recipe.fails("--cmd", "")
    for name in ("--nj", "--nj=0", "--nj=-1"):
        assert "option --nj needs an integer of 1 or more" in recipe.fails(name)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read(recipe):
    recipe.write("echo ran\n")
    (recipe.where / "locked").mkdir(mode=0)
    assert "--corpus-dir: " in (error := recipe.fails("--corpus-dir", "locked"))
    assert "locked: permission denied; the folder must be read by you" in error


def test_a_corpus_is_needed_by_stage_0_alone(recipe):
    recipe.write('need_corpus\necho "<$corpus_dir>"\n')
    for given in ([], ["--corpus-dir", ""]):
        error = recipe.fails(*given)
        assert error.startswith("run.sh: --corpus-dir FOLDER is missing: stage 0 reads")
        assert f" {recipe.seen}/README.md " in error
        assert recipe.ok("--stage", "1", *given) == "<>\n"
    error = recipe.fails("--stage", "1", "--corpus-dir", "nowhere")
    assert error == f"run.sh: --corpus-dir: {recipe.where}/nowhere: no such folder\n"
    (recipe.where / "here").mkdir()
    assert recipe.ok("--corpus-dir", "here") == f"<{recipe.where}/here>\n"


def test_a_table_lies_in_the_corpus_or_where_its_full_path_says(recipe):
    recipe.write('need_table\necho "<$table>"\n')
    text = recipe.script.read_text()
    recipe.script.write_text(text.replace("nj=2\n", "nj=2\ntable=t.csv\n"))
    corpus = recipe.where / "a corpus"
    corpus.mkdir()
    given = ["--corpus-dir", "a corpus"]
    assert f"run.sh: --table: {corpus}/t.csv: no such file; give" in recipe.fails(*given)
    for path in (corpus / "t.csv", recipe.where / "u.csv"):
        path.touch()
    assert recipe.ok(*given) == f"<{corpus}/t.csv>\n"
    assert recipe.ok(*given, "--table", f"{recipe.where}/u.csv") == f"<{recipe.where}/u.csv>\n"
    error = recipe.fails(*given, "--table", "u.csv")  # there, but from where the user stands
    assert f"--table: {corpus}/u.csv: no such file; give its full path, or one that sta" in error
    assert recipe.ok("--stage", "3") == "<>\n"


def test_the_last_of_equal_options_counts(recipe):
    """The ablation adds its own options behind those of the user."""
    recipe.write('echo "$nj"\n')
    assert recipe.ok("--nj", "3", "--nj", "4") == "4\n"


@pytest.mark.parametrize("task, joint", [("4class", "@"), ("4class@folds.validation=none", ",")])
def test_ablation_runs_the_recipe_for_every_line(recipe, task, joint):
    """What one call of the recipe is told, a line each; the table is another test's."""
    conf = recipe.folder.parent / "conf"
    conf.mkdir()
    (conf / "ablation.txt").write_text("# a comment\n- one two@a=1\nx.y=3 one\n\n")
    recipe.write(
        "stage 4 infer\n"
        '[[ $ablation == true ]] || { echo "$task|$systems|$results_dir|$seeds"; exit 0; }\n'
        'stop_stage=4; ablation "$@"\n'
    )
    text = recipe.script.read_text()
    more = f"seeds=1\nablation=false\ntask={task}\nsystems=\nresults_dir=\n"
    recipe.script.write_text(text.replace("seeds=1\n", more))
    out = recipe.ok("--ablation", "--seeds", "1 2").splitlines()
    assert [line for line in out if "|" in line] == [
        f"{task}|one two@a=1||1 2",
        f"{task}{joint}x.y=3|one||1 2",
    ]


def test_what_a_line_of_the_ablation_prints_can_be_typed(recipe, environment):
    """Its paths and the command to go on with, from where the user stands."""
    conf = recipe.folder.parent / "conf"
    conf.mkdir()
    (conf / "ablation.txt").write_text("- one\n")
    recipe.write(
        "stage 4 infer\n"
        'if [[ $ablation == true ]]; then stop_stage=4; ablation "$@"; fi\n'
        'once a --reads --writes made -- touch made\necho "corpus: $corpus_dir"\n'
        'once b --reads made --writes -- test -e "$corpus_dir"/go\n'
    )
    text = recipe.script.read_text()
    more = "seeds=1\nablation=false\ntask=4class\nsystems=\n"
    recipe.script.write_text(text.replace("seeds=1\n", more))
    done = recipe.run("--ablation", "--corpus-dir", f"{recipe.seen}/data/corpus")
    assert "corpus: data/corpus\n" in done.stdout
    command = done.stderr.partition("go on with: ")[2].strip()
    (recipe.folder / "data/corpus").mkdir(parents=True)
    (recipe.folder / "data/corpus/go").touch()
    (recipe.folder / "made").unlink()
    done = subprocess.run(
        command, shell=True, cwd=recipe.where, env=environment(), text=True, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    assert f"a: {recipe.seen}/made is missing" in done.stdout


def test_no_name_stands_for_files(recipe):
    """Names of systems may hold brackets; files whose names would fit are beside run.sh."""
    (recipe.folder / "svm@c=1").touch()
    recipe.write('systems="svm@c=[1,2] *"; for name in $systems; do echo "<$name>"; done\n')
    assert recipe.ok() == "<svm@c=[1,2]>\n<*>\n"


def test_a_step_that_is_killed_says_so(recipe):
    recipe.write("stage 1 x\nonce a --reads --writes -- sh -c 'kill -KILL $$'\n")
    assert "a: killed by SIGKILL: out of memory?" in recipe.fails()
    recipe.write("stage 1 x\nsh -c 'kill -KILL $$'\n")
    assert "exit status 137" in (err := recipe.fails()) and "(SIGKILL): out of memory?" in err


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--stop-stge", "3"], "unknown option --stop-stge; did you mean --stop-stage?"),
        (["--zzz", "3"], "unknown option --zzz; there are: --stage --stop-stage --force --folds"),
        (["--path", "/"], "unknown option --path"),
        (["3"], "unexpected argument '3'"),
        (["--nj"], "option --nj needs an integer"),
        (["--nj", "--stage", "2"], "option --nj needs an integer"),
        (["--nj", "two"], "option --nj needs an integer of 1 or more, not 'two'"),
        (["--nj", "08"], "option --nj needs an integer of 1 or more, not '08'"),
        (["--force", "yes"], "option --force needs true or false, not 'yes'"),
        (["--overhang", "5ms"], "option --overhang needs seconds from 0 to 1, not '5ms'"),
        (["--overhang", "2"], "option --overhang needs seconds from 0 to 1, not '2'"),
        (["--page-sound", "no"], "option --page-sound needs link, embed or none, not 'no'"),
        (["--seeds", "1 x"], "option --seeds needs an integer or several in quotes, not '1 x'"),
        (
            ["--stage", "4", "--stop-stage", "3"],
            "nothing to do: --stage 4 comes after --stop-stage 3",
        ),
    ],
)
def test_a_wrong_option_is_explained(recipe, args, message):
    recipe.write("echo ran\n")
    done = recipe.run(*args)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith(f"run.sh: {message}") and done.stderr.count("\n") == 1


def test_help_prints_the_header_of_run_sh(recipe):
    recipe.write("echo ran\n")
    assert recipe.ok("--help") == (
        "A toy recipe.\n\n  --corpus-dir (none)   where the corpus lies\n"
    )


def test_an_exported_variable_does_not_disturb_an_option(recipe, monkeypatch):
    monkeypatch.setenv("stage", "4")
    monkeypatch.setenv("CDPATH", "/tmp:.")
    recipe.write('echo "$stage"\n')
    assert recipe.ok() == "0\n" and recipe.ok("--stage", "2") == "2\n"


def test_without_the_package_it_says_what_to_run(recipe, tmp_path, environment):
    recipe.write("echo ran\n")
    bare = tmp_path / "bin"
    bare.mkdir()
    (bare / "python3").symlink_to("/usr/bin/python3" if os.path.exists("/usr/bin/python3") else "?")
    if (
        subprocess.run([bare / "python3", "-Ic", "import dsnet"], capture_output=True).returncode
        == 0
    ):
        pytest.skip("the system's Python holds the package")
    env = environment(PATH=f"{bare}:{os.environ['PATH']}", VIRTUAL_ENV="/nowhere")
    done = subprocess.run(
        ["bash", recipe.script], cwd=ROOT, env=env, text=True, capture_output=True
    )
    setup = shlex.quote(f"{recipe.folder.parents[1]}/utils/setup.sh")
    assert done.returncode == 1 and f"run: bash {setup}" in done.stderr


def test_only_the_chosen_stages_run(recipe):
    recipe.write(
        "".join(
            f"stage {n} 'step {n}'\nonce a --reads --writes -- sh -c 'echo ran {n}'\n"
            for n in range(4)
        )
    )
    recipe.ok()
    out = recipe.ok("--stage", "1", "--stop-stage", "2", "--force", "true")
    assert [line for line in out.splitlines() if "ran" in line] == ["ran 1", "ran 2"]
    assert "stage 1: step 1" in out and "stage 0" not in out and "stage 3" not in out


def test_a_failure_says_how_to_resume(recipe, tmp_path, environment):
    """The printed command, pasted into a shell, goes on behind the steps that are done."""
    recipe.write(
        "stage 0 prepare\nonce a --reads --writes -- sh -c 'echo ran first'\n"
        "stage 1 'log-mel features'\n"
        'once b --reads --writes -- sh -c \'test -e "$0" && echo "ran with $0"\' "$corpus_dir"/go\n'
    )
    err = recipe.fails("--corpus-dir", "it's here", "--nj=3", "--stage", "0")
    assert "stage 1 (log-mel features) failed with exit status 1" in err
    command = err.partition("go on with: ")[2].strip()
    assert shlex.split(command)[2:] == ["--corpus-dir", "it's here", "--nj", "3", "--stage", "1"]
    (tmp_path / "it's here").mkdir()
    (tmp_path / "it's here" / "go").touch()
    done = subprocess.run(
        command, shell=True, cwd=tmp_path, env=environment(), text=True, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    assert f"ran with {tmp_path}/it's here/go" in done.stdout and "ran first" not in done.stdout


def test_folds(recipe):
    recipe.write('chosen=$(fold_names data/4class)\nfor f in $chosen; do echo "<$f>"; done\n')
    folds = f"{recipe.seen}/data/4class/folds"
    assert recipe.fails() == f"run.sh: {folds} is missing; run the stage that makes folds\n"
    (recipe.folder / "data" / "4class").mkdir(parents=True)
    (recipe.folder / "data" / "4class" / "folds").write_text("03\n08\nSes1\n")
    assert recipe.ok() == "<03>\n<08>\n<Ses1>\n"
    assert recipe.ok("--folds", "08 03") == "<08>\n<03>\n"
    err = recipe.fails("--folds", "08 8")
    assert err == f"run.sh: no fold '8' in {folds}; it has: 03 08 Ses1\n"


def test_files_of_the_folds(recipe):
    recipe.write('fold_files "a b" x.pt {dev,test}/y; printf "%s\\n" "${files[@]}"\n')
    assert recipe.ok("--folds", "1 2").splitlines() == [
        f"a b/fold_{name}/{file}" for name in "12" for file in ("x.pt", "dev/y", "test/y")
    ]


def test_the_command_for_the_record_holds_no_machine(recipe):
    """Where the user stands, where the corpus lies and which stage runs do not show."""
    recipe.write('echo "$recipe: $command"\n')
    out = recipe.ok("--stage", "2", "--corpus-dir", "/big disk/x", "--seeds", "1 2", "--nj=3")
    assert out == "toy: bash egs/toy/run.sh --corpus-dir FOLDER --seeds '1 2' --nj 3\n"
    out = recipe.ok("--corpus-dir", f"{recipe.folder}/data/corpus")
    assert out == "toy: bash egs/toy/run.sh --corpus-dir data/corpus\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("to", ["terminal group", "run.sh alone"])
def test_an_interrupt_ends_all_processes(recipe, number, to, wait_for, alive):
    job = "sleep 60 & echo $! > grandchild.JOB; echo $$ > job.JOB; wait"
    recipe.write(f"stage 3 train\nonce a --reads --writes -- $cmd JOB=1:2 l.JOB sh -c '{job}'\n")
    process = recipe.start(start_new_session=True)
    files = [recipe.folder / f"{kind}.{n}" for kind in ("job", "grandchild") for n in (1, 2)]
    wait_for(lambda: all(f.exists() and f.read_text().strip() for f in files))
    pids = [int(f.read_text()) for f in files]
    assert all(map(alive, pids))
    (os.killpg if to == "terminal group" else os.kill)(process.pid, number)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 128 + number
    wait_for(lambda: not any(map(alive, pids)), seconds=1.0)
    assert err == (
        f"run.sh: interrupted in stage 3 (train); go on with: "
        f"bash {shlex.quote(str(recipe.script))} --stage 3\n"
    )
    assert not list(recipe.folder.glob(".done/*.json"))


@pytest.mark.parametrize(
    "script", sorted(ROOT.glob("*.sh")) + sorted(ROOT.glob("[etu]*/**/*.sh")), ids=lambda p: p.name
)
def test_shellcheck(script):
    done = subprocess.run(
        [Path(sys.prefix, "bin/shellcheck"), "-x", "-P", "SCRIPTDIR:.", script],
        cwd=ROOT,
        text=True,
        capture_output=True,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(("no_color", "coloured"), [(None, True), ("", True), ("1", False)])
def test_titles_are_bold_and_failures_red_on_a_terminal_alone(
    recipe, environment, no_color, coloured
):
    """NO_COLOR counts if it is set and not empty: https://no-color.org."""
    recipe.write("stage 1 features\nfalse\n")
    extra = {} if no_color is None else {"NO_COLOR": no_color}
    main, side = pty.openpty()
    process = subprocess.Popen(
        ["bash", str(recipe.script)],
        cwd=recipe.where,
        env=environment(**extra),
        stdout=side,
        stderr=side,
    )
    process.wait(timeout=8)
    os.close(side)
    text = os.read(main, 1 << 16).decode()
    os.close(main)
    title, failed, advice = text.splitlines()
    assert "stage 1: features" in title and "stage 1 (features) failed" in failed
    assert title.startswith("\x1b[1m") == title.endswith("\x1b[0m") == coloured
    assert failed.startswith("\x1b[31m") == failed.endswith("\x1b[0m") == coloured
    assert "\x1b" not in advice
    done = recipe.run()
    assert "\x1b" not in done.stdout + done.stderr
