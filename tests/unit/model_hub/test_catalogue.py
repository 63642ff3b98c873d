"""The catalogue: every id resolves to all that is needed to stage and train it, and wrong ids are answered."""

import subprocess
import sys
from collections.abc import Mapping

import pytest

from image_classifier import PROGRAM, artifacts
from image_classifier.contract.errors import UserError
from image_classifier.contract.hyperparameters import Hyperparameters, parse
from image_classifier.contract.parsing import MODELS_DEFAULT
from image_classifier.model_hub import catalogue, large_models
from image_classifier.model_hub.catalogue import MODELS, CatalogueModel
from image_classifier.model_hub.converters.table import PACKAGED_BACKBONES

DOCS_ONLY = "tensorflow-ic-imagenet-resnet-50-classification-4"
SDKS_TWIN = "tensorflow-ic-resnet-50-classification-1"
LITE0 = "tensorflow-ic-efficientnet-lite0-classification-2"
MOBILENET = "tensorflow-ic-imagenet-mobilenet-v2-100-160"


def test_the_catalogue_holds_136_models_of_which_the_guide_lists_60() -> None:
    """The data file -> 136 different ids, 60 of the developer guide, each of JumpStart's form."""
    assert len(MODELS) == 136
    assert len(catalogue.DATA.read_text().splitlines()) == 137
    assert sum(model.in_aws_docs for model in MODELS.values()) == 60
    assert all(model_id.startswith("tensorflow-ic-") for model_id in MODELS)


@pytest.mark.parametrize("model_id", MODELS)
def test_each_id_resolves_to_all_that_is_needed(model_id: str) -> None:
    """Each id -> itself, handles of both kinds, a size with its reason, a scaling, and defaults that a job accepts."""
    model = catalogue.find(model_id)
    assert model.model_id == model_id
    for handles in (model.classifier_handles, model.feature_vector_handles):
        assert handles
        assert len(set(handles)) == len(handles)
        assert all(handle.startswith("https://tfhub.dev/") and handle[-1].isdigit() for handle in handles)
    assert not set(model.classifier_handles) & set(model.feature_vector_handles)
    assert all(96 <= side <= 600 for side in model.image_size)
    assert model.size_source
    assert model.pixel_scaling_method in artifacts.PIXEL_SCALING_METHODS
    assert model.parameters is not None
    assert 2e5 < model.parameters < 1e9
    assert model.parameters_source
    assert model.licence in ("Apache-2.0", "MIT")
    settings = parse({}, model.hyperparameters)
    assert {name for name, source in settings.sources.items() if source == MODELS_DEFAULT} == set(model.hyperparameters)
    assert parse(model.training_defaults).values == settings.values


@pytest.mark.parametrize(
    ("start", "method", "size"),
    [
        ("tensorflow-ic-bit-", "normalize", (224, 224)),
        ("tensorflow-ic-cait-m48-", "standardize_on_imagenet", (448, 448)),
        ("tensorflow-ic-deit-tiny-", "standardize_on_imagenet", (224, 224)),
        ("tensorflow-ic-swin-large-patch4-window12-", "standardize_on_imagenet", (384, 384)),
        ("tensorflow-ic-efficientnet-b7-", "normalize", (600, 600)),
        ("tensorflow-ic-efficientnet-lite4-", "normalize", (380, 380)),
        ("tensorflow-ic-imagenet-mobilenet-v2-035-96", "normalize", (96, 96)),
        ("tensorflow-ic-imagenet-nasnet-large", "normalize", (331, 331)),
        ("tensorflow-ic-tf2-preview-inception-v3-", "normalize", (299, 299)),
    ],
)
def test_size_and_scaling_are_the_models_own(start: str, method: str, size: tuple[int, int]) -> None:
    """Models of several families -> the size and scaling of their pages."""
    found = {(model.pixel_scaling_method, model.image_size) for name, model in MODELS.items() if name.startswith(start)}
    assert found == {(method, size)}


