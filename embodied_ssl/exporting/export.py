"""Export what a run has learned, with a card made from the run."""

import tempfile
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Literal, get_args

from embodied_ssl.datasets.errors import DataError, unknown_name
from embodied_ssl.zoo import run_folder

CARD = "README.md"
_FILES = {CARD, "config.json", "model.safetensors", "encoder.onnx", "encoder.pt2"}
"""All that formats write."""
Format = Literal["timm", "onnx", "torch_export", "huggingface"]


def export(
    run: Path | str, out: Path | str, to: Format, results: Sequence[Path | str] = (), license: str | None = None
) -> Path:
    """Write the encoder of a run so that another library loads it, and a model card beside it.

    Args:
        run: the directory of a run that has ended, or `zoo/NAME`.
        out: a new or an empty directory; of an earlier export what is in it is replaced.
        to: `timm`: a folder for `timm.create_model("local-dir:OUT")`, of timm's networks. `onnx`: a graph for ONNX
            Runtime; takes the extra `[export]`. `torch_export`: a program of `torch.export`, for torch alone.
            `huggingface`: a folder as the Hugging Face hub has them; timm loads it where it knows the network, and
            `embodied_ssl.exporting.hub.HubEncoder.from_pretrained` all others.
        results: files `results.json` whose numbers of this run come into the card; those of a comparison that the run
            belongs to are found by themselves.
        license: of the weights, as the hub names them (`mit`, `cc-by-4.0`); None: the card says that none is stated.

    Returns the directory. Each format takes any number of images, float32 [B, 3, image_size, image_size]; the card says
    in which units, and how the file is loaded. Raises DataError for a run that has not ended, an encoder that a format
    does not know, and a directory that holds something else.
    """
    from embodied_ssl.exporting.card import front_matter, model_card  # what is heavy, when it is needed
    from embodied_ssl.training.runs.checkpoint import load_encoder

    out = Path(out).expanduser()
    if to not in get_args(Format):
        raise unknown_name("format", to, get_args(Format))
    write = getattr(import_module(f"embodied_ssl.exporting.to_{to}"), f"to_{to}")
    run = run_folder(run)
    encoder = load_encoder(run)
    if out.exists() and not _is_replaceable(out):
        raise DataError(f"{out}: holds something else; name a new or an empty directory")
    made = not out.exists()
    out.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix=".export-", dir=out) as folder:  # until all of it is there
            loading = write(encoder.eval(), Path(folder))
            top = front_matter(run, encoder, to, license)
            text = model_card(run, encoder, loading, results, license)
            (Path(folder) / CARD).write_text(f"---\n{top}---\n\n{text}", encoding="utf-8")
            for path in sorted(Path(folder).iterdir(), key=lambda each: each.name != CARD):  # it tells an export
                path.replace(out / path.name)
    except BaseException:
        if made and not any(out.iterdir()):
            out.rmdir()
        raise
    return out


def _is_replaceable(out: Path) -> bool:
    """Whether a directory is empty, or holds what an earlier export has written and nothing else."""
    if not out.is_dir():
        return False
    seen = {path.name for path in out.iterdir() if not path.name.startswith(".")}  # of git, or of an export cut off
    if not seen:
        return True
    card = (out / CARD).read_text(encoding="utf-8", errors="replace") if CARD in seen else ""
    top = card.removeprefix("---\n").partition("\n---\n")[0] if card.startswith("---\n") else ""
    return seen <= _FILES and "embodied-ssl" in top
