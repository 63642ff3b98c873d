import pytest

from tests.image.conftest import name_of_image
from tests.image.containers import docker

MEGABYTE = 1_000_000
"""As Docker counts."""


@pytest.mark.parametrize(("target", "budget"), [("serve", 400), ("cpu", 2_000), ("gpu", 7_800)])
def test_image_keeps_to_its_budget(target: str, budget: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Given an image -> it is no larger than its target may be, and the log says how large it is."""
    size = int(docker("image", "inspect", "--format", "{{.Size}}", name_of_image(target))) / MEGABYTE
    with capsys.disabled():
        print(f"\n{target}: {size:,.0f} MB of {budget:,} MB")
    assert size <= budget
