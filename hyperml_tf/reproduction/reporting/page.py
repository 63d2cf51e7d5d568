"""`report.html`: one self-contained file, for a phone and in the dark too.

No network: pictures are embedded. Figures are drawn on white; in the dark their
lightness is turned around and their hues kept.
"""

import base64
import dataclasses
import json
import pathlib
from collections.abc import Sequence

import jinja2

from hyperml_tf.reproduction.reporting import paper
from hyperml_tf.reproduction.reporting.figures import Figure
from hyperml_tf.reproduction.reporting.formats import Table
from hyperml_tf.reproduction.reporting.groups import Group

_TEMPLATES = pathlib.Path(__file__).parent / "templates"
# Wider pictures scroll sideways on a phone instead of shrinking to nothing.
_WIDE_PIXELS = 800


@dataclasses.dataclass(frozen=True)
class Section:
    """One heading of the page, its text, tables and figures.

    Attributes:
        key: anchor.
        title: heading.
        text: paragraphs.
        items: bullet points under them.
        tables: then the tables.
        figures: then the figures.
        runs: then settings and environment of these, folded.
        extra: then this, HTML already.
        style: CSS that `extra` needs.
    """

    key: str
    title: str
    text: Sequence[str] = ()
    items: Sequence[str] = ()
    tables: Sequence[Table] = ()
    figures: Sequence[Figure] = ()
    runs: Sequence[Group] = ()
    extra: str = ""
    style: str = ""

    @property
    def empty(self) -> bool:
        """Whether there is nothing under the heading but text."""
        parts = self.items, self.tables, self.figures, self.runs, self.extra
        return not any(parts)


def page(title: str, lead: Sequence[str], sections: Sequence[Section]) -> str:
    """The whole page; sections without content are left out."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    shown = [section for section in sections if not section.empty]
    return environment.get_template("page.html.j2").render(
        title=title,
        lead=lead,
        sections=shown,
        css=(_TEMPLATES / "page.css").read_text(encoding="utf-8"),
        embedded=_embedded,
        facts=_facts,
    )


def _embedded(figure: Figure) -> dict[str, str]:
    """A picture's content, and whether it is a wide one."""
    picture = figure.png.read_bytes()
    pixels = int.from_bytes(picture[16:20], "big")  # the width in a PNG's header
    wide = " class=wide" if pixels > _WIDE_PIXELS else ""
    return {"wide": wide, "data": base64.b64encode(picture).decode()}


def _facts(group: Group) -> dict[str, str]:
    """Settings and environment of a configuration, and its name under "name"."""

    def several(column: str) -> str:
        return ", ".join(dict.fromkeys(str(v) for v in group.rows[column]))

    name = f"{group.dataset} · {paper.model_title(group.model)}"
    name += f" · {group.variant}" if group.variant else ""
    columns = {
        "seeds": "seed", "best epochs": "best_epoch", "seconds": "seconds",
        "commit": "commit", "device": "device", "kernel": "kernel",
        "versions": "versions",
    }  # fmt: skip
    return {
        "name": name,
        "settings": json.dumps(group.config),
        "config hash": group.config_hash,
        **{head: several(column) for head, column in columns.items()},
    }
