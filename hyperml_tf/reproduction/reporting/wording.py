"""Words of the report, in `templates`: titles, heads, notes, captions, sentences."""

import functools
import pathlib
import re
from typing import Any

import jinja2

from hyperml_tf.reproduction.reporting.formats import Column, column

TEMPLATES = pathlib.Path(__file__).parent / "templates"


def environment(**options: Any) -> jinja2.Environment:
    """Of the templates; a name that they do not know is an error."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        **options,
    )


@functools.cache
def _entries() -> dict[str, tuple[str, str]]:
    text = (TEMPLATES / "notes.md.j2").read_text("utf-8")
    parts = re.split(r"^# (\w+) \| (.*)$", text, flags=re.MULTILINE)
    return {
        name: (title, note)
        for name, title, note in zip(parts[1::3], parts[2::3], parts[3::3], strict=True)
    }


def entry(name: str, **values: Any) -> tuple[str, list[Column], str]:
    """Title, columns of a table and text of a name, with values in their places."""
    title, body = (
        environment().from_string(part).render(values) for part in _entries()[name]
    )
    rows = [line.strip() for line in body.splitlines()]
    cells = [c for row in rows if row.startswith("|") for c in row[1:].split(" | ")]
    text = " ".join(row for row in rows if not row.startswith("|"))
    return (
        title,
        [column(*cell.strip().rsplit(": ", 1)) for cell in cells],
        text.strip(),
    )


def lines(name: str, **values: Any) -> list[str]:
    """The sentences of a template, one a line."""
    text = environment().get_template(name).render(values)
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]
