"""Machine and package versions of a measurement."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict

PACKAGES = (
    "lesionlens", "torch", "torchvision", "timm", "lightning", "numpy", "opencv-python-headless", "simplejpeg",
    "pillow", "onnxruntime", "openvino",
)  # fmt: skip


class Machine(BaseModel):
    """A machine; `load` is the number of runnable processes during the last minute (-1: unknown)."""

    model_config = ConfigDict(frozen=True)

    processor: str
    cores: int
    avx512: bool
    amx: bool
    memory_gib: float
    accelerator: str
    load: float

    def __str__(self) -> str:
        has = [name for name, available in (("AVX-512", self.avx512), ("AMX", self.amx)) if available]
        parts = [self.processor, f"{self.cores} cores", *has, f"{self.memory_gib:.0f} GiB", self.accelerator]
        return ", ".join(part for part in parts if part)


def describe_machine() -> Machine:
    """Describe the current machine."""
    flags = read_cpuinfo("flags").split()
    return Machine(
        processor=read_cpuinfo("model name") or platform.processor() or platform.machine(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        avx512="avx512f" in flags,
        amx="amx_bf16" in flags,
        memory_gib=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30,
        accelerator=torch.cuda.get_device_name() if torch.cuda.is_available() else "",
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else -1,
    )


def read_cpuinfo(key: str, file: Path = Path("/proc/cpuinfo")) -> str:
    """Return an entry of the first core in /proc/cpuinfo, or an empty string."""
    lines = file.read_text().splitlines() if file.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.split("\t")[0] == key), "")


def package_versions() -> dict[str, str]:
    """Return the versions of Python and of each installed package."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions
