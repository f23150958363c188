"""The model card of an export, made from the run: what it is, how it came to be, what it was measured to be."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCardData

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.store.files import file_sha256
from embodied_ssl.encoders import Encoder
from embodied_ssl.encoders.of_timm import TimmEncoder
from embodied_ssl.evaluation.candidates import row_sha256
from embodied_ssl.evaluation.results import Result, read_results
from embodied_ssl.methods import method_class
from embodied_ssl.training.runs.checkpoint import ENCODER, read_configuration
from embodied_ssl.training.runs.outside import PLUGINS


def front_matter(run: Path | str, encoder: Encoder, format: str, license: str | None) -> str:
    """The YAML that the Hugging Face hub reads at the top of a card."""
    by_timm = isinstance(encoder, TimmEncoder) and format in ("timm", "huggingface")
    data = ModelCardData(
        library_name="timm" if by_timm else "embodied-ssl",
        license=license,
        pipeline_tag="image-feature-extraction",
        tags=["self-supervised", "embodied-ssl", str(read_configuration(run)["method"])],
    )
    return data.to_yaml() + "\n"


def model_card(
    run: Path | str, encoder: Encoder, loading: str, results: Sequence[Path | str], license: str | None
) -> str:
    """The card in Markdown, without its front matter.

    Args:
        run: its directory.
        encoder: that it has learned.
        loading: code that loads what was exported.
        results: files of numbers that may be of this run.
        license: of the weights.
    """
    told = read_configuration(run)
    sections = [
        f"# {told['method']} on {encoder.name}",
        f"Image features, learned by `{told['method']}`: {_paper(told['method'])}",
        f"## Use\n\n```python\n{loading}\n```",
        _plugins(told),
        f"Images are squares of {encoder.image_size} px, RGB; any number at once. {_normalisation(encoder)}",
        f"## Data\n\n{_data(told['data'])}",
        f"## Training\n\n{_settings(told)}",
        f"## Scores\n\n{_scores(run, told, results)}",
        f"## Origin\n\n{_origin(run, told)}",
        f"## Licence\n\nOf the weights: {license or 'none is stated'}. Of the code that made them, embodied-ssl: MIT.",
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _paper(method: str) -> str:
    try:
        about = method_class(method).__doc__ or ""
    except DataError:  # from outside, and not here: the encoder alone was loaded
        return "a method from outside the package."
    return " ".join(about.strip().split("\n\n")[0].split())


def _plugins(told: Mapping[str, Any]) -> str:
    name = told["encoder"]["name"]
    plugin = told.get(PLUGINS, {}).get(name)
    return f"`{name}` is code from outside the package: `{plugin}`." if plugin else ""


def _normalisation(encoder: Encoder) -> str:
    if not isinstance(encoder, TimmEncoder):
        return "The network takes them in [0, 1] and normalises them itself."
    mean, deviation = (
        ", ".join(f"{value:.4g}" for value in each.flatten().tolist()) for each in (encoder.mean, encoder.deviation)
    )
    return f"Its own weights are for images in [0, 1], less a mean of ({mean}), by a deviation of ({deviation})."


def _data(data: Mapping[str, Mapping[str, Any]]) -> str:
    rows = [["stream", "data set", "images", "sha256"]]
    for stream, entry in data.items():
        source = entry["source"] if isinstance(entry["source"], list) else [entry["source"]]
        names = ", ".join(Path(each).name for each in source)  # where they lay on a disk is nobody's business
        rows.append([stream, names, f"{entry['images']:,}", f"`{entry['sha256'][:16]}`"])
    return _table(rows)


def _settings(told: Mapping[str, Any]) -> str:
    groups = {"": told["settings"], "encoder": told["encoder"], "optimizer": told["recipe"]}
    rows = [["setting", "value"]]
    for group, own in groups.items():
        rows += [[f"{group}.{name}" if group else name, f"{value}"] for name, value in own.items()]
    rows += [[name, f"{told[name]}"] for name in ("seed", "precision", "accumulate", "world_size") if name in told]
    first = told.get("first_weights", {}).get("source")
    return _table([*rows, ["first weights", first or "drawn at random by the seed"]])


def _scores(run: Path | str, told: Mapping[str, Any], results: Sequence[Path | str]) -> str:
    """The numbers of this run: those of its configuration, by hash, and its seed."""
    compared = Path(run).resolve().parent.parent / "results.json"  # of a comparison that the run belongs to
    files = [*results, *([compared] if compared.is_file() else [])]
    sha256, seed = row_sha256(dict(told)), int(told["seed"])
    found = [
        each for file in files for each in read_results(file) if (each.row_sha256, each.seed) == (sha256, seed)
    ]  # fmt: skip
    if not found:
        return "Not evaluated yet, or nowhere that was named."
    return _table([["set", "protocol", "metric", "value"], *(_score(each) for each in found)])


def _score(result: Result) -> list[str]:
    better = " (lower is better)" if result.lower_is_better else ""
    return [result.set, result.protocol, f"{result.metric}{better}", f"{result.value:.4g} {result.unit}".strip()]


def _origin(run: Path | str, told: Mapping[str, Any]) -> str:
    rows = [
        ["of", "is"],
        ["embodied-ssl", str(told.get("package_version", "unknown"))],
        ["torch", str(told.get("torch_version", "unknown"))],
        ["configuration without its seed, sha256", f"`{row_sha256(dict(told))}`"],
        ["encoder.safetensors, sha256", f"`{file_sha256(Path(run) / ENCODER)}`"],
    ]
    return _table(rows)


def _table(rows: Sequence[Sequence[str]]) -> str:
    """Markdown of rows, the first of which is the head."""
    head, *others = [["" if cell is None else str(cell).replace("|", "\\|") for cell in row] for row in rows]
    lines = [head, ["---"] * len(head), *others]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
