"""The platform's tree, read from real folders."""

import json
import os
from pathlib import Path

import pytest

from image_classifier.contract.errors import PlatformError, UserError
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


@pytest.mark.parametrize(
    ("given", "name", "folder"),
    [
        ({"_tuning_objective_metric": "validation:accuracy"}, "search-001", "checkpoints/search-001"),
        ({"_tuning_objective_metric": "validation:accuracy"}, "", "checkpoints"),
        ({"epochs": "3"}, "flowers-1", "checkpoints"),
    ],
    ids=["trial", "trial-without-a-name", "single-job"],
)
def test_trials_of_a_tuning_job_have_checkpoints_of_their_own(
    opt_ml: OptMl, given: dict[str, str], name: str, folder: str
) -> None:
    """Given a job of a tuning job -> a folder with its name, made where the platform keeps checkpoints alone."""
    opt_ml.hyperparameters_file.write_text(json.dumps(given))
    environment = {"SAGEMAKER_BASE_DIR": str(opt_ml.base), "TRAINING_JOB_NAME": name}
    tree = OptMl.of_training_job(environment)
    assert tree.checkpoints_dir == opt_ml.base / folder
    tree.make_checkpoints_dir()
    assert not (opt_ml.base / "checkpoints").exists()
    (opt_ml.base / "checkpoints").mkdir()
    tree.make_checkpoints_dir()
    assert tree.checkpoints_dir.is_dir()


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


@pytest.mark.parametrize("name", ["current_host", "hosts", "network_interface_name", "current_instance_type"])
def test_null_is_no_host(opt_ml: OptMl, name: str) -> None:
    """A resource configuration with null for a key -> as without the key; no host is called None."""
    opt_ml.resource_config_file.write_text(f'{{"{name}": null}}')
    assert opt_ml.read_resources() == Resources()


@pytest.mark.parametrize(
    ("content", "kind"), [("[]", "a list"), ("null", "null"), ('"x"', "a text"), ("3", "a number"), ("true", "true or")]
)
def test_other_json_is_named(opt_ml: OptMl, content: str, kind: str) -> None:
    """Hyperparameters that are another JSON value -> its kind in words, not Python's name of a type."""
    opt_ml.hyperparameters_file.write_text(content)
    with pytest.raises(UserError, match=rf"hyperparameters\.json holds {kind}.*; expected an object such as \{{\}}"):
        opt_ml.read_hyperparameters()


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
    """A file that is not a JSON object -> an error of the user's that names it and what is expected."""
    opt_ml.hyperparameters_file.write_text(text)
    with pytest.raises(UserError, match=r"hyperparameters\.json .* object such as \{\}"):
        opt_ml.read_hyperparameters()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
def test_hyperparameters_in_every_encoding_of_unicode(opt_ml: OptMl, encoding: str) -> None:
    """An object as PowerShell, Notepad or Java write it, with a byte order mark or without -> read."""
    opt_ml.hyperparameters_file.write_bytes('{"model_id": "größer"}'.encode(encoding))
    assert opt_ml.read_hyperparameters() == {"model_id": "größer"}


BROKEN = {
    "Latin-1": (b'{"model_id": "gr\xf6\xdfer"}', "byte 16 is not text in utf-8"),
    "half of a UTF-16": ('{"epochs": "1"}'.encode("utf-16")[:-1], "is not text in utf-16"),
    "zeros": (bytes(64), "is not valid JSON"),
    "nested too deeply": (b'{"a": ' * 100_000, "nested too deeply"),
    "lists nested too deeply": (b'{"a": ' + b"[" * 100_000, "nested too deeply"),
    "an integer of 5,000 digits": (b'{"epochs": ' + b"9" * 5000 + b"}", "is not valid JSON"),
    "two values of one name": (b'{"epochs": "1", "epochs": "2"}', "'epochs' is given twice"),
    "cut off": (b'{"epochs": "1', "is not valid JSON"),
    "a zero in a text": (b'{"epochs": "1\0"}', "is not valid JSON"),
}


