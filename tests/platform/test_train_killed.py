"""One job killed three times, its checkpoints corrupt in between: `tests/benchmarks/chaos` in small."""

import random
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.benchmarks.chaos import damage, results, small_job

pytestmark = [pytest.mark.no_cover, pytest.mark.every]

EPOCHS = 3


@dataclass(frozen=True)
class Story:
    """What happened, in order."""

    whole: Path
    """The tree of the same job, undisturbed."""
    tree: Path
    truncated: str
    """The checkpoint that was cut after the first kill."""
    after_truncation: str
    """The log of the second process."""
    flipped: str
    """The checkpoint of which a bit was flipped after the second kill."""
    after_flip: str
    """The log of the third process, which was killed while it exported the model."""
    last: str
    """The log of the fourth, which came to the end."""


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Kill the job while it writes a checkpoint, inside its second epoch, and while it exports; then let it finish."""
    base, drawn = tmp_path_factory.mktemp("killed"), random.Random(25)
    inputs = small_job.make_inputs(base / "inputs")
    whole, tree = (
        small_job.lay_out(base / name, inputs, epochs=EPOCHS, augmentation=True) for name in ("whole", "tree")
    )
    checkpoints = tree / "checkpoints"

    def writes_one_of_several() -> bool:
        return any(checkpoints.glob(".checkpoint-*")) and len(list(checkpoints.glob("checkpoint-*"))) == 2

    with small_job.start(whole) as undisturbed:
        small_job.start(tree).kill_when(writes_one_of_several, "it writes a checkpoint")
        truncated = newest(tree)
        damage.truncate(truncated / "now.npz", drawn.randrange(10**6))
        second = small_job.start(tree)
        second.kill_when(lambda: step_of(newest(tree)) > 14, "its second epoch")
        flipped = newest(tree)
        damage.flip(flipped / "best.npz", drawn.randrange(10**6))
        third = small_job.start(tree)
        third.kill_when(lambda: "Average training duration" in third.log(), "its export", drawn.uniform(0, 0.5))
        last = small_job.start(tree).finish()
        undisturbed.finish()
    return Story(whole, tree, truncated.name, second.log(), flipped.name, third.log(), last)


def newest(tree: Path) -> Path:
    """Return the folder of a job's newest checkpoint."""
    found = damage.newest_folder(tree / "checkpoints")
    assert found
    return found


def step_of(checkpoint: Path) -> int:
    """Return after which step a checkpoint was written."""
    return int(checkpoint.name.rpartition("-")[2])


def test_truncated_checkpoint_is_skipped(story: Story) -> None:
    """The newest checkpoint truncated after a kill -> the restart names it and resumes from the previous one."""
    problem = f"Skipping corrupt checkpoint {story.truncated}: now.npz has "
    assert problem in story.after_truncation
    step = step_of(Path(story.truncated)) - 1
    assert f"Resuming from a checkpoint: epoch 1, after step {step} of 13" in story.after_truncation


def test_flipped_bit_is_noticed(story: Story) -> None:
    """A bit of the newest checkpoint flipped after a kill -> the restart names it and its file, and resumes."""
    problem = f"Skipping corrupt checkpoint {story.flipped}: best.npz does not match its checksum"
    assert problem in story.after_flip
    assert "Resuming from a checkpoint: epoch " in story.after_flip


def test_job_killed_in_its_export_does_not_train_again(story: Story) -> None:
    """Killed after its last epoch -> the restart logs the metrics and no epoch, and verifies the model."""
    assert "\n13/13 - " in story.after_flip
    assert "\n13/13 - " not in story.last
    assert "Verification: a fresh process classified" in story.last


def test_job_killed_three_times_leaves_the_same_result(story: Story) -> None:
    """Three kills and two corrupt checkpoints -> reports, weights, served answers, last checkpoint: the same bits."""
    assert results.different(results.read(story.whole), results.read(story.tree)) == []
