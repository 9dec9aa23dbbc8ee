"""A process that is to end with its parent does so also if the parent has just ended."""

import signal
import subprocess
import sys
from pathlib import Path

UTILS = Path(__file__).parents[2] / "utils"
CODE = """
import os, sys, time
sys.path.insert(0, {utils!r})
from signals import Signals, end_with_parent
signals = Signals()  # collects SIGTERM, as launchers do
pid = os.fork()
if pid == 0:
    end_with_parent(1 << 22)()  # no parent of this process
    time.sleep(30)
    os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def test_of_a_launcher_that_collects_signals():
    code = CODE.format(utils=str(UTILS))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20)
    assert int(done.stdout) == -signal.SIGTERM
