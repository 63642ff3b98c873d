"""Write docs/web-ui.png, the README's screenshot: the web UI with a pre-trained classifier and two photographs.

    TF_USE_LEGACY_KERAS=1 PYTHONPATH=container:scripts .venv/bin/python -m tests.image.screenshot [REPORT]

With REPORT, a report.html of solar cells, it writes docs/report.png instead: the first part of the page, which shows
no photographs. Needs Debian's package chromium. The photographs of the web UI are those of scikit-image whose licence
is CC0 (NOTICE).
"""

import io
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from image_classifier import archives, artifacts
from image_classifier.model_hub import pretrained_classifier
from tests.image import chromium
from tests.platform.serving import ROOT, served_locally
from tests.support import named_photographs

PATH, REPORT_PATH = ROOT / "docs" / "web-ui.png", ROOT / "docs" / "report.png"
REPORT_HEIGHT = 1190
"""Pixels of the report that are shown: verdict, score, networks and confusion matrix."""
PHOTOGRAPHS = ("chelsea.png", "coffee.png")
WIDTH = 1280
COLOURS = 128
LARGEST_BYTES = 150_000


def model_folder(scratch: Path) -> Path:
    """Return EfficientNet-Lite0 with its ImageNet head, ready to be served."""
    archive = scratch / "model.tar.gz"
    stage = [str(ROOT / "scripts" / "stage-backbone"), "lite0", "--with-head", "--output", str(archive)]
    subprocess.run(stage, check=True)
    folder = archives.materialise(archive, scratch / "model")
    if not (folder / artifacts.OPENVINO_DIR).is_dir():
        assert pretrained_classifier.add_ir(folder)
    return folder


def shown(scratch: Path) -> Path:
    """Return a screenshot of the web UI with a prediction for each photograph, as the browser wrote it."""
    files = [scratch / name for name in PHOTOGRAPHS]
    for path in files:
        path.write_bytes(named_photographs.of_wheel(path.name))
    model = model_folder(scratch)
    with served_locally(model) as (_, url), chromium.opened(url.removesuffix("invocations"), scratch) as tab:
        tab.look(WIDTH, "light")
        tab.wait_for("!document.getElementById('made').hidden")
        tab.choose_files("#files", *files)
        tab.wait_for(f"document.querySelectorAll('.card:not(.waiting)').length === {len(files)}")
        tab.take_screenshot(scratch / "page.png")
    return scratch / "page.png"


def of_report(report: Path, scratch: Path) -> Path:
    """Return a screenshot of a report, as the browser wrote it."""
    with chromium.opened(report.resolve().as_uri(), scratch) as tab:
        tab.look(WIDTH, "light")
        tab.take_screenshot(scratch / "page.png")
    return scratch / "page.png"


def write(screenshot: Path, path: Path, height: int | None = None) -> None:
    """Write the first `height` pixels of a screenshot in few colours, all of it by default."""
    packed = io.BytesIO()
    with Image.open(screenshot) as page:
        part = page.convert("RGB").crop((0, 0, page.width, height or page.height))
        part.quantize(COLOURS, dither=Image.Dither.NONE).save(packed, "PNG", optimize=True)
    if packed.tell() > LARGEST_BYTES:
        raise SystemExit(f"The screenshot has {packed.tell()} bytes; at most {LARGEST_BYTES} are allowed.")
    path.write_bytes(packed.getvalue())
    print(f"wrote {path.relative_to(ROOT)}: {packed.tell()} bytes")


def main() -> None:
    """Take the screenshot that the arguments ask for."""
    with tempfile.TemporaryDirectory(prefix="screenshot-") as scratch:
        if len(sys.argv) > 1:
            write(of_report(Path(sys.argv[1]), Path(scratch)), REPORT_PATH, REPORT_HEIGHT)
        else:
            write(shown(Path(scratch)), PATH)


if __name__ == "__main__":
    main()
