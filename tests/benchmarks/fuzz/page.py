"""Write docs/reference/fuzz.md from the findings of an attack."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.fuzz import bounds, mutants, servers
from tests.benchmarks.fuzz.campaign import CLIENTS, GROWTH_MEGABYTES, Result
from tests.benchmarks.fuzz.damages import DAMAGES
from tests.benchmarks.fuzz.extremes import GENERATORS, KNOWN
from tests.benchmarks.fuzz.oracle import Dearest
from tests.benchmarks.fuzz.slow_clients import GRACE, LATEST_PING_SECONDS, SERVER_SECONDS, Siege
from tests.platform.serving import ROOT

PATH = ROOT / "docs" / "reference" / "fuzz.md"
_ORDER = (mutants.UNDAMAGED, *DAMAGES, mutants.SPLICED, mutants.UNPACKS_TO_MUCH, KNOWN, *GENERATORS)
_INTRODUCTION = """# Attacked with {sent:,} hostile inputs

Written by `scripts/benchmark fuzz --inputs {count} --seed {seed} --write`.

`container/serve` with a small model on OpenVINO, on {cpus} CPUs ({cpu}), with `SERVE_MAX_PIXELS`
and `SERVE_MAX_REQUEST_PIXELS` of {pixels:,}; then the same model as one of many (`SAGEMAKER_MULTI_MODEL`). Each input
is sent twice: once with nothing beside it but `/ping`, and once among the inputs of {clients} clients, all kinds mixed.
Seeded: each run sends the same.

* Images: every form of JPEG, PNG, WebP, BMP, GIF and TIFF that Pillow writes (modes 1, L, LA, P, RGB, RGBA, CMYK,
  I;16, I, F; depths; EXIF orientations; progressive, interlaced, animated), then one to three damages, named by the
  first; one in ten as a row of JSON beside a good one.
* Documents: JSON and lines of JSON, most of them wrong, for images and for loading models.
* Raw: listed mistakes of HTTP on connections of their own, and as many again with bytes changed.
* Extreme inputs, which are built to cost more than they weigh: the lines with a colon in the table below.
* Slow clients: they read an answer, or send a header or a body, at a few bytes a second.

**{verdict}**

## What an input may cost

An input that is sent alone must not cost the server's process more than this, or the run fails
([how the figures were found](../decisions/0026-resource-oracles.md)):

* CPU: A = {seconds:.1f} s, that is {request_seconds} s and {pixel_seconds} s for each million pixels that a request
  may have; B = {byte_seconds} s for each million bytes sent; {image_seconds} s for each image asked for, and
  {chunk_microseconds:.0f} µs for each chunk of a body in chunks.
* Memory, peak above what was held before: {megabytes:.0f} MB, that is {request_megabytes} MB and {pixel_megabytes} MB
  for each million pixels; C = {bytes} bytes for each byte sent.
* `/ping` beside it: {ping} s; beside {slow_clients} slow clients: {late} s. Their connections: {slow:.0f} s, where the
  server is set to {told} s.

| | one model | many models |
|---|---:|---:|
{facts}
"No answer" is a connection that its client broke off, or on which no whole request came. CPU and bytes are those of
the input that came nearest to its bound, memory is the most that any of the kind took.

