"""One look for all: pages and cards are made from templates that share a style sheet, charts and macros."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from embodied_ssl.datasets.gallery.charts import words


@dataclass(frozen=True)
class Figure:
    """A chart and what it shows, in words."""

    title: str
    chart: Markup
    caption: str = ""
    key: list[tuple[str, str]] = field(default_factory=list)
    """Colours and what they stand for."""


def render(template: str, *folders: Path, **content: Any) -> str:
    """The text of a template of these folders, or of this one."""
    loader = FileSystemLoader([*folders, Path(__file__).parent])
    environment = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["words"] = words
    return environment.get_template(template).render(content)