@pytest.mark.parametrize("file", ["hyperparameters", "resourceconfig", "inputdataconfig"])
@pytest.mark.parametrize("form", BROKEN)
def test_broken_files_of_the_platform(opt_ml: OptMl, file: str, form: str) -> None:
    """Bytes that are not the JSON that they should be -> an error of the user's that names the file and why."""
    content, reason = BROKEN[form]
    path = opt_ml.hyperparameters_file.with_name(f"{file}.json")
    path.write_bytes(content)
    read = {
        "hyperparameters": opt_ml.read_hyperparameters,
        "resourceconfig": opt_ml.read_resources,
        "inputdataconfig": opt_ml.channel_names,
    }
    with pytest.raises(UserError) as raised:
        read[file]()
    assert str(path) in str(raised.value)
    assert reason in str(raised.value)
    assert len(str(raised.value)) < 1024


def test_equal_values_of_one_name_are_one(opt_ml: OptMl) -> None:
    """A name given twice with one value -> that value."""
    opt_ml.hyperparameters_file.write_text('{"epochs": "1", "epochs": "1"}')
    assert opt_ml.read_hyperparameters() == {"epochs": "1"}


def test_folder_in_place_of_a_file_is_the_platforms(opt_ml: OptMl) -> None:
    """A folder where the hyperparameters should be -> PlatformError with the path and the uid."""
    opt_ml.hyperparameters_file.mkdir()
    with pytest.raises(PlatformError, match=rf"hyperparameters\.json cannot be read by uid {os.geteuid()}: Is a dir"):
        opt_ml.read_hyperparameters()


@pytest.mark.parametrize("hosts", ['"algo-1"', "[1]", '[""]', '{"a": 1}'])
def test_hosts_that_are_not_a_list_of_names(opt_ml: OptMl, hosts: str) -> None:
    """Hosts of another type, a text among them, whose letters would become hosts -> rejected with the file's name."""
    opt_ml.resource_config_file.write_text(f'{{"hosts": {hosts}}}')
    with pytest.raises(UserError, match=r"resourceconfig\.json: hosts is .*expected a list of names"):
        opt_ml.read_resources()


def test_channels_that_were_given(opt_ml: OptMl) -> None:
    """Folders, a described channel, a file and a system's folder -> the folders and the described one, sorted."""
    for name in ("train", "val", "lost+found"):
        opt_ml.channel_dir(name).mkdir(parents=True)
    opt_ml.channel_dir("train-manifest").write_text("")
    opt_ml.input_data_config_file.write_text('{"test": {}}')
    assert opt_ml.channel_names() == ["test", "train", "val"]


@pytest.mark.parametrize("message", ["caf\udce9", "half \ud83c", "line\nline", "\0"])
def test_a_failure_is_written_whatever_it_contains(opt_ml: OptMl, message: str) -> None:
    """Bytes that are not UTF-8, half a character, line feeds, zeros -> in the failure file, escaped where needed."""
    opt_ml.write_failure(f"UserError: {message}")
    assert opt_ml.failure_file.read_text(encoding="utf-8").startswith("UserError: ")
    opt_ml.write_failure("caf\udce9")
    assert opt_ml.failure_file.read_bytes() == b"caf\\xe9"


def test_a_failure_is_left_for_the_platform(opt_ml: OptMl) -> None:
    """A message -> in the failure file, whose folder is made."""
    opt_ml.write_failure("UserError: größer")
    assert opt_ml.failure_file.read_text(encoding="utf-8") == "UserError: größer"


def test_a_failure_that_cannot_be_written(tmp_path: Path) -> None:
    """The output folder is a file -> no second exception hides the first."""
    (tmp_path / "output").write_text("")
    OptMl(tmp_path).write_failure("UserError: lost")
    assert (tmp_path / "output").read_text() == ""


def test_failure_file_that_is_a_link_is_replaced(tmp_path: Path) -> None:
    """A link in the place of the failure file -> the reason is written there, and what the link led to is as it was."""
    (tmp_path / "mine.txt").write_text("mine")
    tree = OptMl(tmp_path / "ml")
    tree.failure_file.parent.mkdir(parents=True)
    tree.failure_file.symlink_to(tmp_path / "mine.txt")
    tree.write_failure("the reason")
    assert (tmp_path / "mine.txt").read_text() == "mine"
    assert tree.failure_file.read_text() == "the reason"
