import json
from pathlib import Path
from typing import Any

import pytest

from image_classifier.contract.errors import UserError
from image_classifier.training.data import sharded


@pytest.mark.parametrize(
    ("described", "expected"),
    [
        ({"training": {"S3DistributionType": "ShardedByS3Key"}}, True),
        ({"training": {"S3DistributionType": "FullyReplicated"}}, False),
        ({"training": {"TrainingInputMode": "File"}}, False),
        ({"validation": {"S3DistributionType": "ShardedByS3Key"}}, False),
        ([], False),
    ],
    ids=["sharded", "replicated", "local mode", "another channel", "no object"],
)
def test_the_platform_says_which_channel_is_sharded(tmp_path: Path, described: Any, expected: bool) -> None:
    """Given what inputdataconfig.json says of the channel, or nothing -> only ShardedByS3Key is sharded."""
    file = tmp_path / "inputdataconfig.json"
    file.write_text(json.dumps(described))
    assert sharded.is_sharded(file, "training") is expected


def test_a_tree_without_the_file_has_no_shards(tmp_path: Path) -> None:
    """Given no inputdataconfig.json, as in a run by hand -> not sharded."""
    assert not sharded.is_sharded(tmp_path / "inputdataconfig.json", "training")


def test_a_broken_file_is_said(tmp_path: Path) -> None:
    """Given an inputdataconfig.json that is not JSON -> UserError with its path."""
    file = tmp_path / "inputdataconfig.json"
    file.write_text("{")
    with pytest.raises(UserError, match=r"inputdataconfig\.json is not valid JSON"):
        sharded.is_sharded(file, "training")
