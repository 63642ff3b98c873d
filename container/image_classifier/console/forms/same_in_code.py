"""The same experiment in code: a command, Docker, both SageMaker SDKs, boto3 and the file job.toml."""

import json
import pprint
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from image_classifier.cloud.s3 import Location
from image_classifier.cloud.sagemaker import option_reading
from image_classifier.cloud.sagemaker.options import TrainingOptions
from image_classifier.cloud.sagemaker.training import TrainingJob, create_training_job
from image_classifier.contract import metrics
from image_classifier.runners import docker, experiment
from image_classifier.runners.experiment import DOCKER, Experiment
from image_classifier.runners.sagemaker_job.inputs import options_of

_URI = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/image-classifier:latest-cpu"
_ROLE = "arn:aws:iam::123456789012:role/sagemaker"
_LOCATION = "s3://my-bucket/image-classifier"
"""Stand for what was not typed yet; a comment beside each says so."""
_SHOWN_METRICS = ("val_accuracy", "val_loss")
"""Those that a snippet collects: the whole list, docs/reference/metrics.md, is longer than the snippet."""


@dataclass(frozen=True)
class Snippet:
    """One form."""

    key: str
    """Of the address."""
    title: str
    language: str
    """`shell`, `python` or `toml`."""
    text: str


def snippets(asked: Experiment) -> tuple[Snippet, ...]:
    """Return the experiment in every form. Paths and names may hold any character: each is quoted."""
    return (
        Snippet("shell", "Shell", "shell", _shell(asked)),
        Snippet("docker", "Docker", "shell", _docker(asked)),
        Snippet("sdk3", "SDK v3", "python", _sdk_v3(asked)),
        Snippet("sdk2", "SDK v2", "python", _sdk_v2(asked)),
        Snippet("boto3", "boto3", "python", _boto3(asked)),
        Snippet("toml", "job.toml", "toml", experiment.text(asked)),
    )


def _shell(asked: Experiment) -> str:
    words = [f"--{name} {shlex.quote(folder)}" for name, folder in asked.channels.items()]
    words += [f"--model {shlex.quote(asked.model)}"] if asked.model else []
    words += [f"--output {shlex.quote(f'run/{asked.name}')}"]
    words += [shlex.quote(f"{name}={value}") for name, value in asked.hyperparameters.items()]
    return _joined("scripts/train-locally", words)


def _joined(command: str, words: list[str]) -> str:
    return " \\\n  ".join([command, *words]) + "\n"


def _docker(asked: Experiment) -> str:
    """Return what lays out the folder of a job as the platform does and runs the image on it."""
    job = f"run/{asked.name}"
    settings = json.dumps(dict(asked.hyperparameters), ensure_ascii=False)
    staged = shlex.quote(f"{job}/input/data/model/model.tar.gz")
    volumes = [f'--volume "$PWD"/{shlex.quote(job)}:/opt/ml']
    volumes += [
        f"--volume {shlex.quote(f'{folder}:/opt/ml/input/data/{name}:ro')}" for name, folder in asked.channels.items()
    ]
    lines = [f"mkdir -p {shlex.quote(f'{job}/input/config')} {shlex.quote(f'{job}/input/data/model')}"]
    if asked.model:
        lines.append(f"scripts/stage-backbone {shlex.quote(asked.model)} --output {staged}")
    lines.append(f"printf '%s' {shlex.quote(settings)} > {shlex.quote(f'{job}/input/config/hyperparameters.json')}")
    options = asked.options.get(DOCKER, {})
    extra = [shlex.quote(f"--{name}={options[name]}") for name in docker.OPTIONS[1:] if name in options]
    image = shlex.quote(str(options.get("image", docker.DEFAULT_IMAGE)))
    return "\n".join(lines) + "\n" + _joined("docker run --rm", [*volumes, *extra, f"{image} train"])


@dataclass(frozen=True)
class _Addresses:
    """Where the inputs of a job on SageMaker lie."""

    options: TrainingOptions
    location: Location
    channels: Mapping[str, str]
    uploads: tuple[str, ...]
    """Commands that bring local inputs there."""


def _addresses(asked: Experiment) -> _Addresses:
    given = options_of(asked)
    # The SDKs take one instance type.
    first = option_reading.items(given.instance_type)[0]
    shown = replace(given, image=given.image or _URI, role=given.role or _ROLE, location=given.location or _LOCATION)
    options = replace(shown, instance_type=first)
    location = options.storage("")
    channels: dict[str, str] = {}
    uploads: list[str] = []
    for name, folder in asked.channels.items():
        channels[name] = folder if experiment.is_s3(folder) else location.below(f"data/{asked.name}/{name}").uri
        if not experiment.is_s3(folder):
            uploads.append(f"aws s3 sync {shlex.quote(folder)} {shlex.quote(channels[name])}")
    if asked.model and experiment.is_s3(asked.model):
        channels["model"] = asked.model
    elif asked.model:
        channels["model"] = location.below(f"data/{asked.name}/model/model.tar.gz").uri
        uploads.append(f"scripts/stage-backbone {shlex.quote(asked.model)} --output {shlex.quote(channels['model'])}")
    return _Addresses(options, location, channels, tuple(uploads))


def _head(found: _Addresses, asked: Experiment) -> str:
    """Return the lines that hold what is the user's own."""
    typed = options_of(asked)
    lines = [f"# First, in a shell:  {command}" for command in map(_one_line, found.uploads)]
    for name, value, own, hint in (
        ("image_uri", found.options.image, typed.image, "printed by scripts/publish"),
        ("role", found.options.role, typed.role, "an execution role that reads and writes the bucket"),
    ):
        lines.append(f"{name} = {value!r}" + ("" if own else f"  # your own: {hint}"))
    return "\n".join(lines) + "\n"


