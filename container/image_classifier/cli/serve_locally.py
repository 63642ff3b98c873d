"""`scripts/serve-locally`: lay out /opt/ml, start `container/serve`, forward signals."""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

from image_classifier import PROGRAM
from image_classifier.cli import argument_types
from image_classifier.cli.terminal import command, consoles, request_lines, typed_paths
from image_classifier.contract.errors import ExplainedError, UserError
from image_classifier.contract.opt_ml import BASE_DIR_VARIABLE
from image_classifier.contract.serving_variables import SAMPLES
from image_classifier.runners import local_server

_READY = "Ready on port "
"""The beginning of the log line of a server that is ready."""


def serve(model: Path, port: int, samples: Path | None = None) -> int:
    """Serve until the server exits or this process receives a signal; returns the server's exit code.

    Raises:
        UserError: The model or the folder of samples is missing, the model's archive is rejected, or the port is in
            use.
    """
    local_server.reject_port_in_use(port)
    if samples is not None and not samples.is_dir():
        raise UserError(f"--samples is {samples}, which is not a folder. Give one with images to offer in the web UI.")
    with tempfile.TemporaryDirectory(prefix="serve-locally-") as scratch:
        tree = local_server.build_tree(local_server.model_of(model), Path(scratch))
        variables = {
            BASE_DIR_VARIABLE: str(tree.base),
            "SAGEMAKER_BIND_TO_PORT": str(port),
            # Under --docker the container has its own address.
            "SERVE_HOST": os.environ.get("IMAGE_CLASSIFIER_BIND") or local_server.HOST,
            **{name: os.environ.get(name) or "true" for name in ("SERVE_PAGE", "SERVE_EXPLAIN")},
            **({SAMPLES.name: str(samples.resolve())} if samples else {}),
        }
        process = subprocess.Popen(
            [sys.executable, str(PROGRAM / "serve")],
            env={**os.environ, **variables},
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )

        def forward(number: int, frame: FrameType | None) -> None:
            process.send_signal(signal.SIGTERM)

        # The terminal sends Ctrl-C to the server too, which exits immediately; SIGTERM makes it drain its requests.
        before = signal.signal(signal.SIGTERM, forward), signal.signal(signal.SIGINT, forward)
        try:
            _watch(process, {str(tree.model_dir): str(model)}, f"http://{local_server.HOST}:{port}", model)
            process.communicate()
            return process.returncode
        finally:
            signal.signal(signal.SIGTERM, before[0])
            signal.signal(signal.SIGINT, before[1])


def _watch(process: subprocess.Popen[str], typed: Mapping[str, str], address: str, model: Path) -> None:
    """Print the server's log until it exits; on a terminal one short line per request."""
    assert process.stderr is not None
    interactive = consoles.errors().is_terminal
    for line in process.stderr:
        text = typed_paths.restore(line.rstrip("\n"), typed)
        entry = request_lines.read(text) if interactive else None
        # The server keeps running when its output is closed.
        with contextlib.suppress(OSError):
            if entry is None:
                print(text, file=sys.stderr, flush=True)
            elif request_lines.is_worth_showing(entry):
                consoles.errors().print(request_lines.show(entry))
            if text.startswith(_READY):
                print(f"Serving {model} on {address} until Ctrl-C.", flush=True)
                print("Open that address in a browser, or run scripts/predict IMAGE_OR_FOLDER.", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `scripts/serve-locally`."""
    parser = argparse.ArgumentParser(
        prog="scripts/serve-locally",
        description="Serve a model, as SageMaker would.",
        epilog="examples:\n  scripts/serve-locally run/job\n  scripts/serve-locally model.tar.gz --port 8081",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "model",
        type=argument_types.some_path,
        metavar="MODEL",
        help="a local job's folder, or a model folder or .tar.gz that a job left",
    )
    parser.add_argument("--port", type=argument_types.port, default=8080, help="default: 8080")
    parser.add_argument(
        "--samples", type=argument_types.some_path, metavar="FOLDER", help="images that the web UI offers to click"
    )
    parser.add_argument("--docker", action="store_true", help="run it in the Docker image, for macOS and Windows")
    given = parser.parse_args(arguments)
    try:
        return serve(given.model, given.port, given.samples)
    except ExplainedError as error:
        return consoles.report_and_exit_code(error)


if __name__ == "__main__":
    sys.exit(command.run(main))
