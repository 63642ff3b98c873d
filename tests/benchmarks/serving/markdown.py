"""Rows of Markdown tables."""


def line(*cells: str) -> str:
    """Return a row."""
    return f"| {' | '.join(cells)} |"


def head(*names: str) -> list[str]:
    """Return the header and the rule below it: the first column to the left, numbers to the right."""
    return [line(*names), "|---|" + "---:|" * (len(names) - 1)]
