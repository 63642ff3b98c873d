"""The platform's tree, read from real folders."""

import json
from pathlib import Path

import pytest

from image_classifier.contract.errors import UserError
from image_classifier.contract.opt_ml import OptMl, Resources


@pytest.fixture
def opt_ml(tmp_path: Path) -> OptMl:
    """A tree with an empty configuration folder."""
    tree = OptMl(tmp_path)
    tree.hyperparameters_file.parent.mkdir(parents=True)
    return tree


@pytest.mark.parametrize(
    ("environment", "base"),
    [({}, "/opt/ml"), ({"SAGEMAKER_BASE_DIR": ""}, "/opt/ml"), ({"SAGEMAKER_BASE_DIR": "/x"}, "/x")],
)
def test_where_the_tree_is(environment: dict[str, str], base: str) -> None:
    """The variable set, empty or missing -> its folder, or /opt/ml."""
    assert OptMl.from_environment(environment).base == Path(base)


def test_paths_of_the_contract() -> None:
    """The tree at /opt/ml -> the paths that the platform documents."""
    tree = OptMl(Path("/opt/ml"))
    assert str(tree.hyperparameters_file) == "/opt/ml/input/config/hyperparameters.json"
    assert str(tree.resource_config_file) == "/opt/ml/input/config/resourceconfig.json"
    assert str(tree.channel_dir("training")) == "/opt/ml/input/data/training"
    assert [str(path) for path in (tree.model_dir, tree.output_data_dir, tree.failure_file, tree.checkpoints_dir)] == [
        "/opt/ml/model",
        "/opt/ml/output/data",
        "/opt/ml/output/failure",
        "/opt/ml/checkpoints",
    ]


def test_nothing_configured(opt_ml: OptMl) -> None:
    """No configuration files, as in local runs -> no hyperparameters and one host."""
    assert opt_ml.read_hyperparameters() == {}
    assert opt_ml.read_resources() == Resources()


def test_hosts(opt_ml: OptMl) -> None:
    """A resource configuration with unknown keys -> its hosts, the rest ignored."""
    opt_ml.resource_config_file.write_text(
        '{"current_host": "algo-2", "hosts": ["algo-1", "algo-2"], "network_interface_name": "ethwe", "topology": {}}'
    )
    assert opt_ml.read_resources() == Resources("algo-2", ("algo-1", "algo-2"), "ethwe", None)


@pytest.mark.parametrize(
    ("instance_type", "expected"),
    [
        ("ml.g4dn.xlarge", True),
        ("ml.p3.2xlarge", True),
        ("ml.p4d.24xlarge", True),
        ("local_gpu", True),
        ("ml.m5.large", False),
        ("ml.c6g.large", False),
        ("local", False),
        (None, False),
    ],
)
def test_instance_types_with_a_gpu(opt_ml: OptMl, instance_type: str | None, expected: bool) -> None:
    """An instance type in the resource configuration -> whether such machines have NVIDIA GPUs."""
    opt_ml.resource_config_file.write_text(json.dumps({"current_instance_type": instance_type}))
    assert opt_ml.read_resources().has_gpu is expected


@pytest.mark.parametrize("text", ["", "{", "[1]", '"epochs"'])
def test_broken_hyperparameters(opt_ml: OptMl, text: str) -> None:
    """A file that is no JSON object -> an error of the user's that names it and what is expected."""
    opt_ml.hyperparameters_file.write_text(text)
    with pytest.raises(UserError, match=r"hyperparameters\.json .* object such as \{\}"):
        opt_ml.read_hyperparameters()


def test_a_failure_is_left_for_the_platform(opt_ml: OptMl) -> None:
    """A message -> in the failure file, whose folder is made."""
    opt_ml.write_failure("UserError: größer")
    assert opt_ml.failure_file.read_text(encoding="utf-8") == "UserError: größer"


def test_a_failure_that_cannot_be_written(tmp_path: Path) -> None:
    """The output folder is a file -> no second exception hides the first."""
    (tmp_path / "output").write_text("")
    OptMl(tmp_path).write_failure("UserError: lost")
    assert (tmp_path / "output").read_text() == ""
