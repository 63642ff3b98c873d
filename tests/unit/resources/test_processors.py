"""What a process may compute on."""

import os
from pathlib import Path

import pytest

from image_classifier.resources.processors import (
    available_processors,
    bfloat16_features,
    fast_bfloat16,
    has_bfloat16,
    has_gpu,
    int8_features,
    vendor,
)

HERE = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("content", "expected"),
    [("100000 100000\n", 1), ("50000 100000\n", 1), ("max 100000\n", HERE), ("99900000 100000\n", HERE)],
)
def test_quota_of_the_second_version(tmp_path: Path, content: str, expected: int) -> None:
    """cpu.max of one CPU, half of one, none, more than there are -> one, one, all, all."""
    (tmp_path / "cpu.max").write_text(content)
    assert available_processors(tmp_path) == expected


@pytest.mark.parametrize(("quota", "expected"), [("100000", 1), ("-1", HERE), ("rubbish", HERE)])
def test_quota_of_the_first_version(tmp_path: Path, quota: str, expected: int) -> None:
    """cpu.cfs_quota_us of one CPU, without a limit, unreadable -> one, all, all."""
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(quota)
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000")
    assert available_processors(tmp_path) == expected


def test_no_control_group(tmp_path: Path) -> None:
    """A machine without control groups -> all CPUs that the scheduler allows."""
    assert available_processors(tmp_path / "absent") == HERE


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("flags\t\t: fpu avx512f avx512_bf16", True),
        ("flags\t\t: fpu amx_bf16 amx_tile", True),
        ("Features\t: fp asimd bf16", True),
        ("flags\t\t: fpu avx512f avx2", False),
        ("model name\t: amx_bf16", False),
    ],
)
def test_bfloat16_is_read_from_the_flags(tmp_path: Path, line: str, expected: bool) -> None:
    """The flags of CPUs with and without bfloat16, and its name elsewhere -> whether it is a flag."""
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\n{line}\n")
    assert has_bfloat16(tmp_path / "cpuinfo") is expected


@pytest.mark.parametrize(
    ("flags", "int8", "bfloat16"),
    [
        ("flags\t\t: fpu avx2 fma f16c", (), ()),
        ("flags\t\t: avx2 avx512f avx512_vnni", ("avx512_vnni",), ()),
        ("flags\t\t: avx2 avx_vnni", ("avx_vnni",), ()),
        (
            "flags\t\t: avx512_bf16 avx512_vnni amx_bf16 amx_tile amx_int8",
            ("amx_int8", "avx512_vnni"),
            ("amx_bf16", "avx512_bf16"),
        ),
        ("Features\t: fp asimd asimddp i8mm bf16", ("i8mm",), ("bf16",)),
        ("Features\t: fp asimd asimddp", (), ()),
    ],
    ids=["Milan", "Cascade Lake", "Alder Lake", "Sapphire Rapids", "Graviton3", "Graviton2"],
)
def test_instructions_of_low_precision(
    tmp_path: Path, flags: str, int8: tuple[str, ...], bfloat16: tuple[str, ...]
) -> None:
    """The flags of CPUs with and without low precision -> the instructions that make it worthwhile, fastest first."""
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\n{flags}\nprocessor\t: 1\nflags\t\t: avx_vnni bf16\n")
    assert int8_features(tmp_path / "cpuinfo") == int8
    assert bfloat16_features(tmp_path / "cpuinfo") == bfloat16


@pytest.mark.parametrize(
    ("lines", "fast"),
    [
        ("vendor_id\t: AuthenticAMD\nflags\t\t: avx2 avx512_vnni avx512_bf16", "avx512_bf16"),
        ("vendor_id\t: GenuineIntel\nflags\t\t: avx2 avx512_vnni avx512_bf16", None),
        ("vendor_id\t: GenuineIntel\nflags\t\t: avx512_bf16 amx_bf16 amx_tile", "amx_bf16"),
        ("vendor_id\t: CentaurHauls\nflags\t\t: avx512_bf16", None),
        ("vendor_id\t:\nflags\t\t: avx512_bf16", None),
        ("vendor_id\t: AuthenticAMD\nflags\t\t: avx2", None),
        ("CPU implementer\t: 0x41\nFeatures\t: fp asimd i8mm bf16", "bf16"),
        ("CPU implementer\t: 0x41\nFeatures\t: fp asimd", None),
    ],
    ids=[
        "Zen 4",
        "Xeon, AMX hidden",
        "Sapphire Rapids",
        "another vendor",
        "hidden vendor",
        "Milan",
        "Arm",
        "older Arm",
    ],
)
def test_bfloat16_counts_as_fast_where_it_was_measured(tmp_path: Path, lines: str, fast: str | None) -> None:
    """AVX-512 BF16 of AMD and of others, AMX, and BF16 of Arm -> the instruction by which bf16 is faster than f32."""
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\n{lines}\nprocessor\t: 1\nvendor_id\t: GenuineIntel\n")
    assert fast_bfloat16(tmp_path / "cpuinfo") == fast


def test_vendor_is_the_first_cpus(tmp_path: Path) -> None:
    """Two CPUs, and the file of an Arm -> the vendor of the first, and none."""
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC\n")
    assert vendor(tmp_path / "cpuinfo") == "AuthenticAMD"
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nCPU implementer\t: 0x41\n")
    assert vendor(tmp_path / "cpuinfo") == ""


def test_gpu_is_seen_by_its_device_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No device, a driver without one, a device, a device that CUDA_VISIBLE_DEVICES hides -> a GPU in the third."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert not has_gpu(tmp_path)
    (tmp_path / "nvidiactl").touch()
    assert not has_gpu(tmp_path)
    (tmp_path / "nvidia0").touch()
    assert has_gpu(tmp_path)
    for hidden in ("", "-1"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
        assert not has_gpu(tmp_path)
