"""`/opt/ml`, the folder tree through which SageMaker communicates with a container."""

import contextlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from image_classifier.contract.errors import ExplainedError, PlatformError, UserError
from image_classifier.contract.json_objects import each_name_once, type_of
from image_classifier.contract.names import printable
from image_classifier.contract.system_names import is_ignored

BASE_DIR_VARIABLE = "SAGEMAKER_BASE_DIR"
_JOB_NAME_VARIABLE = "TRAINING_JOB_NAME"
"""Set by SageMaker:
https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-running-container.html."""
TRIAL_MARK = "_tuning_objective_metric"
"""Hyperparameter that SageMaker gives to the training jobs of a tuning job, and to no other."""


@dataclass(frozen=True)
class Resources:
    """The hosts of a training job, as `resourceconfig.json` describes them to one of them."""

    current_host: str = "algo-1"
    hosts: tuple[str, ...] = ("algo-1",)
    network_interface_name: str = "eth0"
    current_instance_type: str | None = None
    """Such as `ml.g5.xlarge`; `local` or `local_gpu` in the SageMaker SDK's local mode."""

    @property
    def has_gpu(self) -> bool:
        """Whether the instance type has NVIDIA GPUs: families ml.g* and ml.p*, or `local_gpu`."""
        name = self.current_instance_type or ""
        return name == "local_gpu" or re.match(r"ml\.[gp]\d", name) is not None


