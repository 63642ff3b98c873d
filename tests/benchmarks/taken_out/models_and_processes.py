"""Faults 9 and 14 to 17: models that are none, processes that die, memory and disk."""

from tests.benchmarks.taken_out.edit import Edit

_WORKER, _SUPERVISION = (
    "image_classifier/serving/processes/worker.py",
    "image_classifier/serving/processes/supervision.py",
)
_PROCESSES = "image_classifier/serving/processes/process_count.py"
_BROKEN = "test_serve_broken_models.py::test_broken_model_ends_the_server_with_one_line"

EDITS = (
    Edit(
        9,
        "the look for numbers that are none",
        "image_classifier/inference/predictor.py",
        "if not all(np.isfinite(part).all() for part in (rows, features) if part is not None):",
        "if False:",
        ("test_serve_broken_models.py::test_ir_that_answers_nan_is_not_served",),
    ),
    Edit(
        9,
        "a prediction before the server is ready",
        _WORKER,
        "            predictor.warm_up()\n",
        "",
        ("test_serve_broken_models.py::test_model_that_answers_nan_is_not_served",),
    ),
    Edit(
        9,
        "the look at the loss",
        "image_classifier/training/loop.py",
        "if not math.isfinite(outcome.loss):",
        "if False:",
        ("test_fine_tuning.py::test_loss_that_is_no_number_stops_the_job",),
    ),
    Edit(
        9,
        "counting the labels",
        "image_classifier/inference/predictor.py",
        "if len(labels) != engine.outputs and not binary:",
        "if False:",
        (
            "test_serve_broken_models.py::test_labels_are_counted_whatever_the_engine",
            f"{_BROKEN}[short label map]",
        ),
    ),
    Edit(
        14,
        "counting deaths",
        "gunicorn.conf.py",
        "        _deaths.note(worker.pid)\n",
        "        pass\n",
        (
            "test_serve_worker_deaths.py::test_others_serve_while_a_dead_process_is_replaced",
            "test_serve_worker_deaths.py::test_too_many_deaths_end_the_server",
        ),
    ),
    Edit(
        14,
        "the limit of deaths",
        _SUPERVISION,
        "        if deaths > self._limit:\n",
        "        if False:\n",
        ("test_serve_worker_deaths.py::test_too_many_deaths_end_the_server",),
    ),
    Edit(
        14,
        "a longer pause each time",
        _SUPERVISION,
        "return min(2.0 ** (deaths - 2), LONGEST_PAUSE_SECONDS) if deaths > 1 else 0.0",
        "return 0.0",
        (
            "test_supervision.py::test_later_after_each_death",
            "test_serve_worker_deaths.py::test_others_serve_while_a_dead_process_is_replaced",
        ),
    ),
    Edit(
        14,
        "keeping to the pause",
        "gunicorn.conf.py",
        "supervision.wait(_deaths.pause())",
        "supervision.wait(0)",
        ("test_serve_worker_deaths.py::test_others_serve_while_a_dead_process_is_replaced",),
    ),
    Edit(
        14,
        "leaving connections to those that are ready",
        "image_classifier/serving/shared_folder.py",
        "return any(path.name.startswith(_READY) for path in Path(folder).iterdir())",
        "return False",
        ("test_serve_worker_deaths.py::test_process_that_loads_leaves_connections_to_those_that_are_ready",),
    ),
    Edit(
        15,
        "fewer processes where fewer fit",
        _PROCESSES,
        "    if fit < wanted:\n",
        "    if False:\n",
        (
            "test_process_count.py::test_fewer_are_started_where_fewer_fit",
            "test_serve_short_of_memory.py::test_fewer_processes_are_started_where_fewer_fit",
        ),
    ),
    Edit(
        15,
        "the end where none fits",
        _PROCESSES,
        "    if fit < 1:\n",
        "    if False:\n",
        (
            "test_process_count.py::test_too_little_for_one_is_refused",
            "test_serve_short_of_memory.py::test_too_little_for_one_is_told_before_the_start",
        ),
    ),
    Edit(
        15,
        "counting before the start",
        "image_classifier/serving/processes/startup.py",
        "    return count.processes\n",
        "    return chosen.workers\n",
        ("test_serve_short_of_memory.py::test_fewer_processes_are_started_where_fewer_fit",),
    ),
    Edit(
        15,
        "saying so",
        "image_classifier/serving/processes/startup.py",
        "        _say([count.remark])\n",
        "        pass\n",
        ("test_serve_short_of_memory.py::test_fewer_processes_are_started_where_fewer_fit",),
    ),
    Edit(
        16,
        "the end of a server whose model cannot be loaded",
        _WORKER,
        "        os._exit(code)\n",
        "        pass\n",
        (f"{_BROKEN}[truncated graph]",),
    ),
    Edit(
        16,
        "the sentence for a missing folder",
        "image_classifier/artifacts.py",
        '    if not folder.is_dir():\n        raise UserError(f"There is no model folder',
        '    if False:\n        raise UserError(f"There is no model folder',
        (f"{_BROKEN}[missing]",),
    ),
    Edit(
        16,
        "refusing several SavedModels",
        "image_classifier/artifacts.py",
        "    if len(found) == 1:\n",
        "    if found:\n",
        (f"{_BROKEN}[several]",),
    ),
    Edit(
        16,
        "a sentence for what TensorFlow stumbles over",
        "image_classifier/untrusted_models/loader.py",
        "    except Exception as error:  # TensorFlow raises whatever a corrupt file makes it stumble over\n"
        "        reason = first_line(error)\n"
        '        raise UnloadableError(f"The SavedModel in {saved_model} cannot be loaded: {reason}.", reason) '
        "from error\n",
        "    finally:\n        pass\n",
        (f"{_BROKEN}[truncated weights]",),
    ),
    Edit(
        16,
        "the look for operations of another TensorFlow",
        "image_classifier/untrusted_models/operations.py",
        "    if found.unknown:\n",
        "    if False:\n",
        (f"{_BROKEN}[another TensorFlow]",),
    ),
    Edit(
        16,
        "one line instead of gunicorn's three more",
        "gunicorn.conf.py",
        "    server.log.error_log.addFilter(lambda record: record.msg not in _SAID_BEFORE)\n",
        "",
        (f"{_BROKEN}[truncated graph]",),
    ),
    Edit(
        16,
        "the check sum of the IR",
        "image_classifier/inference/intermediate_representation.py",
        "    if found != record.sha256:\n",
        "    if False:\n",
        ("test_serve_engines.py::test_damaged_ir_ends_the_server",),
    ),
    Edit(
        16,
        "the sentence where TensorFlow is not installed",
        "image_classifier/inference/engines/__init__.py",
        'if wanted == "openvino" or not installed:',
        'if wanted == "openvino":',
        ("test_serve_engines.py::test_slim_environment_refuses_a_model_without_an_ir",),
    ),
    Edit(
        17,
        "that the model folder is only read",
        _WORKER,
        "            predictor.warm_up()\n",
        '            predictor.warm_up()\n            (folder / "cache").mkdir(exist_ok=True)\n',
        ("test_serve_start_and_stop.py::test_model_folder_is_only_read",),
    ),
)
