"""README, RESULTS.md and docs/: templates filled in with what the record says.

A template holds words and asks `facts.Facts` for every number. `typed_numbers` finds
those that stand in a template all the same.
"""

import pathlib
import re

from hyperml_tf.files import write_atomically
from hyperml_tf.reproduction.reporting import (
    formats,
    missing,
    paper,
    pictures,
    result_frames,
    tables,
    wording,
)
from hyperml_tf.reproduction.reporting.facts import Facts

_ROOT = pathlib.Path(__file__).parents[3]
_SUFFIX = ".md.j2"
#: Lists that are too long to read in RESULTS.md, as CSV.
_LISTS = ("settings", "configurations", "searches")

#: What may stand as typed digits in a template, and why.
ALLOWED = {
    "names of metrics, types and formats":
        r"nDCG@10|HR@10|float32|float64|Keras 2|TF32|SHA-256|\bL2\b",
    "versions": r"Python 3\.11|3\.10 and 3\.12|2\.20|Apache-2\.0",
    "datasets by name": r"MovieLens 100K|Movie1M",
    "places in the paper":
        r"(Eqs?\.?|Tables?|Fig\.|§) ?\d[\d.]*( and \d+|, \d+ and \d+)*|WSDM \d{4}",
    "works cited": r"& \w+ \d{4}",
    "the paper's protocol": r"100 (sampled |stored )?negatives",
    "level of an interval": r"95 %",
    "a value of an option, or part of a formula":
        r"[a-zγ] ?[=>] ?\d|1 - 1e-5|1/\(1-ρ\)|1/log₂\(rank\+1\)|U\(±0\.01\)|2u|2v"
        r"|\(d \+ 2\)|rank 2|2·users|N \+ 2U|3β²/2d|\(1/3\)|log\(1 \+|\(1, c·m|or -1",
    "exit codes": r"0 for done, 1 for|2 for bad usage|exit code 2|code 1|3 for",
    "disk space": r"3 GB",
    "precision of a test's oracle": r"50 digits",
    "a role in a cluster": r"worker 0",
    "numbers of a list": r"^\d+\. ",
}  # fmt: skip
_CODE = re.compile(r"```.*?```|`[^`\n]+`|^    \S.*$", re.DOTALL | re.MULTILINE)
_JINJA = re.compile(r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}", re.DOTALL)
_MARKUP = re.compile(r"<[^>]+>|\]\([^)]*\)")


def typed_numbers(template: str) -> list[str]:
    """Lines of a template's text with a number that no record gave.

    Code, its output, links and what Jinja fills in are left out, and what `ALLOWED`
    has.
    """
    text = _MARKUP.sub("", _JINJA.sub("", _CODE.sub("", template)))
    for pattern in ALLOWED.values():
        text = re.sub(pattern, "", text, flags=re.MULTILINE)
    return [line.strip() for line in text.splitlines() if re.search(r"\d", line)]


def templates() -> dict[str, pathlib.Path]:
    """Document, relative to the repository -> its template."""
    return {
        str(path.relative_to(wording.TEMPLATES)).removesuffix(".j2"): path
        for path in sorted(wording.TEMPLATES.rglob(f"*{_SUFFIX}"))
        if path.name != "notes.md.j2"
    }


def rendered(facts: Facts) -> dict[str, str]:
    """Path of every generated text, relative to the repository -> its content."""
    environment = wording.environment(keep_trailing_newline=True)
    shared = _context(facts)
    found = {}
    for name in templates():
        text = environment.get_template(f"{name}.j2").render(shared)
        found[name] = re.sub(r"\n{3,}", "\n\n", text)
    for name in _LISTS:
        found[f"docs/tables/{name}.csv"] = facts.tables[name].csv
    return found


def write(facts: Facts, folder: pathlib.Path = _ROOT) -> list[str]:
    """Writes every document and picture below `folder`; returns their paths."""
    texts = rendered(facts)
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text)
    drawn = pictures.write(facts.shown, folder / "docs" / "images")
    return [*texts, *drawn]


def _context(facts: Facts) -> dict:
    """Names that templates know: the facts' methods, and some constants."""
    asked = {name: getattr(facts, name) for name in dir(facts) if name[0] != "_"}
    recorded = facts.recorded_paper_datasets
    absent = [d for d in paper.TABLE1 if d not in recorded]
    return asked | {
        "names": paper.listed,
        "findings": facts.lines(),
        "table": facts.tables.__getitem__,
        "seeds": missing.SEEDS,
        "count": lambda value: f"{round(value):,}",
        "ratio": lambda one, other: f"{one / other:.1f}",
        "inconsistencies": paper.INCONSISTENCIES,
        "recorded_datasets": facts.results.datasets,
        "count_recorded": len(recorded),
        "count_runs": len(facts.rows),
        "count_configs": len(facts.results.groups),
        "missing_datasets": f"{paper.listed(absent)} are missing.",
        "paper_gamma": formats.listed(
            [
                f"{v:g} on {paper.dataset_title(d)}"
                for d, v in paper.FIGURE4_BEST.items()
            ]
        ),
        "paper_c": formats.listed(
            [
                f"{paper.best_c(d):g} on {paper.dataset_title(d)} (in "
                f"{formats.METRICS[paper.TABLE4_METRIC[d]]})"
                for d in paper.TABLE4
            ]
        ),
        "peer_bench": facts.speed("peer/c"),
        "disk_caption": pictures.disk_caption(),
        "demo_models": "HyperML, HyperTS, CML, MF-BPR and popularity",
        "output": lambda name: _file("outputs", f"{name}.txt"),
        "example": _example,
        "best_table": _best_table(facts),
    }


def _file(*parts: str) -> str:
    return wording.TEMPLATES.joinpath(*parts).read_text(encoding="utf-8").rstrip("\n")


def _example(name: str, begin: str = "", end: str = "") -> str:
    """An example's code, or the part of it between two lines."""
    lines = (_ROOT / "examples" / name).read_text(encoding="utf-8").splitlines()
    if begin:
        start = next(i for i, line in enumerate(lines) if line.startswith(begin))
        lines = lines[start:]
    if end:
        lines = lines[: next(i for i, line in enumerate(lines) if line.startswith(end))]
    return "\n".join(lines).strip()


def _best_table(facts: Facts) -> str:
    """The README's table: four columns, each dataset ranked in both ways."""
    frame = result_frames.best(facts.results)
    frame = frame[frame["dataset"].isin(facts.recorded_paper_datasets)]
    ranked = {"ndcg10": "100 sampled negatives", "full_ndcg10": "full catalogue"}
    return tables.noted(
        "best", frame.assign(ranked=frame["metric"].map(ranked))
    ).markdown
