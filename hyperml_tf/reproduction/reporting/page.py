"""`report.html`: one self-contained file, for a phone and in the dark too.

No network: pictures are embedded. Figures are drawn on white; in the dark their
lightness is turned around and their hues kept.
"""

import base64
import dataclasses
from collections.abc import Sequence

from hyperml_tf.reproduction.reporting import wording
from hyperml_tf.reproduction.reporting.figures import Figure
from hyperml_tf.reproduction.reporting.formats import Table

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
        extra: then this, HTML already.
        style: CSS that `extra` needs.
    """

    key: str
    title: str
    text: Sequence[str] = ()
    items: Sequence[str] = ()
    tables: Sequence[Table] = ()
    figures: Sequence[Figure] = ()
    extra: str = ""
    style: str = ""

    @property
    def empty(self) -> bool:
        """Whether there is nothing under the heading but text."""
        return not any((self.items, self.tables, self.figures, self.extra))


def page(title: str, lead: Sequence[str], sections: Sequence[Section]) -> str:
    """The whole page; sections without content are left out."""
    template = wording.environment(autoescape=True).get_template("page.html.j2")
    return template.render(
        title=title,
        lead=lead,
        sections=[section for section in sections if not section.empty],
        css=(wording.TEMPLATES / "page.css").read_text(encoding="utf-8"),
        embedded=_embedded,
    )


def _embedded(figure: Figure) -> dict[str, str]:
    """A picture's content, and whether it is a wide one."""
    picture = figure.png.read_bytes()
    pixels = int.from_bytes(picture[16:20], "big")  # the width in a PNG's header
    wide = " class=wide tabindex=0" if pixels > _WIDE_PIXELS else ""
    return {"wide": wide, "data": base64.b64encode(picture).decode()}
