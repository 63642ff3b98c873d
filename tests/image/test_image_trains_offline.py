from tests.image.containers import Job


def test_train_without_a_network_leaves_a_complete_model(trained: Job) -> None:
    """Given real photographs, a staged backbone and no network -> exit code 0 and a model folder that is complete."""
    assert trained.exit_code == 0, trained.log
    found = {path.relative_to(trained.opt_ml / "model").as_posix() for path in (trained.opt_ml / "model").rglob("*")}
    assert {"1/saved_model.pb", "openvino/model.xml", "labels_info.json", "__model_info__.json"} <= found
    assert not (trained.opt_ml / "output" / "failure").exists()


def test_train_prints_the_metrics_that_sagemaker_collects(trained: Job) -> None:
    """Given a job that has ended well -> its log holds the validation accuracy in the line that the metric reads."""
    assert "val_accuracy: " in trained.log, trained.log
    assert "Traceback" not in trained.log
