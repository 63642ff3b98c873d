import json

from tests.image.containers import docker

LABEL = "com.amazonaws.sagemaker.capabilities.accept-bind-to-port"


def run(image: str, *words: str) -> str:
    """Return what a command inside the image prints."""
    return docker("run", "--rm", "--network", "none", image, *words)


def test_settings_are_the_ones_that_sagemaker_needs(image: str) -> None:
    """Given the image -> it means `train` by default, carries the port's label, sets no user and no entry point."""
    settings = json.loads(docker("inspect", "--format", "{{json .Config}}", image))
    assert settings["Cmd"] == ["train"]
    assert settings["Labels"][LABEL] == "true"
    assert not any(settings.get(name) for name in ("Entrypoint", "User", "Healthcheck"))


def test_both_words_are_programs_on_the_path(image: str) -> None:
    """Given `train` and `serve` as commands -> both are found in /opt/program."""
    assert run(image, "bash", "-c", "type -P train serve").split() == ["/opt/program/train", "/opt/program/serve"]


def test_program_is_compiled(image: str) -> None:
    """Given the program in the image -> every module has its bytecode, so none is compiled at each start."""
    modules = run(image, "find", "/opt/program", "-name", "*.py").split()
    compiled = run(image, "find", "/opt/program", "-name", "*.pyc").split()
    assert len(modules) == len(compiled) > 10


def test_what_no_job_uses_is_left_out(image: str) -> None:
    """Given the image -> no C++ headers of TensorFlow, no libclang, no Keras 3, no compiler, no tests' tools."""
    packages = run(image, "sh", "-c", "ls /opt/venv/lib/python3.*/site-packages").split()
    assert "tensorflow" in packages
    assert not {"keras", "clang", "tensorboard", "pytest", "moto"} & set(packages)
    assert run(image, "find", "/opt/venv", "/usr/bin", "-path", "*/tensorflow/include", "-o", "-name", "gcc*") == ""


def test_nothing_lies_where_the_platform_mounts(image: str) -> None:
    """Given the image with nothing mounted -> there is no /opt/ml that a mount could hide."""
    assert run(image, "sh", "-c", "test ! -e /opt/ml && echo free") == "free"
