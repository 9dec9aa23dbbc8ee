"""What a run took: peak memory, and the machine that it ran on."""

import os
import platform
import resource
import sys
from pathlib import Path

import torch

CPUINFO = Path("/proc/cpuinfo")
BFLOAT16 = {"avx512_bf16", "amx_bf16", "bf16"}  # as it calls them; the last of ARM


def peak_memory(device: torch.device) -> dict[str, int]:
    """Return peak_memory_bytes of this process and, on a GPU, peak_gpu_bytes of its tensors."""
    unit = 1 if sys.platform == "darwin" else 1024
    peak = {"peak_memory_bytes": unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}
    if device.type == "cuda":
        peak["peak_gpu_bytes"] = torch.cuda.max_memory_allocated(device)
    return peak


def machine(device: torch.device) -> str:
    """Return the CPU's model and number of cores and, if it is used, the GPU's name."""
    words = f"{_cpu_model()}, {os.cpu_count()} cores"
    return f"{words}, {torch.cuda.get_device_name(device)}" if device.type == "cuda" else words


def slow_in_bfloat16() -> bool:
    """Say whether the CPU is known to lack instructions for products of bfloat16 (by Linux)."""
    if not CPUINFO.is_file():
        return False
    return BFLOAT16.isdisjoint(CPUINFO.read_text(encoding="utf-8").split())


def _cpu_model() -> str:
    if CPUINFO.is_file():  # Linux, whose platform.processor() is empty or the architecture
        for line in CPUINFO.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