@dataclass(frozen=True)
class OptMl:
    """Paths below the platform's root folder; only `lay_out` and `write_failure` create anything."""

    base: Path
    trial: str = ""
    """The name of a training job that a tuning job started; empty for any other."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "OptMl":
        """Take the root from `SAGEMAKER_BASE_DIR`, or `/opt/ml` when it is not set."""
        variables = os.environ if environment is None else environment
        return cls(Path(variables.get(BASE_DIR_VARIABLE) or "/opt/ml"))

    @classmethod
    def of_training_job(cls, environment: Mapping[str, str] | None = None) -> "OptMl":
        """Do the same for a training job, whose hyperparameters tell whether a tuning job started it."""
        variables = os.environ if environment is None else environment
        found = cls.from_environment(variables)
        try:
            is_trial = TRIAL_MARK in found.read_hyperparameters()
        except ExplainedError:  # which the job itself reports
            is_trial = False
        return replace(found, trial=variables.get(_JOB_NAME_VARIABLE, "")) if is_trial else found

    @property
    def hyperparameters_file(self) -> Path:
        """Flat JSON object of strings; optional."""
        return self.base / "input" / "config" / "hyperparameters.json"

    @property
    def resource_config_file(self) -> Path:
        """JSON object that names the hosts; optional in local runs."""
        return self.base / "input" / "config" / "resourceconfig.json"

    @property
    def input_data_config_file(self) -> Path:
        """JSON object that describes each channel; optional in local runs."""
        return self.base / "input" / "config" / "inputdataconfig.json"

    @property
    def model_dir(self) -> Path:
        """The model folder that a training job writes; an endpoint finds it unpacked and read-only."""
        return self.base / "model"

    @property
    def output_data_dir(self) -> Path:
        """Reports of a training job, uploaded as output.tar.gz."""
        return self.base / "output" / "data"

    @property
    def tensorboard_dir(self) -> Path:
        """Events of TensorBoard, the default LocalPath of a job's TensorBoardOutputConfig."""
        return self.base / "output" / "tensorboard"

    @property
    def failure_file(self) -> Path:
        """The failure message of a training job, of which the first 1,024 characters become the API's FailureReason."""
        return self.base / "output" / "failure"

    @property
    def checkpoints_dir(self) -> Path:
        """Synchronised with S3 in both directions while the job runs.

        The training jobs of a tuning job share the address in S3, so that each has a folder of its own there.
        """
        return self.base / "checkpoints" / self.trial

    @property
    def keeps_checkpoints(self) -> bool:
        """Whether the platform gave the job a place for checkpoints."""
        return (self.base / "checkpoints").exists()

    def make_checkpoints_dir(self) -> None:
        """Make the folder of a tuning job's training job, if the platform gave the job a place for checkpoints.

        Raises:
            OSError: It cannot be written.
        """
        if self.keeps_checkpoints:
            self.checkpoints_dir.mkdir(exist_ok=True)

    def channel_dir(self, name: str) -> Path:
        """The folder of one input channel."""
        return self.base / "input" / "data" / name

    def read_hyperparameters(self) -> dict[str, Any]:
        """Return the given hyperparameters, not yet decoded.

        Raises:
            UserError: The file is not a JSON object.
            PlatformError: It cannot be read.
        """
        return _read_object(self.hyperparameters_file)

    def read_resources(self) -> Resources:
        """Return the hosts of this job; a single one when there is no `resourceconfig.json`.

        Raises:
            UserError: The file is not a JSON object.
            PlatformError: It cannot be read.
        """
        found = _read_object(self.resource_config_file)
        default = Resources()
        current = str(found.get("current_host") or default.current_host)
        return Resources(
            current_host=current,
            hosts=self._hosts(found.get("hosts") or [current]),
            network_interface_name=str(found.get("network_interface_name") or default.network_interface_name),
            current_instance_type=str(kind) if (kind := found.get("current_instance_type")) else None,
        )

    def _hosts(self, found: Any) -> tuple[str, ...]:
        if not isinstance(found, list) or not all(isinstance(name, str) and name for name in found):
            raise UserError(
                f"{self.resource_config_file}: hosts is {str(found)[:60]!r}; expected a list of names, such as "
                '["algo-1"].'
            )
        return tuple(found)

    def lay_out(
        self, hyperparameters: Mapping[str, Any], resources: Resources | None = None, checkpoints: bool = False
    ) -> None:
        """Create what SageMaker mounts for a training job, without the channels; existing folders stay.

        Args:
            hyperparameters: Content of `hyperparameters.json`.
            resources: Content of `resourceconfig.json`; None: no such file.
            checkpoints: Create the folder for checkpoints, as SageMaker does for jobs with a CheckpointConfig.

        Raises:
            OSError: The disk is full or not writable.
        """
        folders = [self.hyperparameters_file.parent, self.channel_dir(""), self.model_dir, self.output_data_dir]
        for folder in [*folders, self.checkpoints_dir] if checkpoints else folders:
            folder.mkdir(parents=True, exist_ok=True)
        self.hyperparameters_file.write_text(json.dumps(dict(hyperparameters)), encoding="utf-8")
        if resources is not None:
            named = {name: value for name, value in asdict(resources).items() if value is not None}
            self.resource_config_file.write_text(json.dumps(named), encoding="utf-8")

    def channel_names(self) -> list[str]:
        """Return the names of all given channels, including those that this program does not read.

        Raises:
            UserError: `inputdataconfig.json` is not valid JSON.
        """
        described = read_json(self.input_data_config_file, "an object of channels")
        names = set(described) if isinstance(described, dict) else set()
        root = self.channel_dir("")
        with contextlib.suppress(OSError):
            names |= {path.name for path in root.iterdir() if path.is_dir() and not is_ignored(path.name)}
        return sorted(names)

    def write_failure(self, message: str) -> None:
        """Write the failure file, as far as the disk allows."""
        with contextlib.suppress(OSError):
            self.failure_file.parent.mkdir(parents=True, exist_ok=True)
            if self.failure_file.is_symlink():
                # The target of the link does not belong to the job.
                self.failure_file.unlink()
            self.failure_file.write_bytes(printable(message).encode())


def read_json(path: Path, expected: str) -> Any:
    """Read a JSON file of the platform in UTF-8, UTF-16 or UTF-32; a missing file counts as an empty object.

    Raises:
        UserError: It is not valid JSON, or an object repeats a name; the message says what was `expected`.
        PlatformError: It cannot be read.
    """
    try:
        # The encoding follows from a byte order mark or from the position of zero bytes (RFC 4627, section 3).
        return json.loads(path.read_bytes(), object_pairs_hook=each_name_once)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise PlatformError(
            f"{path} cannot be read by uid {os.geteuid()}: {error.strerror}. Change its owner or mode."
        ) from error
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} is not valid JSON: byte {error.start} is not text in {error.encoding}. Expected {expected}, "
            "in UTF-8."
        ) from error
    except RecursionError as error:
        raise UserError(f"{path} is not valid JSON: it is nested too deeply. Expected {expected}.") from error
    except ValueError as error:
        raise UserError(f"{path} is not valid JSON: {error}. Expected {expected}.") from error


def _read_object(path: Path) -> dict[str, Any]:
    value = read_json(path, "a flat object such as {}")
    if not isinstance(value, dict):
        raise UserError(f"{path} holds {type_of(value)}; expected an object such as {{}}.")
    return value
