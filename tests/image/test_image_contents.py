import json

import pytest

from tests.image.conftest import name_of_image
from tests.image.containers import docker, run

CAPABILITY = "com.amazonaws.sagemaker.capabilities.accept-bind-to-port"
FOREIGN = {"keras", "clang", "tensorboard", "pytest", "moto", "sagemaker", "openvino_telemetry"}


@pytest.mark.parametrize(("target", "word"), [("serve", "serve"), ("cpu", "train"), ("gpu", "train")])
def test_settings_are_the_ones_that_sagemaker_needs(target: str, word: str) -> None:
    """Given an image -> its own word by default, the port's label, and neither a user nor an entry point."""
    settings = json.loads(docker("inspect", "--format", "{{json .Config}}", name_of_image(target)))
    assert settings["Cmd"] == [word]
    assert settings["Labels"][CAPABILITY] == "true"
    assert not any(settings.get(name) for name in ("Entrypoint", "User", "Healthcheck"))


def test_labels_say_which_commit_it_is(any_image: str) -> None:
    """Given an image -> its OCI labels name a version and a commit."""
    labels = json.loads(docker("inspect", "--format", "{{json .Config.Labels}}", any_image))
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    for name in ("version", "revision", "title"):
        assert labels[f"org.opencontainers.image.{name}"] not in ("", "unknown")


def test_both_words_are_programs_on_the_path(any_image: str) -> None:
    """Given `train` and `serve` as commands -> both are found in /opt/program."""
    assert run(any_image, "bash", "-c", "type -P train serve").split() == ["/opt/program/train", "/opt/program/serve"]


def test_program_is_compiled(any_image: str) -> None:
    """Given the program in an image -> every module has its bytecode, so none is compiled at each start."""
    modules = run(any_image, "find", "/opt/program", "-name", "*.py").split()
    compiled = run(any_image, "find", "/opt/program", "-name", "*.pyc").split()
    assert len(modules) == len(compiled) > 10


def test_what_nothing_uses_is_left_out(any_image: str) -> None:
    """Given an image -> no Keras 3, no tests and their tools, no headers, no compiler, no caches."""
    packages = run(any_image, "sh", "-c", "ls /opt/venv/lib/python3.*/site-packages").split()
    assert "flask" in packages
    assert not FOREIGN & set(packages)
    names = ("tests", "gcc*", "cc1*", "*_gpu_plugin.so")
    unwanted = "find /opt/venv /usr/bin -path '*/tensorflow/include'" + "".join(f" -o -name '{name}'" for name in names)
    assert run(any_image, "sh", "-c", unwanted).split() == []
    assert run(any_image, "sh", "-c", "ls -A /var/lib/apt/lists ~/.cache 2>/dev/null | grep -v :; true").split() == []


@pytest.mark.parametrize(
    ("target", "has", "lacks"),
    [
        (
            "serve",
            {"openvino"},
            {"tensorflow", "tf_keras", "tensorflow_hub", "boto3", "nncf", "nvidia", "setuptools", "pip"},
        ),
        ("cpu", {"openvino", "nncf", "tensorflow", "tf_keras", "boto3", "pip"}, {"nvidia"}),
        ("gpu", {"openvino", "nncf", "tensorflow", "tf_keras", "boto3", "nvidia"}, set()),
    ],
)
def test_each_target_has_its_own_packages(target: str, has: set[str], lacks: set[str]) -> None:
    """Given an image -> the packages of its target, and none of a larger one's."""
    found = set(run(name_of_image(target), "sh", "-c", "ls /opt/venv/lib/python3.*/site-packages").split())
    assert has - found == set()
    assert lacks & found == set()


def test_nothing_lies_where_the_platform_mounts(any_image: str) -> None:
    """Given an image with nothing mounted -> there is no /opt/ml that a mount could hide."""
    assert run(any_image, "sh", "-c", "test ! -e /opt/ml && echo free") == "free"