def _one_line(command: str) -> str:
    # A folder's name may hold a line break, which would end the comment.
    return " ".join(map(_quoted_in_a_line, shlex.split(command)))


def _quoted_in_a_line(word: str) -> str:
    """Quote a word for bash without a line break in it: $'...' has escapes."""
    if not {"\n", "\r"} & set(word):
        return shlex.quote(word)
    for character, escape in (("\\", "\\\\"), ("'", "\\'"), ("\n", "\\n"), ("\r", "\\r")):
        word = word.replace(character, escape)
    return f"$'{word}'"


def _metric_definitions() -> list[dict[str, str]]:
    return [one for one in metrics.definitions() if one["Name"] in _SHOWN_METRICS]


def _python(value: Any) -> str:
    return pprint.pformat(value, sort_dicts=False, width=88)


def _job(asked: Experiment, found: _Addresses) -> dict[str, Any]:
    job = TrainingJob(
        name=asked.name,
        experiment=asked.name,
        channels=found.channels,
        hyperparameters=asked.hyperparameters,
        storage=found.location,
        checkpoints=asked.name,
        options=found.options,
    )
    request = dict(create_training_job(job).parameters)
    algorithm = {**request["AlgorithmSpecification"], "MetricDefinitions": _metric_definitions()}
    return {**request, "AlgorithmSpecification": algorithm}


def _boto3(asked: Experiment) -> str:
    found = _addresses(asked)
    request = _job(asked, found)
    settings = ["profile_name", "region_name"]
    session = {
        name: value
        for name, value in zip(settings, (found.options.profile, found.options.region), strict=True)
        if value
    }
    arguments = ", ".join(f"{name}={value!r}" for name, value in session.items())
    return (
        f"import boto3\n\n{_head(found, asked)}"
        f"request = {_with_names(_python(request), found)}\n"
        f'sagemaker = boto3.Session({arguments}).client("sagemaker")\n'
        "sagemaker.create_training_job(**request)\n"
    )


def _with_names(text: str, found: _Addresses) -> str:
    return text.replace(repr(found.options.image), "image_uri", 1).replace(repr(found.options.role), "role", 1)


def _sdk_v3(asked: Experiment) -> str:
    found = _addresses(asked)
    options, request = found.options, _job(asked, found)
    inputs = "".join(
        f"        InputData(channel_name={name!r}, data_source={uri!r}),\n" for name, uri in found.channels.items()
    )
    wait = f", max_wait_time_in_seconds={options.wait_seconds}" if options.spot else ""
    return (
        "from sagemaker.core.shapes import CheckpointConfig, MetricDefinition, OutputDataConfig\n"
        "from sagemaker.core.training.configs import Compute, InputData, Networking, StoppingCondition\n"
        f"from sagemaker.train import ModelTrainer\n\n{_head(found, asked)}"
        f"hyperparameters = {_python(request['HyperParameters'])}\n"
        f"metric_definitions = {_python(_metric_definitions())}\n"
        "trainer = ModelTrainer(\n    training_image=image_uri,\n    role=role,\n"
        f"    base_job_name={asked.name!r},\n"
        f"    compute=Compute(instance_type={options.instance_type!r}, instance_count={options.instance_count}, "
        f"volume_size_in_gb={options.volume_gb}, enable_managed_spot_training={options.spot}),\n"
        f"    stopping_condition=StoppingCondition(max_runtime_in_seconds={options.max_runtime_seconds}{wait}),\n"
        f"    networking=Networking(enable_network_isolation={options.network_isolation}),\n"
        "    hyperparameters=hyperparameters,\n"
        f"    output_data_config=OutputDataConfig(s3_output_path={request['OutputDataConfig']['S3OutputPath']!r}),\n"
        f"    checkpoint_config=CheckpointConfig(s3_uri={request['CheckpointConfig']['S3Uri']!r}),\n"
        ").with_metric_definitions(\n"
        '    [MetricDefinition(name=one["Name"], regex=one["Regex"]) for one in metric_definitions]\n)\n'
        f"trainer.train(\n    input_data_config=[\n{inputs}    ],\n    logs=False,\n)\n"
    )


def _sdk_v2(asked: Experiment) -> str:
    found = _addresses(asked)
    options, request = found.options, _job(asked, found)
    wait = f"    max_wait={options.wait_seconds},\n" if options.spot else ""
    return (
        f"from sagemaker.estimator import Estimator\n\n{_head(found, asked)}"
        "estimator = Estimator(\n    image_uri=image_uri,\n    role=role,\n"
        f"    base_job_name={asked.name!r},\n"
        f"    instance_count={options.instance_count},\n    instance_type={options.instance_type!r},\n"
        f"    volume_size={options.volume_gb},\n"
        f"    hyperparameters={_python(request['HyperParameters'])},\n"
        f"    metric_definitions={_python(_metric_definitions())},\n"
        f"    output_path={request['OutputDataConfig']['S3OutputPath']!r},\n"
        f"    checkpoint_s3_uri={request['CheckpointConfig']['S3Uri']!r},\n"
        f"    use_spot_instances={options.spot},\n"
        f"    max_run={options.max_runtime_seconds},\n{wait}"
        f"    enable_network_isolation={options.network_isolation},\n)\n"
        f"estimator.fit({_python(dict(found.channels))})\n"
    )
