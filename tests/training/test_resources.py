"""What a run took, against what the kernel says."""

import os
from pathlib import Path

import pytest
import torch

from dsnet.training import resources
from dsnet.training.resources import machine, peak_memory

STATUS = Path("/proc/self/status")


@pytest.mark.skipif(not STATUS.is_file(), reason="not Linux")
def test_peak_memory_is_in_bytes_and_never_falls():
    block = bytearray(os.urandom(1) * 200_000_000)
    peak = peak_memory(torch.device("cpu"))
    del block
    (line,) = (x for x in STATUS.read_text().splitlines() if x.startswith("VmHWM:"))
    assert peak.keys() == {"peak_memory_bytes"}
    assert peak["peak_memory_bytes"] == pytest.approx(1024 * int(line.split()[1]), rel=0.02)
    assert peak["peak_memory_bytes"] > 200_000_000


def test_the_machine_is_named():
    model, cores = machine(torch.device("cpu")).rsplit(", ", 1)
    assert cores == f"{os.cpu_count()} cores" and len(model) > 3


@pytest.mark.parametrize(
    "flags, slow",
    [("fpu avx512f avx512_bf16", False), ("fpu amx_bf16", False), ("fpu avx512f avx_vnni", True)],
)
def test_bfloat16_is_slow_where_the_cpu_has_no_instructions(tmp_path, monkeypatch, flags, slow):
    monkeypatch.setattr(resources, "CPUINFO", tmp_path / "cpuinfo")
    assert not resources.slow_in_bfloat16()  # not known
    (tmp_path / "cpuinfo").write_text(f"model name\t: A\nflags\t\t: {flags}\nbugs\t\t: none\n")
    assert resources.slow_in_bfloat16() == slow