def test_the_sixteen_sizes_that_no_page_gives_have_their_reason() -> None:
    """15 BiT models and the guide's ResNet-50 -> 224 with a reason of its own; all others from page or name."""
    reasoned = [model for model in MODELS.values() if not model.size_source.startswith("its ")]
    assert sorted(model.family for model in reasoned) == ["BiT-M"] * 10 + ["BiT-S"] * 5 + ["ResNet-50"]
    assert {model.image_size for model in reasoned} == {(224, 224)}
    assert all("224" in model.size_source or "tensorflow/resnet_50" in model.size_source for model in reasoned)


@pytest.mark.parametrize("kind", ["classifier_handles", "feature_vector_handles"])
@pytest.mark.parametrize(
    ("model_id", "ours", "the_guides"),
    [
        (
            "tensorflow-ic-imagenet-mobilenet-v1-025-128-classification-4",
            "google/imagenet/mobilenet_v1_025_128/{}/5",
            "google/imagenet/mobilenet_v1_025_128/{}/4",
        ),
        (
            "tensorflow-ic-efficientnet-b0-classification-1",
            "tensorflow/efficientnet/b0/{}/1",
            "google/efficientnet/b0/{}/1",
        ),
    ],
)
def test_both_handles_are_known_where_guide_and_sdk_differ(
    model_id: str, ours: str, the_guides: str, kind: str
) -> None:
    """Another version, another publisher -> the SDK's handle first, the guide's second, for both kinds."""
    word = "classification" if kind == "classifier_handles" else "feature_vector"
    expected = [f"https://tfhub.dev/{handle.format(word)}" for handle in (ours, the_guides)]
    found = [handle.replace("feature-vector", "feature_vector") for handle in getattr(MODELS[model_id], kind)]
    assert found == expected


def test_the_guides_own_resnet_is_fetched_where_the_sdks_is() -> None:
    """The id that only the guide has -> the handles, size and parameters of the SDK's twin first."""
    ours, twin = catalogue.find(DOCS_ONLY), catalogue.find(SDKS_TWIN)
    assert ours.classifier_handles[0] == twin.classifier_handles[0]
    assert ours.feature_vector_handles == twin.feature_vector_handles
    assert (ours.image_size, ours.parameters) == (twin.image_size, twin.parameters)


@pytest.mark.parametrize(
    ("short", "model_id"),
    [
        ("lite0", LITE0),
        ("mobilenetv2-160", MOBILENET),
        ("efficientnet-b7", "tensorflow-ic-efficientnet-b7-classification-1"),
        ("resnet-50", SDKS_TWIN),
        ("imagenet-resnet-50", DOCS_ONLY),
    ],
)
def test_short_names_leave_out_what_ids_share(short: str, model_id: str) -> None:
    """Given a packaged model, a plain id, two ids that differ in a shared part alone -> the short name of each."""
    assert catalogue.find(short.upper()) is catalogue.find(model_id)
    assert catalogue.find(model_id).short_name == short


def test_every_model_has_a_short_name_of_its_own() -> None:
    """Given every model -> a short name that finds it alone; the packaged models are those with a converter."""
    assert {catalogue.find(model.short_name).model_id for model in MODELS.values()} == set(MODELS)
    assert set(PACKAGED_BACKBONES) == set(catalogue.PACKAGED)
    assert [model.package for model in MODELS.values() if model.package] == list(catalogue.PACKAGED)


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ("tensorflow-ic-efficientnet-b9-classification-1", "tensorflow-ic-efficientnet-b7-classification-1"),
        ("lite-0", "lite0"),
        ("swin-tiny", "swin-tiny-patch4-window7-224"),
    ],
)
def test_an_unknown_id_is_answered_with_the_closest(wrong: str, near: str) -> None:
    """A wrong digit, a hyphen, a part of a name -> one sentence that names the model meant, as it was typed."""
    with pytest.raises(UserError, match=near) as raised:
        catalogue.find(wrong)
    assert str(raised.value).startswith(f"The catalogue has no model {wrong!r}. Did you mean ")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("wrong", ["", "zzzz", "x" * 5000])
def test_what_is_like_nothing_gets_no_guess(wrong: str) -> None:
    """Empty, strange, endless -> a short sentence without a guess."""
    with pytest.raises(UserError) as raised:
        catalogue.find(wrong)
    assert "Did you mean" not in str(raised.value)
    assert len(str(raised.value)) < 250


