#!/usr/bin/env python3
"""Check the options of a run.sh and print what they set, for parse_options in recipe.sh.

Usage: options.py RUN_SH NAME=DEFAULT... -- ARG...

Prints, each ended by a NUL, NAME=VALUE for every option that was given, `_resume`: the user's
command up to the number behind --stage, and `command`: the same for a report.
"""

import difflib
import importlib.util
import os
import re
import shlex
import shutil
import sys

INTEGER = r"-?(0|[1-9][0-9]*)"  # bash reads 08 as a bad octal number
FINAL = "6"  # the number of the stage that is typed as final
COUNTS = ("nj", "fold_jobs", "num_threads", "processes")
CHOICES = {"page_sound": ["link", "embed", "none"], "match_target": ["none", "corpus", "speaker"]}
WRITTEN = ("results_dir", "bundle_dir")
RECIPES = ("train", "test")  # options that name another recipe: its folder, beside this one's


class OptionError(Exception):
    """An option that the user has to mend."""


def main() -> None:
    run_sh = sys.argv[1]
    end = sys.argv.index("--")
    defaults = dict(item.split("=", 1) for item in sys.argv[2:end])
    try:
        if importlib.util.find_spec("dsnet") is None:
            setup = os.path.join(os.path.dirname(os.path.abspath(__file__)), "setup.sh")
            raise OptionError(
                f"the project is not installed in {sys.prefix}; run: bash {shlex.quote(setup)}"
            )
        given = list(parse(sys.argv[end + 1 :], defaults))
        recipe = os.path.realpath(os.path.dirname(run_sh))
        values = {name: resolve(name, value, recipe) for name, value in given}
        if values.get("stage") == FINAL and "bundle_dir" in defaults:
            values.setdefault("stop_stage", FINAL)
        check_stages({**defaults, **values})
        check_places(values, recipe)
    except OptionError as error:
        sys.exit(f"{os.path.basename(run_sh)}: {error}")
    typed = [(name, value) for name, value in given if name != "stage"]
    values["_resume"] = shlex.join(["bash", run_sh, *words(typed), "--stage"])
    shown = [
        (name, show(name, values[name], value))
        for name, value in typed
        if name not in ("stop_stage", "force")
    ]
    root = os.path.realpath(os.path.join(os.path.dirname(__file__), ".."))
    script = os.path.relpath(os.path.join(recipe, os.path.basename(run_sh)), root)
    values["command"] = shlex.join(["bash", script, *words(shown)])
    print(*(f"{name}={value}" for name, value in values.items()), sep="\0", end="\0")


def words(options):
    """Return the words of a command line: --nj 2 ..."""
    return [word for name, value in options for word in (option(name), value)]


def option(name: str) -> str:
    """Return how the user types it: --stop-stage for stop_stage."""
    return "--" + name.replace("_", "-")


def parse(args, defaults):
    """Yield (name, value as typed) for `--name value` and `--name=value`."""
    args = list(args)
    while args:
        word = args.pop(0)
        if not word.startswith("--"):
            raise OptionError(f"unexpected argument '{word}'; options look like --stage 2")
        typed, equals, value = word.partition("=")
        name = typed[2:].replace("-", "_")
        if name not in defaults:
            close = difflib.get_close_matches(name, defaults, n=1)
            hint = f"did you mean {option(close[0])}?" if close else "there are:"
            hint = hint if close else " ".join([hint, *map(option, defaults)])
            raise OptionError(f"unknown option {typed}; {hint}")
        if not equals and defaults[name] in ("true", "false") and not given_value(args):
            value = "true"
        elif not equals:
            if not given_value(args):
                raise OptionError(f"option {typed} needs {wanted(name, defaults[name])[1]}")
            value = args.pop(0)
        if name in ("stage", "stop_stage") and value == "final" and "bundle_dir" in defaults:
            value = FINAL
        pattern, meaning = wanted(name, defaults[name])
        if not re.fullmatch(pattern, value, re.DOTALL):
            raise OptionError(f"option {typed} needs {meaning}, not '{value}'")
        yield name, value


def given_value(args) -> bool:
    """Say whether the next word is a value and not another option."""
    return bool(args) and not args[0].startswith("--")


def wanted(name: str, default: str):
    """Return (regular expression, words) for the values of an option, judged by its default."""
    if default in ("true", "false"):
        return "true|false", "true or false"
    if name in ("stage", "stop_stage"):
        return f"-1|[0-5]|{FINAL}", "-1 (download, where there is one) to 5, or final"
    if name == "device":
        return "auto|cpu|cuda(:[0-9]+)?", "auto, cpu or cuda:N"
    if name == "channel":
        return "|mean|[0-9]+", "a number from 0, or mean"
    if name == "overhang":
        return r"0?\.[0-9]+|[01](\.0*)?", "seconds from 0 to 1"
    if name in CHOICES:
        *some, last = CHOICES[name]
        return "|".join(CHOICES[name]), f"{', '.join(some)} or {last}"
    if name in COUNTS:
        return "[1-9][0-9]*", "an integer of 1 or more"
    if re.fullmatch(INTEGER, default):
        if name.endswith("s"):  # seeds: a list in quotes
            return rf"{INTEGER}( +{INTEGER})*", "an integer or several in quotes"
        return INTEGER, "an integer"
    return ".+" if default else ".*", "a value"


def resolve(name: str, value: str, recipe: str) -> str:
    """Return the value; a folder, typed from where the user stands, as seen from the recipe."""
    if not value or not (name.endswith("_dir") or name in RECIPES):
        return value
    path = os.path.abspath(os.path.expanduser(value))
    if name in RECIPES and os.path.realpath(os.path.dirname(path)) == os.path.dirname(recipe):
        return os.path.join("..", os.path.basename(path))
    inside = (path + os.sep).startswith(recipe + os.sep)
    return os.path.relpath(path, recipe) if inside else path


def show(name: str, resolved: str, typed: str) -> str:
    """Return a value for a report: without the folders of this machine."""
    if name in RECIPES and resolved.startswith(".."):
        return os.path.join("egs", os.path.basename(resolved))
    if os.path.isabs(resolved):
        return "FOLDER"
    shown = resolved if os.path.isabs(typed) else typed
    return " ".join(shown.split()) if "\n" in shown else shown


def check_places(values, recipe: str) -> None:
    """Raise OptionError for a file in the place of a folder, or what may not be used."""
    for name, value in values.items():
        path = os.path.join(recipe, value)  # run.sh works there
        if name in ("cmd", "cuda_cmd"):
            program = (value.split() or [""])[0]
            if not shutil.which(os.path.join(recipe, program) if "/" in program else program):
                raise OptionError(
                    f"{option(name)}: no program '{value}' here; run.py, slurm.py, or the path of "
                    "Kaldi's run.pl or slurm.pl, with their options"
                )
        elif not name.endswith("_dir") or not os.path.exists(path):
            continue
        elif not os.path.isdir(path):
            raise OptionError(f"{option(name)}: {value}: a file; expected a folder")
        elif not os.access(path, os.R_OK | os.X_OK | (os.W_OK if name in WRITTEN else 0)):
            must = "read, and written into," if name in WRITTEN else "read"
            raise OptionError(
                f"{option(name)}: {value}: permission denied; the folder must be {must} by you"
            )


def check_stages(values) -> None:
    first, last = values["stage"], values["stop_stage"]
    if int(first) > int(last):
        raise OptionError(f"nothing to do: --stage {first} comes after --stop-stage {last}")


if __name__ == "__main__":
    main()
