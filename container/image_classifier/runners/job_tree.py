"""The folder of a local training job, laid out as the platform lays out /opt/ml: checked, built, replaced.

It has a marker. Only a marked folder is used again, and only the files of a job are removed from it; any other file
makes the command fail before the first change. An unfinished job resumes from its checkpoints; a finished one stays
until its successor has finished (see `job_state.work_folder`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from image_classifier import own_files
from image_classifier.contract.errors import UserError, cause
from image_classifier.contract.names import listed
from image_classifier.contract.opt_ml import OptMl, Resources
from image_classifier.runners import experiment, job_content, job_record, job_state, log_reading

WRITER = "scripts/train-locally"
LOG = job_record.LOG
OF_RUN = (job_record.PROCESS_FILE, job_record.STOP_FILE, log_reading.FILE)
"""Files about one run of the job, which the next run begins without."""
_SHOWN = 5


@dataclass(frozen=True)
class LocalJob:
    """The inputs and the output folder of a job."""

    training: Path
    model: Path | None
    """None: not staged yet, or the job fetches it from model_uri."""
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
    """Check that the job can be laid out without touching files of the user; changes nothing.

    Raises:
        UserError: A folder or the model is missing; the output holds one of them or lies in one; or the output is a
            file, the root or home folder, not writable, or holds something that a job does not write.
    """
    for name, folder in job.channels.items():
        if not folder.is_dir():
            raise UserError(
                f"--{name} is {folder}, which is not a folder. Give a folder with one sub-folder per class."
            )
    if job.model is not None and not job.model.exists():
        raise UserError(f"--model is {job.model}, which does not exist. scripts/stage-backbone makes one.")
    _check_output(job.output)
    given = {**job.channels, **({"model": job.model} if job.model else {})}
    for name, path in given.items():
        if own_files.overlap(job.output, path):
            raise UserError(
                f"--output {job.output} and --{name} {path} overlap, and a job replaces the content of its "
                "output folder. Nothing was changed: give --output a folder elsewhere, such as run/NAME."
            )
    if job.output.is_dir():
        try:
            _check_content(job.output)
        except OSError as error:
            raise UserError(f"--output {job.output} cannot be read: {cause(error)}. Give another folder.") from error


def _check_output(output: Path) -> None:
    try:
        real = output.resolve()
        kind = "the root folder" if real == Path(real.anchor) else "your home folder" if _is_home(real) else None
        if output.exists() and not output.is_dir():
            kind = "a file"
    except (OSError, RuntimeError) as error:
        raise UserError(
            f"--output {output} cannot be used: {cause(error)}. Give a new folder, such as run/NAME."
        ) from error
    if kind:
        raise UserError(f"--output {output} is {kind}. Give a new folder, such as run/NAME.")
    if reason := own_files.unwritable(real):
        raise UserError(f"--output {output} cannot be written to: {reason}. Give a folder of yours, such as run/NAME.")


def _is_home(folder: Path) -> bool:
    try:
        return Path.home().resolve() == folder
    except RuntimeError:
        # A user without a home folder, as in some containers.
        return False


def _check_content(output: Path) -> None:
    if not own_files.is_marked(output, WRITER):
        others = sorted(path.name for path in output.iterdir() if path.name not in _ignored(output))
        if others:
            raise UserError(
                f"--output {output} is not empty ({listed(others, _SHOWN)}) and has no marker of an earlier local job "
                f"({own_files.MARKER}). Nothing was changed: give a new folder, or move that one away."
            )
        return
    _reject_foreign(output, job_content.CHECKED)


def _reject_foreign(output: Path, parts: Sequence[str]) -> None:
    if foreign := sorted(path for path, written in job_content.content(output, parts) if not written):
        raise UserError(
            f"--output {output} holds files that no job writes: {listed(foreign, _SHOWN)}. Nothing was changed: move "
            "them elsewhere, or give another folder."
        )


def _ignored(output: Path) -> set[str]:
    checkpoints = {job_content.CHECKPOINTS} if (output / job_content.CHECKPOINTS).is_dir() else set()
    # A queue keeps what was asked for in the folder in which the job will run.
    return {f"{own_files.MARKER}.partial", experiment.FILE, *checkpoints}


def build_tree(job: LocalJob) -> OptMl:
    """Lay out `job.output` as the platform lays out /opt/ml; the channels are links to the given folders.

    The channels and settings of an earlier job are replaced. Its checkpoints stay, so that this job resumes from them,
    and so does its model, until this job replaces it.

    Raises:
        UserError: See `check`; nothing was changed then. Or the folder cannot be written.
    """
    check(job)
    tree = OptMl(job.output.resolve())
    try:
        tree.base.mkdir(parents=True, exist_ok=True)
        own_files.mark(tree.base, WRITER)
        job_content.clear(tree.base, job_content.INPUT)
        tree.failure_file.unlink(missing_ok=True)
        own_files.remove_link(tree.base / LOG)
        for name in (job_state.STATE_FILE, *OF_RUN):
            (tree.base / name).unlink(missing_ok=True)
        _lay_out(tree, job)
    except OSError as error:
        raise UserError(
            f"--output {job.output} cannot be laid out: {cause(error)}. Look at that path and its disk."
        ) from error
    return tree


def _lay_out(tree: OptMl, job: LocalJob) -> None:
    model = job.model
    tree.lay_out(job.hyperparameters or {}, Resources(network_interface_name="lo"), checkpoints=True)
    for name, folder in job.channels.items():
        tree.channel_dir(name).symlink_to(folder.resolve())
    if model:
        link_model(tree, model)


def link_model(tree: OptMl, model: Path) -> None:
    """Make a model folder or archive the model channel of a tree that has none.

    Raises:
        OSError: The folder cannot be written to.
    """
    channel = tree.channel_dir("model")
    if model.is_dir():
        channel.symlink_to(model.resolve())
    else:
        channel.mkdir()
        (channel / "model.tar.gz").symlink_to(model.resolve())


def empty(folder: Path) -> None:
    """Remove the files of a job from its marked folder, checkpoints included; does nothing without such a folder.

    Raises:
        UserError: It holds files that no job writes.
        OSError: A file cannot be removed or moved.
    """
    if own_files.is_marked(folder, WRITER):
        _reject_foreign(folder, (*job_content.INPUT, *job_content.RESULT))
        job_content.clear(folder, (*job_content.INPUT, *job_content.RESULT))


def replace_job(new: Path, old: Path) -> None:
    """Replace an earlier job by a finished one; only files of a job are removed.

    Raises:
        UserError: The earlier job's folders hold files of the user; both jobs are unchanged, or the new one is complete
            in its own folder.
        OSError: A file cannot be removed or moved.
    """
    _check_content(old)
    _reject_foreign(old, job_content.RESULT)
    for part in (*job_content.INPUT, *job_content.RESULT):
        job_content.clear(old, (part,))
        (new / part).replace(old / part)
    for name in (LOG, job_state.STATE_FILE, experiment.FILE):
        if (new / name).exists():
            (new / name).replace(old / name)
    for name in OF_RUN:
        (new / name).unlink(missing_ok=True)
    (new / own_files.MARKER).unlink()
    new.rmdir()
