"""The project's vocabulary (docs/glossary.md): words and phrases that it retired stay out of every text."""

import re
from collections.abc import Iterator

import pytest

from tests.repository.project import ROOT, tracked_files

RETIRED = {
    r"pictures?": "image",
    r"refus(?:e|es|ed|ing|al|als)\b": "reject, rejection",
    r"made[-_ ]up\b": "synthetic",
    r"\bdamaged\b": "corrupt",
    r"\b(?:is|are|was|were|be|been) told\b(?! apart| from)": "name the signal, the message or the setting",
    r"\btold to (?:stop|end)\b": "stop requested, stopped by SIGTERM",
    r"\bby order\b|_by_order\b": "stop requested",
    r"\bas it comes\b|\bas they come\b": "pre-trained",
    r"untuned": "pre-trained (without fine-tuning)",
    r"rehears(?:e|es|ed|al|als|ing)\b": "dry run",
    r"page for people": "web UI",
    r"\banew\b": "start from scratch; again",
    r"\b(?:without|not) a word\b": "silently; no output",
    r"\bwhat is due\b": "pending",
    r"\bfor want of\b": "for lack of",
    r"\b(?:wait|waits|waited) (?:for )?(?:its|their) turn\b": "queue",
    r"\b(?:go|goes|going|went)\s+on\s+where\b": "resume",
    r"sign of life": "heartbeat",
    r"passed[ _]over\b": "skip",
    r"(?<![a-z])(?:nobody|no-one|somebody|someone|anybody)(?=s?(?![a-z]))": "name the client, the user, the process",
    r"(?<![a-z])whoever(?![a-z])|\bwho asks\b|\bwho waits\b": "name the client, the request, the worker",
    r"\b(?:who|that) (?:is|are) alone\b|\bfor company\b": "latency mode, throughput mode",
    r"\bthere (?:is|are|was|were) none\b|\bis there none\b": "say what is missing, and where",
    r"\b(?:file|folder|line|module|request|stream|thread) an? (?:class|cpu|image|job|row|verb)\b": "per",
    r"\b(?:two|many) looks\b": "polls, checks, samples",
    r"\b(?:jobs|runs?) go on\b|\bgo(?:es)? on (?:from|when|while)\b": "continue, resume",
    r"\bis none of\b|\bnames no\b": "not one of, does not name",
    r"\b(?:is|are|was|were)(?<!there is|here are|here was|ere were) no (?!longer|more|less|other|one\b|[a-z]+er\b)": (
        "is not a, unknown, missing"
    ),
    r"\b(?:that|which|what|and|or|but) (?:is|are) (?-i:none)\b": "name what it is instead",
    r"\bputs? up with\b": "tolerate",
    r"\bbehind the server's back\b": "in the background",
    r"\btakes (?:its|another's|the other's) place\b": "restart",
}
"""A pattern, taken in any case, and what to write instead."""

RETIRED_NAMES = (
    *("Wish", "Manner", "Pace", "LADDER", "ByteBudget", "AnswerForm", "answer_forms", "JobError", "end_together"),
    *("intermediate_representation", "take_apart", "takes_place", "_objection", "never_collected", "give_back"),
    *("gpu_trial", "device_trial", "shared_folder", "cluster.meet", "progress.say", "facts.of"),
    *("sample.spread", "conversion.publish", "class Choice", "class Front", "class Place", "class Incoming"),
    *("class Deaths", "class Loading", "class Exchange", "class Stop", "class Hosts", "class Answers", "class Start"),
    *("def complain", "observe(app", "explain(app", "def rehearse", "def expecting", "def yielding", "def agree"),
    *("Stage.PARKED", "Stage.SERVED", "process_count.fitting", "multi_model/fitting", "Stopped by order"),
)
"""Names of classes, functions and modules that say nothing of their role; in this case only."""

ALLOWED = {
    "docs/glossary.md": "its table says which words to replace",
    "tests/repository/test_language.py": "the list itself",
    "CHANGELOG.md": "names keys under which earlier versions wrote",
    "docs/reference/chaos.md": "quotes the log lines of the run that it records",
}
"""Files that are not looked at, and why."""

_STANDARD = re.compile(
    r"ConnectionRefused(?:Error)?|connection(?:s)? (?:is |was |are |were )?refused|ECONNREFUSED|CONNECTION_REFUSED",
    re.IGNORECASE,
)
"""What operating systems and browsers call it when no process listens."""
_WORDS = {re.compile(pattern, re.IGNORECASE): instead for pattern, instead in RETIRED.items()}
_WITHOUT_BOUNDS = [re.compile(re.sub(r"\\b|\(\?<!\[a-z\]\)", "", pattern)) for pattern in RETIRED]
"""Patterns that match more, and are searched for in a tenth of the time, since they begin with letters."""
_NAMES = re.compile("|".join(rf"(?<!\w){re.escape(name)}(?!\w)" for name in RETIRED_NAMES))


def retired(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line number, and what is wrong in it, of each retired word or name in a text."""
    # Most texts hold none, and these questions are answered ten times as fast.
    lower = text.lower()
    if not (any(name in text for name in RETIRED_NAMES) or any(words.search(lower) for words in _WITHOUT_BOUNDS)):
        return
    for number, line in enumerate(text.splitlines(), 1):
        kept = _STANDARD.sub("", line)
        for pattern, instead in _WORDS.items():
            yield from ((number, f"{match[0]!r}: write {instead}") for match in pattern.finditer(kept))
        yield from ((number, f"{match[0]!r}: docs/glossary.md has its name") for match in _NAMES.finditer(kept))


def test_no_text_holds_a_retired_word() -> None:
    """Given every tracked text and its path -> no retired word, phrase or name."""
    found = []
    for path in tracked_files():
        name = str(path.relative_to(ROOT))
        if name in ALLOWED:
            continue
        found += [f"{name}: {fault}" for _, fault in retired(name)]
        text = path.read_bytes().decode("utf-8", errors="ignore")
        found += [f"{name}:{number}: {fault}" for number, fault in retired(text)]
    assert found == []


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("The Picture is refused.", 2),
        ("a made-up and a made up name, made_up", 3),
        ("the job is told to stop", 2),
        ("ConnectionRefusedError: [Errno 111] Connection refused", 0),
        ("the manner of it; Manner.HALF", 1),
        ("a corrupt image is skipped; the request is rejected", 0),
        ("a file that is no image, one that is none", 2),
        ("one folder a class, between two looks; the job goes on when it is asked", 3),
        ("There is no checkpoint; it is no longer there, and is no larger", 0),
    ],
)
def test_retired_words_are_found(line: str, count: int) -> None:
    """Given a line -> each retired word in it is found in any case, and the operating system's own terms are not."""
    assert len(list(retired(line))) == count


def test_every_exception_is_needed() -> None:
    """Given the files that are not looked at -> each exists and holds a retired word."""
    assert [name for name in ALLOWED if not list(retired((ROOT / name).read_text(encoding="utf-8")))] == []
