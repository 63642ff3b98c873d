import itertools
import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.support.environments import unmeasured
from tests.support.waiting import free_port
from tests.unit.training import on_hosts, optimizing

ROOT = Path(__file__).parents[4]


@dataclass(frozen=True)
class Finished:
    """What a process left."""

    exit_code: int
    output: str
    errors: str


def start(module: str, *words: str, **variables: str) -> subprocess.Popen[str]:
    """Start a module of these tests in a process of its own."""
    environment = unmeasured(PYTHONPATH=f"{ROOT / 'container'}:{ROOT}", **variables)
    command = [sys.executable, "-m", f"tests.unit.training.{module}", *words]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def start_hosts(what: str, **variables: str) -> list[subprocess.Popen[str]]:
    """Start something on two hosts of this machine."""
    names = ",".join(sorted(f"127.0.0.1:{free_port()}" for _ in range(2)))
    return [start("on_hosts", what, str(rank), names, **variables) for rank in range(2)]


def finished(process: subprocess.Popen[str]) -> Finished:
    """Wait for a process."""
    with process:
        output, errors = process.communicate(timeout=200)
    return Finished(process.returncode, output, errors)


def found(done: Finished) -> dict[str, Any]:
    """Return what a host printed."""
    lines = [line for line in done.output.splitlines() if line.startswith("FOUND ")]
    assert len(lines) == 1, done.output + done.errors
    result = json.loads(lines[0].removeprefix("FOUND "))
    assert isinstance(result, dict)
    return result


@pytest.fixture(scope="module")
def devices() -> dict[str, Any]:
    """What a process with two devices saw."""
    done = finished(start("on_devices"))
    assert done.exit_code == 0, done.errors
    result = json.loads(done.output.splitlines()[-1])
    assert isinstance(result, dict)
    return result


@pytest.fixture(scope="module")
def hosts() -> list[dict[str, Any]]:
    """What each of two hosts saw."""
    done = [finished(each) for each in start_hosts("gather")]
    assert [each.exit_code for each in done] == [0, 0], done[0].errors + done[1].errors
    return [found(each) for each in done]


def test_two_devices_are_two_replicas_of_one_host(devices: dict[str, Any]) -> None:
    """Given two devices -> MirroredStrategy with two replicas, both of this host."""
    assert devices["strategy"] == "MirroredStrategy"
    assert devices["replicas"] == [2, 2, 1]


def test_each_device_maps_its_part_of_the_rows(devices: dict[str, Any]) -> None:
    """Given five, four or one row on two devices -> the values of one device, in order, computed by both."""
    for count, first in (("5", 3), ("4", 2), ("1", 1)):
        rows = np.array(devices["mapped"][count])
        assert rows[:, 0].tolist() == [3.0 * 2 * index for index in range(int(count))]
        assert rows[:, 1].tolist() == [0.0] * first + [1.0] * (int(count) - first)


def test_no_rows_give_no_rows_of_the_same_kind(devices: dict[str, Any]) -> None:
    """Given zero rows on two devices -> zero rows with the columns of the others."""
    assert devices["nothing"] == [0, 2]


def test_one_host_gathers_its_own_rows(devices: dict[str, Any]) -> None:
    """Given one host with two devices -> gather is the identity and gather_json a list of one."""
    assert devices["gathered"] == np.arange(10).reshape(5, 2).tolist()
    assert devices["told"] == [{"a": [1]}]


@pytest.mark.parametrize("dtype", on_hosts.DTYPES)
def test_hosts_gather_rows_of_every_kind(hosts: list[dict[str, Any]], dtype: str) -> None:
    """Given no rows on one host and three on the other -> both have the three, whatever their dtype."""
    expected = np.concatenate([on_hosts.rows(rank, dtype) for rank in (0, 1)]).tolist()
    assert len(expected) == 3
    assert [host[dtype] for host in hosts] == [expected, expected]