| what was sent | answers | CPU, s | of the bound | bytes | memory, MB |
|---|---|---:|---:|---:|---:|
"""


@dataclass(frozen=True)
class Attack:
    """What one server was put through."""

    result: Result
    siege: Siege
    seconds: float
    """Of the campaign, without the slow clients."""

    @property
    def faults(self) -> list[str]:
        """What must not have happened."""
        return [*self.result.faults, *self.siege.faults]


_FACTS: Mapping[str, Callable[[Attack], str]] = {
    "requests": lambda one: f"{one.result.findings.outcomes.total():,}",
    "seconds": lambda one: f"{one.seconds:.0f}",
    "inputs beyond a bound": lambda one: f"{len(one.result.oracle.excesses)}",
    "answers of 5xx": lambda one: f"{one.result.errors - one.result.unknown_codings}",
    "501 for an unknown transfer coding (RFC 9112, 6.1)": lambda one: f"{one.result.unknown_codings}",
    "processes that exited": lambda one: f"{one.result.deaths}",
    "good images in between, answered correctly": lambda one: f"{one.result.findings.good:,}",
    "other faults": lambda one: f"{len(one.result.findings.wrong)}",
    "slowest `/ping` beside a single input, ms": lambda one: f"{1000 * one.result.slowest_ping:.0f}",
    "slow clients at once": lambda one: f"{one.siege.clients}",
    "slowest `/ping` beside them, ms": lambda one: f"{1000 * one.siege.slowest_ping:.0f}",
    "seconds until the last of them was disconnected": lambda one: f"{one.siege.longest:.1f}",
    f"memory (PSS, MB): before, half, end; at most +{GROWTH_MEGABYTES} from half to end": lambda one: ", ".join(
        f"{megabytes:.0f}" for megabytes in one.result.megabytes
    ),
}


def text(attacks: Sequence[Attack], count: int, seed: int) -> str:
    """Return the page."""
    faults = [fault for one in attacks for fault in one.faults]
    allowed = bounds.of(servers.MAX_PIXELS)
    introduction = _INTRODUCTION.format(
        sent=sum(one.result.inputs for one in attacks),
        count=count,
        seed=seed,
        cpus=os.cpu_count(),
        cpu=processor(),
        pixels=servers.MAX_PIXELS,
        clients=CLIENTS,
        verdict="; ".join(faults[:5])
        or "Nothing broke: no input beyond its bound, no answer of 5xx, no exit, flat memory.",
        seconds=allowed.seconds,
        request_seconds=bounds.REQUEST_SECONDS,
        pixel_seconds=bounds.SECONDS_A_MEGAPIXEL,
        byte_seconds=bounds.SECONDS_A_MEGABYTE,
        chunk_microseconds=1e6 * bounds.SECONDS_A_CHUNK,
        image_seconds=bounds.SECONDS_AN_IMAGE,
        megabytes=allowed.megabytes,
        request_megabytes=bounds.REQUEST_MEGABYTES,
        pixel_megabytes=bounds.MEGABYTES_A_MEGAPIXEL,
        bytes=bounds.BYTES_A_BYTE,
        ping=bounds.PING_SECONDS,
        slow=SERVER_SECONDS + GRACE,
        told=SERVER_SECONDS,
        late=LATEST_PING_SECONDS,
        slow_clients=attacks[0].siege.clients,
        facts="".join(f"| {name} | {' | '.join(map(told, attacks))} |\n" for name, told in _FACTS.items()),
    )
    kinds = {kind for one in attacks for kind, _ in one.result.findings.outcomes}
    ordered = [kind for kind in _ORDER if kind in kinds] + sorted(kinds - set(_ORDER))
    return introduction + "".join(row(attacks, kind) for kind in ordered)


def row(attacks: Sequence[Attack], kind: str) -> str:
    """Return a kind's line of the table, of all servers together."""
    answers: dict[str, int] = {}
    dearest = Dearest()
    for one in attacks:
        for (of, status), number in one.result.findings.outcomes.items():
            if of == kind:
                answers[status] = answers.get(status, 0) + number
        dearest = dearest.or_dearer(one.result.oracle.dearest.get(kind, Dearest()))
    told = ", ".join(f"{status}: {answers[status]:,}" for status in sorted(answers))
    cost = f"{dearest.cpu_seconds:.3f} | {100 * dearest.share:.0f} % | {dearest.weight:,} | {dearest.megabytes:.0f}"
    return f"| {kind} | {told} | {cost} |\n"


def processor() -> str:
    """Return the name of this machine's CPU, as Linux tells it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else os.uname().machine
