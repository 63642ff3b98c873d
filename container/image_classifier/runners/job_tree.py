"""The folder of a local training job, laid out as the platform lays out /opt/ml: checked, built, replaced.

It carries a marker. Only a marked folder is used again, and of it only what a job writes is removed; with anything else
in the way the command is rejected before the first file is touched. A job that left no finished model resumes from its
checkpoints; a finished one stays until its successor has finished (see `job_state.work_folder`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from image_classifier import own_files
from image_classifier.contract.errors import UserError
from image_classifier.contract.opt_ml import OptMl, Resources
from image_classifier.runners import job_content, job_state

WRITER = "scripts/train-locally"
LOG = "job.log"
"""Everything that the job printed."""
_SHOWN = 5


@dataclass(frozen=True)
class LocalJob:
    """What to train on and where to put the result."""

    training: Path
    model: Path | None
    """None: not staged yet, or the job fetches it by its hyperparameter model_uri."""
    output: Path
    validation: Path | None = None
    test: Path | None = None
    hyperparameters: Mapping[str, str] | None = None

    @property
    def channels(self) -> dict[str, Path]:
        """The folders of images that were given, by the name of their channel."""
        found = {"training": self.training, "validation": self.validation, "test": self.test}
        return {name: folder for name, folder in found.items() if folder is not None}


def check(job: LocalJob) -> None:
    """Make sure that the job can be laid out and that nothing of the user's is in the way; changes nothing.

    Raises:
        UserError: A folder or the model is missing; the output holds one of them or lies in one; or the output is a
            file, the root or home folder, not writable, or holds something that a job does not write.
    """
    for name, folder in job.channels.items():
        if not folder.is_dir():
            raise UserError(f"--{name} is {folder}, which is no folder. Give a folder with one sub-folder a class.")
    if job.model is not None and not job.model.exists():
        raise UserError(f"--model is {job.model}, which does not exist. scripts/stage-backbone makes one.")
    _check_place(job.output)
    given = {**job.channels, **({"model": job.model} if job.model else {})}
    for name, path in given.items():
        if own_files.overlap(job.output, path):
            raise UserError(
                f"--output {job.output} and --{name} {path} lie in each other, and a job replaces what is in its "
                "output folder. Nothing was changed: give --output a folder elsewhere, such as run/NAME."
            )
    if job.output.is_dir():
        try:
            _check_content(job.output)
        except OSError as error:
            raise UserError(f"--output {job.output} cannot be read: {error}. Give another folder.") from error


def _check_place(output: Path) -> None:
    try:
        real = output.resolve()
        kind = "the root folder" if real == Path(real.anchor) else "your home folder" if _is_home(real) else None
        if output.exists() and not output.is_dir():
            kind = "a file"
    except (OSError, RuntimeError) as error:
        raise UserError(f"--output {output} cannot be used: {error}. Give a new folder, such as run/NAME.") from error
    if kind:
        raise UserError(f"--output {output} is {kind}. Give a new folder, such as run/NAME.")
    if reason := own_files.unwritable(real):
        raise UserError(f"--output {output} cannot be written to: {reason}. Give a folder of yours, such as run/NAME.")


def _is_home(folder: Path) -> bool:
    try:
        return Path.home().resolve() == folder
    except RuntimeError:
        # A user without one, as in some containers.
        return False


def _check_content(output: Path) -> None:
    if not own_files.is_marked(output, WRITER):
        others = sorted(path.name for path in output.iterdir() if path.name not in _left_alone(output))
        if others:
            raise UserError(
                f"--output {output} is not empty ({_listed(others)}) and carries no marker of an earlier local job "
                f"({own_files.MARKER}). Nothing was changed: give a new folder, or move that one away."
            )
        return
    _reject_foreign(output, job_content.CHECKED)


def _reject_foreign(output: Path, parts: Sequence[str]) -> None:
    if foreign := sorted(path for path, written in job_content.content(output, parts) if not written):
        raise UserError(
            f"--output {output} holds what no job writes: {_listed(foreign)}. Nothing was changed: move it elsewhere, "
            "or give another folder."
        )


def _left_alone(output: Path) -> set[str]:
    checkpoints = {job_content.CHECKPOINTS} if (output / job_content.CHECKPOINTS).is_dir() else set()
    return {f"{own_files.MARKER}.partial", *checkpoints}


def _listed(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def build_tree(job: LocalJob) -> OptMl:
    """Lay out `job.output` as the platform lays out /opt/ml; the channels are links to the given folders.

    Of an earlier job its channels and settings are replaced. Its checkpoints stay, so that this job resumes from them,
    and its model, until this job replaces it.

    Raises:
        UserError: See `check`; nothing was changed then. Or the disk rejects it.
    """
    check(job)
    tree = OptMl(job.output.resolve())
    try:
        tree.base.mkdir(parents=True, exist_ok=True)
        own_files.mark(tree.base, WRITER)
        job_content.clear(tree.base, job_content.INPUT)
        tree.failure_file.unlink(missing_ok=True)
        own_files.remove_link(tree.base / LOG)
        (tree.base / job_state.STATE_FILE).unlink(missing_ok=True)
        _lay_out(tree, job)
    except OSError as error:
        raise UserError(
            f"--output {job.output} cannot be laid out: {error}. Look at that path and its disk."
        ) from error
    return tree


def _lay_out(tree: OptMl, job: LocalJob) -> None:
    model = job.model
    tree.lay_out(job.hyperparameters or {}, Resources(network_interface_name="lo"), checkpoints=True)
    for name, folder in job.channels.items():
        tree.channel_dir(name).symlink_to(folder.resolve())
    if model and model.is_dir():
        tree.channel_dir("model").symlink_to(model.resolve())
    elif model:
        tree.channel_dir("model").mkdir()
        (tree.channel_dir("model") / "model.tar.gz").symlink_to(model.resolve())


def empty(folder: Path) -> None:
    """Remove what a job wrote in its marked folder, checkpoints included; nothing happens when there is no such folder.

    Raises:
        UserError: It holds something that no job writes.
        OSError: The disk rejects it.
    """
    if own_files.is_marked(folder, WRITER):
        _reject_foreign(folder, (*job_content.INPUT, *job_content.RESULT))
        job_content.clear(folder, (*job_content.INPUT, *job_content.RESULT))


def take_place(new: Path, old: Path) -> None:
    """Put a finished job in the place of an earlier one, of which only what a job wrote is removed.

    Raises:
        UserError: Something of the user's has come into the earlier job's folders; both jobs are as they were, or the
            new one lies whole in its own folder.
        OSError: The disk rejects it.
    """
    _check_content(old)
    _reject_foreign(old, job_content.RESULT)
    for part in (*job_content.INPUT, *job_content.RESULT):
        job_content.clear(old, (part,))
        (new / part).replace(old / part)
    for name in (LOG, job_state.STATE_FILE):
        if (new / name).exists():
            (new / name).replace(old / name)
    (new / own_files.MARKER).unlink()
    new.rmdir()
