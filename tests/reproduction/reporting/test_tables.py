import csv
import io

import pandas as pd
from matplotlib import pyplot as plt

from hyperml_tf.reproduction import record
from hyperml_tf.reproduction.reporting import (
    formats,
    groups,
    page,
    pictures,
    result_frames,
    tables,
)
from hyperml_tf.reproduction.reporting.formats import BLANK, Table
from tests.reproduction.reporting.test_groups import rows

PAPER = {
    ("games", "hyperml"): {"hr10": 0.35995, "ndcg10": 0.23164},
    ("games", "mf_bpr"): {"ndcg10": 0.22156, "hr10": 0.34877},
}


def results(table):
    return groups.results(table, lambda *_: None, lambda *key: PAPER.get(key, {}))


def shown(found, name):
    none = pd.DataFrame(columns=["question"])
    return {table.name: table for table in tables.of_results(found, none)}[name]


def by_head(table, row):
    return dict(zip(table.header, table.rows[row], strict=True))


def test_the_summary_by_hand():
    table = rows(("hyperml", "a", 0, 0.24), ("hyperml", "a", 1, 0.26))
    summary = shown(results(table), "results")
    mf_bpr, hyperml = summary.rows
    # (0.24 + 0.26) / 2 = 0.25; std = sqrt(2 · 0.01²) = 0.01414; 25 - 23.164 = 1.836.
    assert hyperml[:6] == ["Games", "HyperML", "2", "25.00 ± 1.41", "23.164", "+1.84"]
    # In the paper, not run: said with a blank beside the paper's number.
    assert mf_bpr[:6] == ["Games", "MF-BPR", "0", BLANK, "22.156", BLANK]


def test_columns_are_left_out_by_their_heads():
    pairs = zip("abcb", "wxyz", strict=True)
    columns = [formats.column(head, f"text {field}") for head, field in pairs]
    frame = pd.DataFrame([["1", "2", "3", "4"]], columns=list("wxyz"))
    table = Table("name", "Title", frame, columns)
    short = table.without("b")
    assert (short.header, short.rows) == (["a", "c"], [["1", "3"]])
    assert table.rows == [["1", "2", "3", "4"]]


def test_table_2_improves_over_the_best_baseline_by_hand():
    table = rows(
        ("hyperml", "a", 0, 0.25), ("cml", "b", 0, 0.20), ("mf_bpr", "c", 0, 0.24)
    )
    built = shown(results(table), "table2")
    row = by_head(built, 0)
    assert row["Improvement"] == "+4.17 %"  # 25 / 24 = 1.041667
    assert row["over"] == "MF-BPR"
    assert by_head(built, 1)["Improvement"] == "+4.55 %"  # as the paper prints it


def test_the_notes_say_which_cml_was_tried():
    def note(*models):
        table = rows(*((m, m, 0, 0.2, {"valid": v}) for m, v in models))
        return shown(results(table), "table2").note

    assert "CML (WARP) was not run" in note(("cml", 0.2))
    assert "trained on Games and is shown on none" in note(
        ("cml", 0.2), ("cml_warp", 0.1)
    )
    assert "trained on Games and is shown on Games" in note(
        ("cml", 0.2), ("cml_warp", 0.3)
    )


def test_another_order_of_the_split_stands_in_its_own_table_alone():
    table = rows(
        ("hyperml", "a", 0, 0.20), ("hyperml", "b", 0, 0.30), ("hyperml", "b", 1, 0.32)
    )
    table["hr10"] = [0.4, 0.5, 0.5]
    table.loc[1:, "dataset"] = "games-shuffled"
    found = results(table)
    built = shown(found, "split_order")
    assert built.rows == [
        ["Games", "HyperML", "time", "1", "20.00", "40.00", "0.50"],
        ["Games", "HyperML", "shuffled", "2", "31.00 ± 1.41", "50.00 ± 0.00", "0.62"],
        ["Games", "HyperML", "paper", BLANK, "23.164", "35.995", "0.64"],
    ]
    assert found.datasets == ["games"]
    variant = table.assign(variant="c=2")
    assert not shown(results(variant), "variants").rows
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
    built = shown(found, "table4")
    # .33/.24 = 1.375; .5/.25 = 2; the paper's Games column is HR@10.
    assert list(built.rows[1]) == [
        "Games", "2", "1", "33.00", "+37.50 %", "50.00", "+100.00 %",
        "38.578 (HR@10)", BLANK,
    ]  # fmt: skip
    assert result_frames.swept(found, "distortion_weight") == {}


def test_the_sweep_figure_shows_what_the_table_holds():
    table = rows(
        ("hyperml", "a", 0, 0.30), ("hyperml", "a", 1, 0.32),
        ("hyperml", "b", 0, 0.33, {"config": {"c": 2.0}}), ("cml", "c", 0, 0.24),
        ("hyperml", "d", 0, 0.34, {"config": {"c": 4.0}}),
    )  # fmt: skip
    found = results(table)
    shown = pictures.Shown(found, pd.DataFrame(), [], pd.DataFrame())
    drawing = pictures.swept(shown, pictures.THEMES["light"])
    ndcg, hr = drawing.axes
    lines = {container.get_label(): container.lines[0] for container in ndcg.containers}
    assert lines["HyperML"].get_xydata().tolist() == [[1, 31], [2, 33], [4, 34]]
    assert lines["CML"].get_ydata().tolist() == [24.0] * 3
    # The paper's Games column of Table 4 is HR@10.
    assert {c.get_label() for c in hr.containers} - set(lines) == {"the paper, Table 4"}
    plt.close(drawing)


def test_markdown_csv_and_html_hold_the_same_cells_escaped():
    frame = pd.DataFrame({"a": ["x <i>|"], "n": [None]}).astype(object)
    columns = [formats.column("a|b", "text a"), formats.column("n", "count n")]
    table = Table("t", "T & t", frame, columns, "note")
    assert table.markdown == "| a\\|b | n |\n| --- | --: |\n| x <i>\\| | – |"
    assert list(csv.reader(io.StringIO(table.csv))) == [["a", "n"], ["x <i>|", ""]]
    html = page.page("", [], [page.Section("key", "Title", tables=[table])])
    assert 'aria-label="T &amp; t"' in html
    assert "<td>x &lt;i&gt;|</td><td class=n>–</td>" in html


def test_numbers_are_written_as_a_reader_expects():
    assert formats.percent(0.25314) == "25.31" and formats.percent(None) == BLANK
    assert formats.signed(-0.0214) == "−2.14"
    assert formats.interval(-0.001, 0.002) == "−0.10 to +0.20"
    assert formats.spread(0.25, float("nan")) == "25.00"
    assert formats.probability(0.0004) == "< 0.001"
    assert formats.listed(["a", "b", "c"]) == "a, b and c"
    assert formats.listed([]) == "none"
    assert [formats.plain(v) for v in (12345, 0.5, True)] == ["12,345", "0.5", "True"]


def test_columns_of_the_record_match_the_rows_made_here():
    assert list(rows().columns) == list(record.COLUMNS)
