"""Faults 1 to 4: bodies and types."""

from tests.benchmarks.taken_out.edit import Edit

_CODECS = "image_classifier/serving/formats/codecs.py"
_POLICY = "image_classifier/serving/connections/rejection_policy.py"
_FORMS = "image_classifier/serving/formats/response_formats.py"

EDITS = (
    Edit(
        1,
        "a word of its own for an empty body",
        _CODECS,
        "    if not body:\n",
        "    if False:\n",
        ("test_codecs.py::test_empty_body_is_rejected",),
    ),
    Edit(
        1,
        "JSON as the type of a rejection",
        "image_classifier/serving/errors.py",
        'dict(rejection.headers), mimetype="application/json")',
        'dict(rejection.headers), mimetype="text/html")',
        ("test_serve_http.py::test_hostile_body_is_rejected_and_the_server_continues",),
    ),
    Edit(
        2,
        "looking at the first bytes",
        _CODECS,
        "if image_format := imaging.sniff(body):",
        "if image_format := None:",
        ("test_serve_http.py::test_images_are_classified_under_each_type",),
    ),
    Edit(
        2,
        "the note in the log",
        "image_classifier/serving/invocations.py",
        '        log.info("%s.", images.note)',
        "        pass",
        ("test_app.py::test_wrong_content_type_is_noted_in_the_log",),
    ),
    Edit(
        2,
        "415",
        _CODECS,
        "    if decoder is None:\n",
        "    decoder = decoder or one_image\n    if False:\n",
        ("test_serve_http.py::test_unsupported_types_are_rejected",),
    ),
    Edit(
        2,
        "the accepted types in it",
        _CODECS,
        " is not supported for this body. Supported: {accepted}.",
        " is not supported for this body.",
        ("test_serve_http.py::test_unsupported_types_are_rejected",),
    ),
    Edit(
        3,
        "406",
        _FORMS,
        "            return _parse(media_type, accept)\n    raise _not_offered(accept)",
        "            return _parse(media_type, accept)\n    return default",
        (
            "test_response_formats.py::test_unsupported_accept_is_rejected_with_the_offers",
            "test_serve_http.py::test_unsupported_types_are_rejected",
        ),
    ),
    Edit(
        3,
        "the offers in it",
        _FORMS,
        "Offered: {', '.join(OFFERS)}; k is",
        "k is",
        ("test_response_formats.py::test_unsupported_accept_is_rejected_with_the_offers",),
    ),
    Edit(
        3,
        "the default for `*/*`",
        _FORMS,
        'if media_type.name in ("*/*", "application/*", "*"):',
        "if False:",
        ("test_response_formats.py::test_wildcards_select_the_default",),
    ),
    Edit(
        3,
        "the default for a missing Accept",
        _FORMS,
        "    if accept is None or not accept.strip():\n        return default",
        '    accept = accept or ""',
        ("test_response_formats.py::test_wildcards_select_the_default",),
    ),
    Edit(
        4,
        "the limit of what is announced",
        _POLICY,
        "if max(reader.content_length or 0, reader.received) > limits.max_body_bytes:",
        "if reader.received > limits.max_body_bytes:",
        ("test_connection_loop.py::test_body_above_the_limit_is_rejected_by_its_header",),
    ),
    Edit(
        4,
        "the limit of what comes in chunks",
        _POLICY,
        "if max(reader.content_length or 0, reader.received) > limits.max_body_bytes:",
        "if (reader.content_length or 0) > limits.max_body_bytes:",
        ("test_serve_http.py::test_large_bodies_are_rejected_with_flat_memory",),
    ),
    Edit(
        4,
        "the end of reading after the rejection",
        "image_classifier/serving/connections/open_connections.py",
        "if not data or connection.discarded > LINGER_BYTES:",
        "if not data:",
        ("test_serve_http.py::test_large_bodies_are_rejected_with_flat_memory",),
    ),
    Edit(
        4,
        "the application's own look at what is announced",
        "image_classifier/serving/formats/body.py",
        "if content_length is not None and content_length > limit:",
        "if False:",
        ("test_app.py::test_large_body_is_rejected_unread",),
    ),
    Edit(
        4,
        "the end of the application's reading at the limit",
        "image_classifier/serving/formats/body.py",
        ".read(limit + 1)",
        ".read()",
        ("test_app.py::test_large_body_is_rejected_unread",),
    ),
)
