"""The tables of report and documents; their words are in `templates/notes.md.j2`."""

from typing import Any

import pandas as pd

from hyperml_tf.reproduction.reporting import formats, paper, result_frames, wording
from hyperml_tf.reproduction.reporting.formats import BLANK, Table, column, signed
from hyperml_tf.reproduction.reporting.groups import Results


def noted(name: str, frame: pd.DataFrame, **words: Any) -> Table:
    """A table with its title, columns and note, in which `words` stand."""
    title, columns, note = wording.entry(name, **words)
    return Table(name, title, frame, columns, note)


def of_results(results: Results, significance: pd.DataFrame) -> list[Table]:
    """All tables that the record gives."""
    asked = result_frames.tests(results, significance)
    claims = result_frames.claims(results, asked)
    configurations = result_frames.configurations(results)
    frames = {
        "results": result_frames.rows(results),
        "table2": result_frames.table2(results, asked),
        "table3": result_frames.table3(results),
        "table4": result_frames.sweeps(results, "c"),
        "figure4": result_frames.sweeps(results, "distortion_weight"),
        "claims": claims,
        "lead": result_frames.lead(asked),
        "variants": result_frames.variants(asked),
        "dimensions": result_frames.dimensions(asked),
        "split_order": result_frames.split_order(results),
        "settings": configurations[configurations["stands"].astype(bool)],
        "configurations": configurations,
    }
    best = [
        f"{value:g} on {paper.dataset_title(dataset)} (with γ = 0 it is "
        f"{paper.FIGURE4_FALL[dataset]} % below CML's nDCG@10)"
        for dataset, value in paper.FIGURE4_BEST.items()
    ]
    words = {"which_cml": which_cml(results), "paper_best": formats.listed(best)}
    found = [noted(name, frame, **words) for name, frame in frames.items()]
    return [_glance(claims), *found]


def which_cml(results: Results) -> str:
    """What stands in the column of CML in Table 2."""
    tried = [d for d in results.datasets if results.row(d, "cml_warp")]
    if not tried:
        return (
            "The column CML is CML with one uniform negative; CML (WARP) was not run."
        )
    chosen = [d for d in tried if results.of(d, "cml") is results.row(d, "cml_warp")]
    return (
        "The column CML shows CML with one uniform negative or CML (WARP), whichever "
        f"is better on validation. CML (WARP) was trained on {paper.listed(tried)} and "
        f"is shown on {paper.listed(chosen)}."
    )


def _glance(claims: pd.DataFrame) -> Table:
    """The claims on one screen: a row for each, a column for each dataset."""
    shown = [d for d in paper.TABLE1 if d in set(claims["dataset"])]
    known = claims[claims["dataset"].isin(shown)]
    answers = {
        cell: _answers(tests.to_dict("records"))
        for cell, tests in known.groupby(["claim", "dataset"], sort=False)
    }
    frame = pd.DataFrame(
        [
            {"claim": claim} | {d: answers.get((claim, d), BLANK) for d in shown}
            for claim in known["claim"].unique()
        ]
    )
    title, _, note = wording.entry("verdicts", level=result_frames.LEVEL)
    heads = {"claim": "Claim"} | {d: paper.dataset_title(d) for d in shown}
    columns = [column(head, f"text {field}") for field, head in heads.items()]
    return Table("verdicts", title, frame, columns, note)


def _answers(tests: list[dict[str, Any]]) -> str:
    """`holds +0.63 / +1.09`; two words where the metrics disagree."""
    words, before = [], None
    for test in tests:
        new = test["verdict"] not in (before, BLANK)
        alone = f" ({test['metric_title']})" * (len(tests) == 1)
        verdict = f"{test['verdict']} " * new
        words.append(f"{verdict}{signed(test['difference'])}{alone}")
        before = test["verdict"]
    return " / ".join(words)
