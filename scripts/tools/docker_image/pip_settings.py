"""Give a root file system the pip settings of this machine that reach an index: used by docker/make-test-base."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

REACHING = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "retries")
CERTIFICATES = "etc/ssl/pip-certificates.pem"


def settings() -> dict[str, str]:
    """Return pip's settings by name; what the environment says wins over files, as in pip."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    found: dict[str, str] = {}
    for line in sorted(lines, key=lambda line: line.startswith(":env:")):
        name, _, value = line.partition("=")
        found[name.rpartition(".")[2].removeprefix("default-")] = ast.literal_eval(value)
    return found


def main(root: Path) -> None:
    """Write `etc/pip.conf` below `root`, and the certificates it names; folders of this machine are left out.

    Raises:
        FileExistsError: `root` has settings already, as this machine's own root may.
    """
    if (root / "etc" / "pip.conf").exists():
        raise FileExistsError(f"{root / 'etc' / 'pip.conf'} exists. Give the root of a new file system.")
    found = settings()
    lines = ["[global]"]
    for name in REACHING:
        words = [word for word in found.get(name, "").split() if not word.startswith("file:")]
        if words:
            lines.append(f"{name} = {' '.join(words)}")
    if "cert" in found and Path(found["cert"]).is_file():
        shutil.copyfile(found["cert"], root / CERTIFICATES)
        lines.append(f"cert = /{CERTIFICATES}")
    (root / "etc" / "pip.conf").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
