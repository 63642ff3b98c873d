"""The steps of a command: what is printed, where, and the time of each."""

import io

import pytest
from rich.console import Console

from image_classifier.cli.terminal import consoles
from image_classifier.cli.terminal.steps import Steps


def console(terminal: bool, width: int = 40) -> Console:
    """Return a console that keeps what is printed."""
    file, variables = io.StringIO(), {"TERM": "xterm"}
    return Console(
        file=file, force_terminal=terminal, color_system=None, width=width, soft_wrap=True, _environ=variables
    )


def printed(found: Console) -> str:
    """Return everything that was printed."""
    assert isinstance(found.file, io.StringIO)
    return found.file.getvalue()


def test_pipe_gets_results_alone() -> None:
    """Given a pipe -> one line for each step that has a result, without the activity; every step is timed."""
    steps = Steps(console(terminal=False))
    with steps.step("staging", "Staging the backbone"):
        pass
    with steps.step("serving", "Starting the server") as finished:
        finished("Serving")
    with steps.timed("classifying"):
        pass
    assert printed(steps.console) == "Serving\n"
    assert list(steps.seconds) == ["staging", "serving", "classifying"]
    assert steps.summary().startswith("Took 0 s: staging 0.0, serving 0.0, classifying ")


def test_terminal_shows_what_is_being_done() -> None:
    """Given a terminal -> the activity, and then the result."""
    steps = Steps(console(terminal=True))
    with steps.step("staging", "Staging the backbone") as finished:
        finished("Staged")
    activity, _, rest = printed(steps.console).partition("Staged\n")
    assert "Staging the backbone" in activity
    assert rest == ""


def test_failed_step_prints_no_result() -> None:
    """Given a step that fails -> its exception, and no time for it."""
    steps = Steps(console(terminal=True))
    with pytest.raises(OSError, match="disk"), steps.step("staging", "Staging"):
        raise OSError("disk")
    assert steps.seconds == {}


def test_text_wraps_between_words_and_commands_stay_whole() -> None:
    """Given a narrow terminal -> text wraps at blanks, paths and commands do not; a pipe wraps nothing."""
    text, path, command = (
        "one two three four five six seven eight nine",
        "/a" * 30,
        "  scripts/serve-locally " + "x" * 50,
    )
    terminal, pipe = console(terminal=True), console(terminal=False)
    for found in (terminal, pipe):
        for line in (text, path, command):
            consoles.print_text(found, line)
    assert printed(terminal).splitlines() == ["one two three four five six seven eight", "nine", path, command]
    assert printed(pipe).splitlines() == [text, path, command]
