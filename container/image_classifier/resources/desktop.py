"""The desktop of this machine, if it has one."""

import os
import sys
import webbrowser
from collections.abc import Mapping


def is_present(environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether a window can be opened, so that no text browser takes over the terminal."""
    if sys.platform in ("darwin", "win32"):
        return "SSH_CONNECTION" not in environment
    return bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))


def open_in_browser(address: str) -> bool:
    """Open an address in the desktop's browser; return whether there was one."""
    try:
        return webbrowser.open(address)
    except webbrowser.Error:
        return False