def test_rows_that_need_several_exchanges_arrive_whole(hosts: list[dict[str, Any]]) -> None:
    """Given chunks smaller than the rows -> both hosts have every bit of the doubles."""
    expected = np.concatenate([on_hosts.rows(rank, "float64") for rank in (0, 1)]) / 3
    assert [host["in pieces"] for host in hosts] == [expected.tolist()] * 2


def test_no_rows_anywhere_stay_no_rows(hosts: list[dict[str, Any]]) -> None:
    """Given zero rows of four columns on both hosts -> zero rows of four columns."""
    assert [host["none"] for host in hosts] == [[0, 4]] * 2


def test_hosts_tell_each_other_json(hosts: list[dict[str, Any]]) -> None:
    """Given a value of another length on each host -> both have both, in the order of the ranks."""
    expected = [{"rank": 0, "text": ""}, {"rank": 1, "text": "ä"}]
    assert [host["told"] for host in hosts] == [expected, expected]


def assert_steps_of_one_device(names: Iterable[str], *observed: dict[str, Any]) -> None:
    """Compare what several processes or devices left in the named cases with what one device leaves."""
    for name in names:
        alone = vars(optimizing.run(tf.distribute.get_strategy(), **optimizing.CASES[name]))
        for each, (part, expected) in itertools.product(observed, alone.items()):
            both = (tf.nest.flatten(each["steps"][name][part]), tf.nest.flatten(expected))
            np.testing.assert_allclose(*both, rtol=1e-6, atol=1e-7, err_msg=f"{name}: {part}")
    assert observed[0]["steps"]["float16"]["scale"] == [2**15, 2**14, 2**14, 2**14]


def test_two_hosts_take_the_steps_of_one(hosts: list[dict[str, Any]]) -> None:
    """Each image's gradient on its own host -> the weights, slots and scales of one host, on both."""
    assert_steps_of_one_device(on_hosts.STEPS, *hosts)


def test_two_devices_give_the_result_of_one(devices: dict[str, Any]) -> None:
    """Each image's gradient on its own device -> the weights, slots and scales of one device, in every case."""
    assert_steps_of_one_device(optimizing.CASES, devices)


def test_shares_cover_every_row_once(hosts: list[dict[str, Any]]) -> None:
    """Given five rows for two hosts -> two and three of them, next to each other."""
    assert [host["share of 5"] for host in hosts] == [[0, 2], [2, 5]]


def test_listings_of_shards_become_one(hosts: list[dict[str, Any]]) -> None:
    """Given other files and classes on each host -> both list all, in one host's order, with who has which."""
    for rank, host in enumerate(hosts):
        merged = host["merged"]
        assert merged["classes"] == ["ant", "bee", "cat"]
        files = [["ant/1.jpg", 0], ["bee/3.jpg", 1], ["cat/a.jpg", 2], ["cat/b/2.jpg", 2], ["cat/b.jpg", 2]]
        assert merged["files"] == files
        assert merged["owners"] == [0, 1, 1, 0, 1]
        assert merged["paths"] == f"/on-{rank}/ant/1.jpg"
        assert merged["other"] == {".txt": 3}


@pytest.mark.every
def test_rows_of_different_kinds_are_rejected_on_every_host() -> None:
    """Given two columns on one host and three on the other -> both fail with a sentence instead of mixing bytes."""
    results = [found(finished(each)) for each in start_hosts("differ")]
    assert [each["error"] for each in results] == ["AlgorithmError"] * 2
    assert all("The hosts' rows differ in dtype or shape" in each["text"] for each in results)


@pytest.mark.every
def test_hosts_with_different_images_are_rejected() -> None:
    """Given equal folders and then one other file on each host -> only then both fail, and say what to do."""
    results = [found(finished(each)) for each in start_hosts("unequal")]
    assert [each["error"] for each in results] == ["UserError"] * 2
    assert results[0]["text"] == results[1]["text"]
    assert results[0]["text"].count(" 3") == 2
    assert "FullyReplicated" in results[0]["text"]
