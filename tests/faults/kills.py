"""Processes, killed: a rerun ends with the same bits, and nothing that they started goes on."""

import re
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from random import Random

from small_recipe import Recipe

KILLED = {  # what run.sh does when it is killed, and the file by which that is seen
    "it computes features": "data/fbank/fbank.2.ark",
    "it trains": "exp/4class/tiny/seed_1/fold_f1/checkpoint.pt",
}
LIVES = (0.02, 0.35)  # a run is killed after such a share of what an undisturbed one takes


def kill_run_sh(recipe: Recipe, sign: str) -> bool:
    """SIGKILL run.sh alone; return whether all that it had started has ended soon after."""
    recipe.kill_when(sign, alone=True)
    limit = time.monotonic() + 20
    while recipe.processes() and time.monotonic() < limit:
        time.sleep(0.1)
    return not recipe.processes()


def run_and_kill(recipe: Recipe, seconds: float) -> str:
    """Run and SIGKILL all of it after some time.

    Returns:
        The stage that it was in, such as "3"; "before" the first, nothing if it had ended by then.
    """
    process = subprocess.Popen(
        recipe.command(), env=recipe.env, cwd="/", stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, bufsize=-1,
    )  # fmt: skip
    try:
        out, _ = process.communicate(timeout=seconds)
        assert process.returncode == 0, out
        return ""
    except subprocess.TimeoutExpired:
        process.kill()
        recipe.kill()
        out, _ = process.communicate()
    stages = re.findall(r"stage (\d)", out)
    return stages[-1] if stages else "before"


def kill_often(
    make_recipe: Callable[[], Recipe], number: int, seconds: float, rng: Random
) -> tuple[Counter[str], list[Recipe]]:
    """Kill a recipe until it ends, then the next one, `number` times.

    Args:
        make_recipe: returns another one that has not run.
        number: of kills.
        seconds: that an undisturbed run takes.
        rng: draws how long each lives.

    Returns:
        How often each stage was hit, and the recipes, all of which have ended.
    """
    hit: Counter[str] = Counter()
    recipes = [make_recipe()]
    while hit.total() < number:
        stage = run_and_kill(recipes[-1], seconds * rng.uniform(*LIVES))
        if stage:
            hit[stage] += 1
        else:
            recipes.append(make_recipe())
    recipes[-1].run()
    return hit, recipes
