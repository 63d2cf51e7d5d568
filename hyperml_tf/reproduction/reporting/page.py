"""`report.html`: one self-contained file, for a phone and in the dark too.

No network: pictures are embedded. Figures are drawn on white; in the dark their
lightness is turned around and their hues kept.
"""

import base64
import dataclasses
import html
import json
from collections.abc import Sequence

from hyperml_tf.reproduction.reporting import paper
from hyperml_tf.reproduction.reporting.figures import Figure
from hyperml_tf.reproduction.reporting.groups import Group
from hyperml_tf.reproduction.reporting.tables import Table, markup

_CSS = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #5b6570; --line: #d9dee3;
  --back: #fff; --band: #f5f7f9; --link: #0072b2; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e7ea; --soft: #9aa5b1;
  --line: #353c44; --back: #14171a; --band: #1d2226; --link: #6ab7e8; }
  img { filter: invert(.92) hue-rotate(180deg); } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 84rem; padding: 1rem clamp(.8rem, 3vw, 2rem) 4rem;
  font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--back);
  overflow-wrap: break-word; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: .6rem 0; }
h2 { font-size: 1.25rem; margin: 2.4rem 0 .6rem; padding-top: .8rem;
  border-top: 1px solid var(--line); }
h3 { font-size: 1.02rem; margin: 1.6rem 0 .5rem; }
a { color: var(--link); }
nav { display: flex; flex-wrap: wrap; gap: .2rem 1rem; }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 6px; }
table { border-collapse: collapse; font-size: .86rem; width: 100%;
  font-variant-numeric: tabular-nums; }
th, td { padding: .32rem .6rem; text-align: left; vertical-align: bottom;
  border-bottom: 1px solid var(--line); }
td { white-space: nowrap; vertical-align: top; }
td:first-child { white-space: normal; }
th { background: var(--band); font-weight: 600; min-width: 4.2rem; }
.n { text-align: right; }
tbody tr:last-child td { border-bottom: 0; }
tbody tr:hover { background: var(--band); }
.note, figcaption { color: var(--soft); font-size: .86rem; margin: .4rem 0 0;
  max-width: 60rem; }
figure { margin: 1.2rem 0 2rem; }
img { max-width: 100%; height: auto; display: block; border-radius: 6px; }
details { border: 1px solid var(--line); border-radius: 6px; margin: .4rem 0;
  padding: .35rem .7rem; font-size: .88rem; }
summary { cursor: pointer; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; }
dt { color: var(--soft); } dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
@media (max-width: 30rem) { dl { grid-template-columns: 1fr; } dd { margin: 0 0 .3rem; }
  .wide { overflow-x: auto; } .wide img { max-width: none; width: 44rem; } }
"""


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
        return not (self.items or self.tables or self.figures or self.extra)


def page(title: str, lead: Sequence[str], sections: Sequence[Section]) -> str:
    """The whole page; sections without content are left out."""
    shown = [section for section in sections if not section.empty]
    style = _CSS + "".join(section.style for section in shown)
    links = " ".join(
        f'<a href="#{html.escape(s.key)}">{html.escape(s.title)}</a>' for s in shown
    )
    return (
        "<!doctype html>\n<html lang=en>\n<head><meta charset=utf-8>\n"
        '<meta name=viewport content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{style}</style></head>\n<body>\n"
        f"<h1>{html.escape(title)}</h1>\n{_paragraphs(lead)}\n<nav>{links}</nav>\n"
        + "\n".join(_section(section) for section in shown)
        + "\n</body>\n</html>\n"
    )


def _section(section: Section) -> str:
    items = "".join(f"<li>{html.escape(item)}</li>\n" for item in section.items)
    return "\n".join(
        [
            f'<section id="{html.escape(section.key)}">',
            f"<h2>{html.escape(section.title)}</h2>",
            _paragraphs(section.text),
            f"<ul>{items}</ul>" if items else "",
            *(markup(table) for table in section.tables),
            *(_figure(figure) for figure in section.figures),
            section.extra,
            "</section>",
        ]
    )


def _paragraphs(texts: Sequence[str]) -> str:
    return "\n".join(f"<p>{html.escape(text)}</p>" for text in texts)


def _figure(figure: Figure) -> str:
    picture = figure.png.read_bytes()
    pixels = int.from_bytes(picture[16:20], "big")  # the width in a PNG's header
    wide = " class=wide" if pixels > _WIDE_PIXELS else ""
    data = base64.b64encode(picture).decode()
    return (
        f'<figure id="{html.escape(figure.name)}"><div{wide}>'
        f'<img alt="{html.escape(figure.title)}" src="data:image/png;base64,{data}">'
        f"</div><figcaption><b>{html.escape(figure.title)}.</b> "
        f"{html.escape(figure.caption)}</figcaption></figure>"
    )


def provenance(groups: Sequence[Group]) -> str:
    """Settings and environment of every configuration, folded, as HTML."""
    return "\n".join(_folded(group) for group in groups)


def _folded(group: Group) -> str:
    def several(column: str) -> str:
        return ", ".join(dict.fromkeys(str(v) for v in group.rows[column]))

    facts = {
        "settings": json.dumps(group.config),
        "config hash": group.config_hash,
        "seeds": several("seed"),
        "best epochs": several("best_epoch"),
        "seconds": several("seconds"),
        "commit": several("commit"),
        "device": several("device"),
        "kernel": several("kernel"),
        "versions": several("versions"),
    }
    name = f"{group.dataset} · {paper.model_title(group.model)}"
    name += f" · {group.variant}" if group.variant else ""
    lines = "".join(
        f"<dt>{html.escape(k)}</dt><dd>{html.escape(v)}</dd>" for k, v in facts.items()
    )
    return (
        f"<details><summary>{html.escape(name)} <span class=note>n = {group.n}, "
        f"{html.escape(group.config_hash)}</span></summary><dl>{lines}</dl></details>"
    )
