import csv
import io

import pandas as pd
from matplotlib import pyplot as plt

from hyperml_tf.reproduction import record
from hyperml_tf.reproduction.reporting import (
    claims,
    documents,
    groups,
    result_tables,
    sweeps,
    tables,
)
from hyperml_tf.reproduction.reporting.tables import BLANK, Table
from tests.reproduction.reporting.test_groups import rows

PAPER = {
    ("games", "hyperml"): {"hr10": 0.35995, "ndcg10": 0.23164},
    ("games", "mf_bpr"): {"ndcg10": 0.22156, "hr10": 0.34877},
}


def results(table):
    return groups.results(table, lambda *_: None, lambda *key: PAPER.get(key, {}))


def by_head(table, row):
    return dict(zip(table.header, table.rows[row], strict=True))


def test_the_summary_by_hand():
    table = rows(("hyperml", "a", 0, 0.24), ("hyperml", "a", 1, 0.26))
    summary = result_tables.summary(results(table))
    mf_bpr, hyperml = summary.rows
    # (0.24 + 0.26) / 2 = 0.25; std = sqrt(2 · 0.01²) = 0.01414; 25 - 23.164 = 1.836.
    assert hyperml[:6] == ["Games", "HyperML", "2", "25.00 ± 1.41", "23.164", "+1.84"]
    # In the paper, not run: said with a blank beside the paper's number.
    assert mf_bpr[:6] == ["Games", "MF-BPR", "0", BLANK, "22.156", BLANK]


def test_columns_are_left_out_by_their_heads():
    table = Table("name", "Title", ["a", "b", "c", "b"], [["1", "2", "3", "4"]])
    short = tables.without(table, ("b",))
    assert (short.header, short.rows) == (["a", "c"], [["1", "3"]])
    assert table.rows == [["1", "2", "3", "4"]]


def test_table_2_improves_over_the_best_baseline_by_hand():
    table = rows(
        ("hyperml", "a", 0, 0.25), ("cml", "b", 0, 0.20), ("mf_bpr", "c", 0, 0.24)
    )
    built = result_tables.table2(results(table), pd.DataFrame())
    row = by_head(built, 0)
    assert row["Improvement"] == "+4.17 %"  # 25 / 24 = 1.041667
    assert row["over"] == "MF-BPR"
    assert by_head(built, 1)["Improvement"] == "+4.55 %"  # as the paper prints it


def test_the_notes_say_which_cml_was_tried():
    def note(*models):
        table = rows(*((m, m, 0, 0.2, {"valid": v}) for m, v in models))
        return result_tables.table2(results(table), pd.DataFrame()).note

    assert "CML (WARP) was not run" in note(("cml", 0.2))
    assert "tried on Games, better on none" in note(("cml", 0.2), ("cml_warp", 0.1))
    assert "tried on Games, better on Games" in note(("cml", 0.2), ("cml_warp", 0.3))


def test_another_order_of_the_split_stands_in_its_own_table_alone():
    table = rows(
        ("hyperml", "a", 0, 0.20), ("hyperml", "b", 0, 0.30), ("hyperml", "b", 1, 0.32)
    )
    table["hr10"] = [0.4, 0.5, 0.5]
    table.loc[1:, "dataset"] = "games-shuffled"
    found = results(table)
    built = result_tables.split_order(found)
    assert built.rows == [
        ["Games", "HyperML", "time", "1", "20.00", "40.00", "0.50"],
        ["", "", "shuffled", "2", "31.00 ± 1.41", "50.00 ± 0.00", "0.62"],
        ["", "", "paper", "", "23.164", "35.995", "0.64"],
    ]
    assert found.datasets == ["games"]
    variant = table.assign(variant="c=2")
    assert not claims.variants(results(variant), pd.DataFrame()).rows
    # One's own dataset keeps its dash, and its name.
    for own in ("my-shop", "my-shop-shuffled", "shuffled"):
        table["dataset"] = own
        assert results(table).datasets == [own]


def test_table_4_sets_each_c_against_cml_and_the_paper_by_hand():
    table = rows(
        ("hyperml", "a", 0, 0.30),
        ("hyperml", "b", 0, 0.33, {"config": {"c": 2.0}, "variant": "c=2"}),
        ("cml", "c", 0, 0.24),
    )
    table["hr10"] = [0.4, 0.5, 0.25]
    found = results(table)
    built = result_tables.sweep_table(found, sweeps.of_field(found, "c"), "c")
    # .33/.24 = 1.375; .5/.25 = 2; the paper's Games column is HR@10.
    assert list(built.rows[1]) == [
        "Games", "2", "1", "33.00", "+37.50 %", "50.00", "+100.00 %",
        "38.578 (HR@10)", BLANK,
    ]  # fmt: skip
    assert sweeps.of_field(found, "distortion_weight") == {}


def test_the_sweep_figure_shows_what_the_table_holds():
    table = rows(
        ("hyperml", "a", 0, 0.30), ("hyperml", "a", 1, 0.32),
        ("hyperml", "b", 0, 0.33, {"config": {"c": 2.0}}), ("cml", "c", 0, 0.24),
    )  # fmt: skip
    found = results(table)
    values = sweeps.of_field(found, "c")["games"]
    drawing = sweeps.draw(values, found.of("games", "cml"), "c", "HyperML on Games")
    ndcg, hr = drawing.axes
    line = ndcg.containers[0].lines[0]
    assert line.get_xydata().tolist() == [[1.0, 31.0], [2.0, 33.0]]
    legend = [text.get_text() for text in hr.get_legend().get_texts()]
    assert sorted(legend) == ["CML", "HyperML", "HyperML, paper (Table 4)"]
    plt.close(drawing)


def test_markdown_csv_and_html_hold_the_same_cells_escaped():
    table = Table("t", "T & t", ["a|b", "n"], [["x <i>", BLANK]], "note", 1)
    assert tables.markdown(table) == (
        "| a\\|b | n |\n| --- | --: |\n| x <i> | – |\n\nnote"
    )
    assert list(csv.reader(io.StringIO(tables.comma_separated(table)))) == [
        ["a|b", "n"],
        ["x <i>", ""],
    ]
    html = tables.markup(table)
    assert "T &amp; t" in html and "<td>x &lt;i&gt;</td>" in html


def test_the_readmes_tables_replace_what_stood_there():
    names = "verdicts", "results"
    marks = [f"<!-- {name}:{word} -->" for name in names for word in ("begin", "end")]
    text = "above\n{}\nold\n{}\nbetween\n{}\nold\n{}\nbelow\n".format(*marks)
    made = {name: Table(name, name, ["a"], [[name]]) for name in names}
    new = documents.readme(text, made, ["Yelp: not run."])
    told = [line for line in new.splitlines() if line and not line.startswith("<!--")]
    head = ["| a |", "| --- |"]
    assert told == [
        *("above", *head, "| verdicts |", "between", *head, "| results |"),
        *("Not run, and why:", "- Yelp: not run.", "below"),
    ]
    assert documents.readme(new, made, ["Yelp: not run."]) == new


def test_columns_of_the_record_match_the_rows_made_here():
    assert list(rows().columns) == list(record.COLUMNS)
