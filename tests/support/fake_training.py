"""A program in place of `train` that writes the log and the files of a real job, at a given speed.

    python fake_training.py SECONDS_PER_EPOCH [EPOCHS] [HOW]

It resumes after the epochs in `checkpoints`, and SIGTERM makes it save and exit with 0. HOW: `fail` writes a failure,
`crash` exits without one, `deaf` ignores SIGTERM, `late` ends by SIGTERM after its last file, as while Python exits.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

BASE = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
LOSS, ACCURACY = 0.5, 0.75
_ROWS = "file,label,predicted,probability\na.jpg,cat,cat,0.9\nb.jpg,dog,cat,0.6\n"


def command(seconds: float, epochs: int = 2, how: str = "") -> tuple[str, ...]:
    """Return the command of such a job."""
    return (sys.executable, "-S", __file__, str(seconds), str(epochs), how)


def say(line: str) -> None:
    """Write a line of the log."""
    print(line, flush=True)


def write(path: str, text: str) -> None:
    """Write a file below the platform's folder as the job does: under another name first."""
    target = BASE / path
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.partial")
    partial.write_text(text)
    partial.replace(target)


def export(epochs: int, planned: int, stopped: bool) -> None:
    """Write the model and its reports."""
    metrics = {"epochs": epochs, "best_epoch": 1, "val_accuracy": ACCURACY}
    left_out = {"left_out": "the job was stopped before it: SIGTERM"} if stopped else {}
    info = {"hyperparameters": {"epochs": planned}, "openvino": left_out, "verification": left_out}
    write("model/__model_info__.json", json.dumps(info))
    write("output/data/predictions.csv", _ROWS)
    write("output/data/metrics.json", json.dumps(metrics if stopped else {**metrics, "verdict": "good"}))


def main(seconds: float, epochs: int, how: str) -> int:
    """Run the job."""
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopped.append(number) if how != "deaf" else None)
    say(f"epochs = {epochs} (given)")
    say("training: 3 images of 2 classes (cat 2, dog 1)")
    if how in ("fail", "crash"):
        if how == "fail":
            write("output/failure", "UserError: The channel training has one class.")
        say("The channel training has one class.")
        return 1
    checkpoint = BASE / "checkpoints" / "search.trials"
    done = int(checkpoint.read_text()) if checkpoint.exists() else 0
    if done:
        say(f"Resuming from a checkpoint: epoch {done + 1}, after step 0 of 9, {done} epochs measured before.")
    say("Training images: 1/3 images, 0 s")
    # A child of its own, as a verification is.
    child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"])
    while done < epochs and not stopped:
        end = time.monotonic() + seconds
        while time.monotonic() < end and not stopped:
            time.sleep(0.01)
        done += 1
        say(f"9/9 - 2s - loss: {LOSS} - val_accuracy: {ACCURACY}")
        write("checkpoints/search.trials", str(done))
    export(done, epochs, bool(stopped))
    child.kill()
    child.wait()
    if how == "late":
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)
    return 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
