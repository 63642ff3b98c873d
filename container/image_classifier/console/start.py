"""`scripts/console`, and `console` of the image: check, print one address, serve until Ctrl-C.

`--help` and a wrong option need nothing of the application, whose import takes most of a second.
"""

import argparse
import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from image_classifier.console import instance, roots, server, settings
from image_classifier.console.settings import Defaults, Settings
from image_classifier.contract.errors import ExplainedError, UserError, cause, report_and_exit_code
from image_classifier.resources import desktop

if TYPE_CHECKING:
    from flask import Flask

_EVERYWHERE = ("0.0.0.0", "::")


def parser(defaults: Defaults) -> argparse.ArgumentParser:
    """Return the parser of the command's arguments."""
    found = argparse.ArgumentParser(
        prog="scripts/console",
        description="Train, judge and deploy in a browser: a web application on this machine, without an account.",
        epilog="examples:\n  scripts/console\n  scripts/console --root ~/photos --port 8080\n\n"
        'In the image: docker run --rm -p 127.0.0.1:8000:8000 -v "$PWD":/data image-classifier:cpu console',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    found.add_argument("--port", type=int, default=settings.PORT, help=f"default: {settings.PORT}")
    found.add_argument(
        "--root",
        type=Path,
        action="append",
        metavar="DIR",
        help="a folder that the console may read; may be given several times (default: the working and home folders)",
        default=[],
    )
    found.add_argument(
        "--home",
        type=Path,
        default=defaults.home,
        metavar="DIR",
        help=f"jobs, imported data, labels (default: {defaults.home})",
    )
    found.add_argument("--no-open", action="store_true", help="do not open a browser")
    found.add_argument(
        "--host",
        default=defaults.host,
        help=f"the address to listen on; the token is required in any case (default: {defaults.host})",
    )
    found.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a further name of the console in browsers, such as that of a notebook's proxy",
    )
    found.add_argument(
        "--jobs",
        type=int,
        default=settings.AT_ONCE,
        metavar="N",
        help=f"jobs that run at the same time on this machine (default: {settings.AT_ONCE})",
    )
    return found


def read(given: argparse.Namespace, defaults: Defaults) -> Settings:
    """Check the arguments and create the home folder.

    Raises:
        UserError: An argument is invalid, or the home folder cannot be written.
    """
    if given.jobs < 1:
        raise UserError(f"--jobs is {given.jobs}; allowed is 1 or more.")
    home = given.home.expanduser()
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        home = home.resolve()
    except OSError as error:
        raise UserError(f"--home {home} cannot be used: {cause(error)}. Give a folder of yours.") from error
    if not os.access(home, os.R_OK | os.W_OK | os.X_OK):
        raise UserError(f"--home {home} cannot be written by uid {os.getuid()}. Give a folder of yours.")
    return Settings(
        home,
        roots.allow([*(given.root or defaults.roots), home]),
        given.host,
        given.port,
        tuple(host.lower() for host in given.allow_host),
        given.jobs,
        not given.no_open and desktop.is_present(),
    )


def run(chosen: Settings) -> int:
    """Serve the console until Ctrl-C; or, if one runs with this home folder already, name its address.

    Raises:
        ExplainedError: The console cannot start.
    """
    try:
        if instance.lock(chosen.home) is None:
            return _name_the_other(chosen)
        server.reject_port_in_use(chosen.host, chosen.port)
        _serve(chosen)
    except OSError as error:
        raise UserError(
            f"--home {chosen.home} cannot be written: {cause(error)}. Free space there, or give another folder."
        ) from error
    return 0


def _name_the_other(chosen: Settings) -> int:
    address = instance.announced(chosen.home)
    if address is None:
        raise UserError(f"Another console is starting with --home {chosen.home}. Try again in a moment.")
    print(f"The console runs already: {address}")
    if chosen.opens_browser:
        desktop.open_in_browser(address)
    return 0


def _serve(chosen: Settings) -> None:
    from image_classifier.console import app, context, runners, security
    from image_classifier.console.estimating import estimates
    from image_classifier.console.estimating.estimates import Estimates
    from image_classifier.console.queueing.scheduler import Scheduler
    from image_classifier.console.security import Access

    access = Access(security.new_secret(), instance.session(chosen.home), chosen.host, chosen.hosts)
    address = address_of(chosen, access.token)

    def make_app() -> "Flask":
        console = context.open_console(chosen.home, chosen.roots, runners.available(), chosen.jobs_at_once)
        measured = Estimates(console.cache / estimates.FOLDER)
        measured.take_over()
        Scheduler(console.queue, console.jobs_at_once, measured.cancel).start()
        return app.create_app(console, access)

    def when_ready() -> None:
        instance.announce(chosen.home, address)
        print(f"The console is ready: {address}", flush=True)
        print("Ctrl-C ends it; running jobs continue.", flush=True)
        if chosen.opens_browser:
            desktop.open_in_browser(address)

    this = os.getpid()
    try:
        server.run(chosen.host, chosen.port, make_app, when_ready)
    finally:
        # The worker process returns here too, and another one may replace it.
        if os.getpid() == this:
            instance.retire(chosen.home)


def address_of(chosen: Settings, token: str) -> str:
    """Return the address to open, with its token."""
    host = settings.LOOPBACK if chosen.host in _EVERYWHERE else chosen.host
    return f"http://{f'[{host}]' if ':' in host else host}:{chosen.port}/?token={token}"


def reject_serve_image() -> None:
    """Check that this environment can train.

    Raises:
        UserError: It is the serve image.
    """
    if importlib.util.find_spec("tensorflow_hub") is None:
        raise UserError("This image can only serve. Start the console in the target cpu or gpu.")


def main(arguments: Sequence[str] | None = None, in_image: bool = False) -> int:
    """Run `scripts/console`, or with `in_image` the image's `console`."""
    defaults = settings.of_image() if in_image else settings.of_machine()
    given = parser(defaults).parse_args(arguments)
    try:
        reject_serve_image()
        return run(read(given, defaults))
    except ExplainedError as error:
        return report_and_exit_code(error)
