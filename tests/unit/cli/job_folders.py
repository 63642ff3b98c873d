"""Files that local jobs leave in their folders, and snapshots of a folder for comparison."""

from pathlib import Path

from image_classifier.contract.opt_ml import OptMl


def content(folder: Path) -> dict[str, bytes | str]:
    """Return every file below a folder with its content, and every link with its target."""
    return {
        str(path.relative_to(folder)): str(path.readlink()) if path.is_symlink() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def finish(tree: OptMl) -> None:
    """Write the files of a finished job."""
    files = [
        *("model/1/saved_model.pb", "model/1/fingerprint.pb", "model/1/variables/variables.index"),
        *("model/openvino/model.xml", "model/openvino/model.bin", "model/labels_info.json"),
        *("model/class_label_to_prediction_index.json", "model/__model_info__.json"),
        *("model/familiarity.npz", "model/drift_baseline.npz"),
        *("output/data/metrics.json", "output/data/history.csv", "output/data/predictions.csv"),
        *("output/data/skipped.csv", "output/failure", "output/data/report.html", "output/data/evaluation.json"),
        *(
            "output/data/model_card.json",
            "output/data/issues.csv",
            "output/data/evidence.npz",
            "output/tensorboard/train/events.out.tfevents.1.h.2.0",
        ),
    ]
    for name in files:
        (tree.base / name).parent.mkdir(parents=True, exist_ok=True)
        (tree.base / name).write_text("earlier")
