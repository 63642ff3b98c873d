import ast
import re
from collections.abc import Iterator

from tests.repository.project import ROOT, python_files

SLOW = {
    *("PIL", "boto3", "botocore", "cykooz_resizer", "google", "imagehash", "jinja2", "markupsafe", "matplotlib"),
    *("nncf", "openvino", "optuna", "s3transfer", "scipy", "simplejpeg", "tensorflow", "tensorflow_hub", "tf_keras"),
}
"""Libraries that take long to import, or that one of the images lacks."""
_IMPORT = re.compile(r" *(?:from|import) ")


def deferred_imports(source: str) -> Iterator[int]:
    """Yield the lines of imports inside functions for which neither a comment nor the module's docstring has a reason.

    That of a slow or missing library is known.
    """
    if not re.search(r"^ +(?:from|import) ", source, re.MULTILINE):
        return
    tree, lines = ast.parse(source), source.splitlines()
    if "import" in (ast.get_docstring(tree) or ""):
        return
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.Import | ast.ImportFrom):
                module = node.module or "" if isinstance(node, ast.ImportFrom) else node.names[0].name
                above = next(line for line in reversed(lines[: node.lineno - 1]) if not _IMPORT.match(line))
                if module.split(".")[0] not in SLOW and not above.lstrip().startswith("#"):
                    yield node.lineno


def test_imports_inside_functions_have_their_reason() -> None:
    """Given the program -> a module is imported inside a function only for a reason that a sentence gives."""
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in python_files("container", "scripts")
        for line in deferred_imports(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_an_import_without_a_reason_is_found() -> None:
    """Given imports inside functions, with a comment, of a slow library, and with neither -> the last one is found."""
    given = "import a\n\ndef f():\n    # It is large.\n    import b\n    import tensorflow\n\n    import c\n"
    assert list(deferred_imports(given)) == [8]
