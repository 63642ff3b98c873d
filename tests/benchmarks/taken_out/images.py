"""Faults 5 to 8: images."""

from tests.benchmarks.taken_out.edit import Edit

_DECODING, _HEADER = "image_classifier/imaging/decoding.py", "image_classifier/imaging/header.py"

EDITS = (
    Edit(
        5,
        "the look at the header before Pillow's",
        _HEADER,
        "    check_size(header.size, min(max_pixels, header.max_pixels))\n",
        "",
        ("test_hostile_images.py::test_bomb_is_rejected_by_its_header",),
    ),
    Edit(
        5,
        "the limit of pixels",
        _HEADER,
        "if width * height > max_pixels or max(size) > MAX_SIDE:",
        "if False:",
        (
            "test_hostile_images.py::test_bomb_is_rejected_by_its_header",
            "test_hostile_images.py::test_bombs_take_no_memory",
        ),
    ),
    Edit(
        5,
        "413",
        "image_classifier/serving/invocations.py",
        'status = 413 if error.code == "too_many_pixels" else 400',
        "status = 400",
        ("test_serve_http.py::test_bombs_keep_memory_flat",),
    ),
    Edit(
        6,
        "rejecting an image whose end is missing",
        _DECODING,
        "from PIL.JpegImagePlugin import JpegImageFile\n",
        "from PIL import ImageFile\nfrom PIL.JpegImagePlugin import JpegImageFile\n"
        "ImageFile.LOAD_TRUNCATED_IMAGES = True\n",
        ("test_hostile_images.py::test_every_truncation_is_rejected",),
    ),
    Edit(
        6,
        "400 for what a decoder stumbles over",
        _DECODING,
        "    except Exception as error:  # decoders raise any exception for corrupt data\n"
        "        raise corrupt(error) from error",
        "    finally:\n        pass",
        (
            "test_serve_http.py::test_hostile_body_is_rejected_and_the_server_continues",
            "test_serve_fuzz.py::test_broken_images_documents_and_requests_break_nothing",
        ),
    ),
    Edit(
        6,
        "continuing after bytes that are not HTTP",
        "image_classifier/serving/connections/connection_loop.py",
        "except Exception as error:  # whatever a client sends, the others are still served",
        "except KeyError as error:",
        ("test_serve_fuzz.py::test_broken_images_documents_and_requests_break_nothing",),
    ),
    Edit(
        7,
        "turning by the EXIF orientation",
        _DECODING,
        "orientation = header.orientation\n    if orientation is None:\n        orientation = exif",
        "orientation = 1\n    if orientation is None:\n        orientation = exif",
        ("test_serve_answers.py::test_odd_image_gets_the_prediction_of_the_plain_one",),
    ),
    Edit(
        7,
        "the conversion of CMYK, palette and alpha",
        _DECODING,
        'rgb = image if image.mode == "RGB" else image.convert("RGB")',
        "rgb = image",
        (
            "test_serve_answers.py::test_odd_image_gets_the_prediction_of_the_plain_one",
            "test_serve_answers.py::test_grey_images_of_all_depths_agree",
        ),
    ),
    Edit(
        7,
        "the upper byte of 16 bits",
        _DECODING,
        'if image.mode.startswith("I"):',
        "if False:",
        ("test_imaging.py::test_grey_images_are_three_equal_channels",),
    ),
    Edit(
        7,
        "the first frame",
        _DECODING,
        "        image.load()\n",
        '        image.seek(getattr(image, "n_frames", 1) - 1)\n        image.load()\n',
        ("test_serve_answers.py::test_odd_image_gets_the_prediction_of_the_plain_one",),
    ),
    Edit(
        8,
        "answering an image of one row",
        _HEADER,
        "MAX_SIDE = 65_535",
        "MAX_SIDE = 10_000",
        ("test_serve_answers.py::test_extreme_shapes_are_classified",),
    ),
    Edit(
        8,
        "400 for a side of zero",
        _HEADER,
        "    if width * height == 0:\n",
        "    if False:\n",
        ("test_hostile_images.py::test_header_without_pixels_is_rejected",),
    ),
    Edit(
        8,
        "the limit of a side",
        _HEADER,
        " or max(size) > MAX_SIDE:",
        ":",
        ("test_hostile_images.py::test_long_side_is_rejected",),
    ),
)