def test_any_version_is_the_only_version() -> None:
    """model_version "*" -> the model; a number -> rejected, with what to give."""
    assert catalogue.find(LITE0, "*").model_id == LITE0
    with pytest.raises(UserError, match=r"model_version is '2\.0\.0'.*Give \"\*\""):
        catalogue.find(LITE0, "2.0.0")


@pytest.mark.parametrize(
    ("parameters", "side", "expected"),
    [
        (23_500_000, 224, {}),
        (39_800_000, 224, {}),
        (39_900_000, 224, {"batch_size": "16", "train_only_top_layer": "True"}),
        (79_000_000, 224, {"batch_size": "16", "train_only_top_layer": "True"}),
        (80_000_000, 224, {"batch_size": "8", "train_only_top_layer": "True"}),
        (160_000_000, 224, {"batch_size": "4", "train_only_top_layer": "True"}),
        (900_000_000, 600, {"batch_size": "4", "train_only_top_layer": "True"}),
        (None, 600, {}),
    ],
)
def test_large_is_parameters_times_pixels(parameters: int | None, side: int, expected: Mapping[str, str]) -> None:
    """Below and above the threshold, at twice and four times of it, unknown -> as declared."""
    assert large_models.defaults(parameters, (side, side)) == expected


def test_large_models_never_have_more_work_a_step_than_the_usual_batch_at_the_threshold() -> None:
    """All models -> a heavier one never a larger batch; the work of a step bounded until the smallest batch."""
    by_weight = sorted(MODELS.values(), key=weight)
    batches = [parse({}, model.hyperparameters).values.batch_size for model in by_weight]
    assert batches == sorted(batches, reverse=True)
    assert batches[0] == Hyperparameters().batch_size == large_models.USUAL_BATCH
    assert batches[-1] == large_models.SMALLEST_BATCH
    for model, batch in zip(by_weight, batches, strict=True):
        assert batch == large_models.SMALLEST_BATCH or batch * weight(model) <= 32 * large_models.LARGE


def weight(model: CatalogueModel) -> int:
    """Return parameters times pixels."""
    assert model.parameters is not None
    return large_models.weight(model.parameters, model.image_size)


def test_the_model_with_a_public_specification_counts_as_large() -> None:
    """BiT-M R101x1, whose specification trains only the top -> the top alone; ResNet-50 and Inception V3 -> all."""
    top_only = {name for name, model in MODELS.items() if model.hyperparameters.get("train_only_top_layer") == "True"}
    assert "tensorflow-ic-bit-m-r101x1-ilsvrc2012-classification-1" in top_only
    assert not {SDKS_TWIN, LITE0, "tensorflow-ic-imagenet-inception-v3-classification-4"} & top_only


def test_modules_of_tensorflow_1_train_their_head_alone() -> None:
    """EfficientNet-Lite, TF1 modules on the Hub -> the top alone, but for the one that a package has for TF2."""
    lite = {name: model for name, model in MODELS.items() if model.tf1_format}
    assert {model.family for model in lite.values()} == {"EfficientNet-Lite"}
    assert len(lite) == 5
    assert [name for name, model in lite.items() if "train_only_top_layer" not in model.hyperparameters] == [LITE0]


def test_unknown_facts_are_none_and_sizes_may_differ_by_side() -> None:
    """A row without parameters and licence, of 160 x 224 -> None twice, height first, no defaults of its own."""
    header = catalogue.DATA.read_text().splitlines()[0]
    row = "an-id,Family,160x224,its page,center,https://a/1,https://b/1,,,,no,no,"
    (model,) = catalogue.read([header, row]).values()
    assert (model.parameters, model.licence, model.image_size) == (None, None, (160, 224))
    assert dict(model.hyperparameters) == {}


def test_the_catalogue_needs_no_tensorflow() -> None:
    """Import in a fresh process -> neither TensorFlow nor NumPy comes with it."""
    program = "import sys, image_classifier.model_hub.catalogue; print({'tensorflow', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=PROGRAM)
    assert done.stdout.strip() == "set()"
