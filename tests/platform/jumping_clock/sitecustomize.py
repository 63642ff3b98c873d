"""A wall clock that jumps: with this folder on PYTHONPATH, time.time() is off by the seconds that a file holds.

Python imports a module of this name at its start. The file is named by CLOCK_OFFSET_FILE; a test rewrites it.
"""

import os
import time
from pathlib import Path

_offset_file = Path(os.environ["CLOCK_OFFSET_FILE"])
_real = time.time


def _jumping() -> float:
    return _real() + float(_offset_file.read_text())


time.time = _jumping
