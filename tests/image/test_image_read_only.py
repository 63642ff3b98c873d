from pathlib import Path

from tests.image.containers import Job, Start


def test_a_read_only_root_is_enough_to_serve(start: Start, trained: Job, photographs: Path) -> None:
    """Given a root file system that cannot be written, /tmp apart -> the server loads its model and answers."""
    options = ("--network", "none", "--read-only", "--tmpfs", "/tmp", *trained.model_mounted())
    container = start("serve", options=options)
    container.wait_for_ping()
    picture = next((photographs / "held-out").glob("*/*")).read_bytes()
    assert container.ask("/invocations", picture).status == 200
