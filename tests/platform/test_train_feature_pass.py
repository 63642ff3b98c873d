"""A job that is stopped while it computes features, and restarted."""

from pathlib import Path

import pytest

from tests.platform.training_process import COLOURS, RunningJob, add_large_images, link_backbone, make_tree

pytestmark = [pytest.mark.no_cover, pytest.mark.every]


def test_features_computed_before_a_stop_are_not_computed_again(tmp_path: Path, tiny_backbone: Path) -> None:
    """SIGTERM in the middle of the pass, with a folder for checkpoints -> the next job resumes there."""
    tree = make_tree(tmp_path, COLOURS, count=2, train_only_top_layer="True", epochs="1", batch_size="4")
    (tree / "checkpoints").mkdir()
    add_large_images(tree, count=301, height=900, width=1200)
    link_backbone(tree, tiny_backbone)
    with RunningJob(tree) as job:
        job.wait_for("Training images: ")
        job.terminate()
        assert job.exit_code(60) == 0, job.log()
        assert "No model was saved" in job.log()
    kept = list((tree / "checkpoints" / "features" / "training").iterdir())
    assert [path.suffix for path in kept] == [".features"]
    stop = int(kept[0].stem.split("-")[-1])
    assert 0 < stop < 250
    with RunningJob(tree) as job:
        assert job.exit_code(120) == 0, job.log()
        assert f"Training images: resuming with the features of an earlier run for {stop} images" in job.log()
    assert (tree / "model" / "1" / "saved_model.pb").is_file()
