"""The page of the reference that lists the catalogue: what each model needs and trains with."""

from collections.abc import Iterable, Sequence

from image_classifier.contract.hyperparameters import Hyperparameters
from image_classifier.model_hub import catalogue, large_models
from image_classifier.model_hub.catalogue import CatalogueModel
from tools.documents.markdown import code, table

_NOTE = "<!-- Written by scripts/docs from container/image_classifier/model_hub/catalogue.csv; change it there. -->"


def page() -> str:
    """Return docs/reference/models.md."""
    models = list(catalogue.MODELS.values())
    differing = [model for model in models if len(model.classifier_handles) > 1]
    header = ("model_id", "family", "size", "pixel scaling", "parameters", "licence", "in the guide", "other defaults")
    return f"""{_NOTE}

# Models

The {len(models)} models that can be named by their `model_id`: {sum(model.in_aws_docs for model in models)} are in the
developer guide, the others in the SageMaker SDK's list alone. `scripts/models` lists them (`--family`, `--search`,
`--json`). `scripts/models show ID --all` answers for one model what four calls of the SDK answer:

| the SDK's | here |
| --- | --- |
| `image_uris.retrieve` | `image to train`, `image to serve`: the same images for all models |
| `script_uris.retrieve` | `script`: none, the image trains with its own program |
| `model_uris.retrieve` | `stage to train`, `stage to serve`: the command that makes the archive |
| `hyperparameters.retrieve_default` | the list under `--all`; with `--json` the object `hyperparameters`, all as text |

`model_version="*"` is the one version of each.
Short names leave out what ids share (`tensorflow-ic-`, `imagenet-`, `-classification-N`); `scripts/models` lists them.
From a Python package install {_packaged()}.

Staging writes into the archive's model info what differs from [our defaults](hyperparameters.md), and nothing else; a
job takes these values unless it is given others, and logs each with its source.

{_defaults_of_their_own(models)}
## All models

Parameters are those of the feature vector, without the head; `scripts/models show ID --all` says where the number is
from. Licences are those of the models' pages on TensorFlow Hub, which takes Apache-2.0 where a page says nothing.

{table(header, map(_row, models))}
## Sizes that no page gives

{table(("models", "size", "why"), _sizes(models))}
## Handles on which guide and SDK differ

The first is fetched, and where it is rejected the second.

{table(("model_id", "the SDK's classifier", "the guide's"), map(_handles_row, differing))}"""


def _defaults_of_their_own(models: Sequence[CatalogueModel]) -> str:
    ours = Hyperparameters()
    large = [model for model in models if large_models.defaults(model.parameters, model.image_size)]
    header = ("model_id", "size", "parameters", "parameters × pixels", "`batch_size`")
    return f"""## Which models are large

The developer guide says that large models train with a smaller batch and only at the top. It does not say which are
large. Here a model is large when its parameters times its pixels are at least {_trillions(large_models.LARGE)}:
{len(large)} of {len(models)}. They train with `train_only_top_layer=True` and a batch of {large_models.LARGEST_BATCH}
to {large_models.SMALLEST_BATCH} images: the largest power of two with which a step is no more work than
{large_models.USUAL_BATCH} images of a model at the threshold.
[Decision 7](../decisions/0007-which-models-are-large.md) says why. All others keep `batch_size={ours.batch_size}`,
`train_only_top_layer={ours.train_only_top_layer}`.

{table(header, map(_large_row, sorted(large, key=_weight, reverse=True)))}
## Models in TensorFlow 1's format

{_list(model for model in models if model.tf1_format)} are modules in
TensorFlow 1's format on the Hub: nothing below their head can be trained, so they have `train_only_top_layer=True`
whatever their weight. `lite0` has not, since by default it is staged from a package, in TensorFlow 2's format; a job
with a `lite0` from the Hub must be given it, and says so.
"""


def _weight(model: CatalogueModel) -> int:
    return large_models.weight(model.parameters or 0, model.image_size)


def _large_row(model: CatalogueModel) -> Sequence[str]:
    batch = model.hyperparameters["batch_size"]
    return code(model.model_id), _size(model), _millions(model), _trillions(_weight(model)), batch


def _row(model: CatalogueModel) -> Sequence[str]:
    own = ", ".join(code(f"{name}={value}") for name, value in model.hyperparameters.items())
    scaling, listed = code(model.pixel_scaling_method), "yes" if model.in_aws_docs else "no"
    return (
        *(code(model.model_id), model.family, _size(model), scaling),
        *(_millions(model), model.licence or "unknown", listed, own or "none"),
    )


def _sizes(models: Iterable[CatalogueModel]) -> list[Sequence[str]]:
    """Group the models whose size comes from neither their page nor their name."""
    groups: dict[tuple[str, str, str], list[CatalogueModel]] = {}
    for model in models:
        if not model.size_source.startswith("its "):
            groups.setdefault((model.family, _size(model), model.size_source), []).append(model)
    return [
        (f"{family}: {code(of[0].model_id) if len(of) == 1 else f'all {len(of)}'}", size, why)
        for (family, size, why), of in groups.items()
    ]


def _handles_row(model: CatalogueModel) -> Sequence[str]:
    return code(model.model_id), *map(code, model.classifier_handles)


def _packaged() -> str:
    return " and ".join(f"{code(name)} ({code(model_id)})" for name, model_id in catalogue.PACKAGED.items())


def _list(models: Iterable[CatalogueModel]) -> str:
    return ", ".join(code(model.model_id) for model in models)


def _size(model: CatalogueModel) -> str:
    height, width = model.image_size
    return f"{height} × {width}"


def _millions(model: CatalogueModel) -> str:
    return "unknown" if model.parameters is None else f"{model.parameters / 1e6:.3g} M"


def _trillions(number: float) -> str:
    return f"{number / 1e12:.1f} × 10¹²"
