import random

import pytest

from tests.benchmarks.soak.watch import Sample, Soak, growth


def samples(rise: float, jitter: float = 3.0) -> list[Sample]:
    """Make 200 samples, 100 requests apart, of a memory that rises by `rise` MB for 1,000 requests, and shakes."""
    noise = random.Random(7)
    return [Sample(n, 100 * n, 150 + rise * n / 10 + noise.uniform(-jitter, jitter)) for n in range(200)]


@pytest.mark.parametrize("rise", [0.0, 0.5, 50.0, -2.0])
def test_slope_is_found_in_shaking_memory(rise: float) -> None:
    """Given memory that rises by so much for 1,000 requests and shakes by 3 MB -> the slope, to a tenth of a MB."""
    assert growth(samples(rise)) == pytest.approx(rise, abs=0.1)


def test_large_images_do_not_count_as_growth() -> None:
    """Given flat memory and 50 MB more in each of the last twenty of a hundred moments -> hardly any slope."""
    flat = samples(0.0)
    raised = [Sample(s.seconds, s.requests, s.megabytes + 50 * (s.seconds > 160)) for s in flat]
    assert abs(growth(raised)) < 1


def test_growth_after_the_warm_up_is_a_fault_and_before_it_is_none() -> None:
    """Given memory that rises for a third of the time, and one that rises for ever -> a fault in the second alone."""
    rising = samples(20.0, jitter=0.1)
    settled = [s if s.seconds < 66 else Sample(s.seconds, s.requests, rising[66].megabytes) for s in rising]
    assert Soak(tuple(settled), {}, [], 0).faults == []
    assert Soak(tuple(rising), {}, [], 0).faults == ["1,000 requests add 20.00 MB; the limit is 1.00"]


def test_deaths_and_other_answers_are_faults() -> None:
    """Given flat memory, a process that died and an answer of 500 -> both are named."""
    assert Soak(tuple(samples(0.0)), {}, ["ping: 500"], 1).faults == ["ping: 500", "1 processes died"]
