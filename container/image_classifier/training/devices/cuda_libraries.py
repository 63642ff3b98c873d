"""Check through TensorFlow's own loader that NVIDIA's libraries can be opened.

The Dockerfile copies this file next to docker/smoke-test, so it imports nothing of this package. TensorFlow opens these
libraries by name when it first looks for GPUs, from libtensorflow_framework, whose search path decides whether they are
found. If one is missing, TensorFlow ignores every GPU, with a warning at most. The driver (libcuda.so.1) belongs to
the machine and is not among them.
"""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

LIBRARIES = (
    "libcudart.so.12",
    "libcublas.so.12",
    "libcublasLt.so.12",
    "libcudnn.so.9",
    "libcufft.so.11",
    "libcusolver.so.11",
    "libcusparse.so.12",
    "libnccl.so.2",
)
"""Libraries that TensorFlow 2.21 opens (seen with LD_DEBUG=libs), except CUPTI of the profiler, which is not used."""
CUDNN_PARTS = tuple(f"libcudnn_{part}.so.9" for part in ("graph", "ops", "cnn", "heuristic", "engines_precompiled"))
"""Libraries that libcudnn.so.9 opens for the first convolution, from its own folder. One more needs the driver."""
PTXAS_ROOTS = ("/usr/local/cuda", "/opt/cuda", "../nvidia/cuda_nvcc")
"""Where TensorFlow 2.21 looks for bin/ptxas (tsl::CandidateCudaRoots), relative to its own folder."""


@dataclass(frozen=True)
class LibraryCheck:
    """One library or program: where it was found, or why it cannot be used."""

    name: str
    path: Path | None = None
    problem: str | None = None


def check() -> tuple[LibraryCheck, ...]:
    """Open every library as TensorFlow would, and run ptxas; needs no driver and no GPU.

    Imports TensorFlow. The libraries stay open, as they do when TensorFlow opens them: about 0.3 s and no GPU memory.
    """
    import tensorflow as tf

    return (*map(open_library, (*LIBRARIES, *CUDNN_PARTS)), find_ptxas(Path(tf.__file__).parent))


def open_library(name: str) -> LibraryCheck:
    """Open a library through libtensorflow_framework, as TensorFlow does."""
    import tensorflow as tf

    try:
        tf.load_op_library(name)
    except (tf.errors.OpError, OSError, RuntimeError) as error:
        problem = str(getattr(error, "message", error)).strip().removeprefix(f"{name}: ")
        return LibraryCheck(name, problem=problem or type(error).__name__)
    return LibraryCheck(name, path=_mapped(Path(name).name))


def _mapped(name: str) -> Path | None:
    for line in Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines():
        fields = line.split(maxsplit=5)
        # The kernel reports the target of a link, whose name may have a longer version.
        if len(fields) == 6 and Path(fields[5]).name.startswith(name):
            return Path(fields[5])
    return None


def find_ptxas(tensorflow_folder: Path, roots: Sequence[str] = PTXAS_ROOTS) -> LibraryCheck:
    """Find the assembler that XLA and TensorFlow's generated kernels need, and check that it runs."""
    problem = f"it is in none of {', '.join(f'{root}/bin' for root in roots)}"
    for root in roots:
        program = tensorflow_folder / root / "bin" / "ptxas"
        if not program.exists():
            continue
        try:
            subprocess.run([program, "--version"], check=True, capture_output=True, timeout=60)
        except (OSError, subprocess.SubprocessError) as error:
            problem = f"it cannot be run: {error}"
        else:
            return LibraryCheck("ptxas", path=Path(os.path.normpath(program)))
    return LibraryCheck("ptxas", problem=problem)


def complaint(found: Sequence[LibraryCheck]) -> str | None:
    """Return one sentence about the missing libraries and why; None when all are usable."""
    names: dict[str, list[str]] = {}
    for one in found:
        if one.problem:
            names.setdefault(one.problem, []).append(one.name)
    if not names:
        return None
    return "TensorFlow cannot open " + "; ".join(f"{', '.join(those)} ({why})" for why, those in names.items())
