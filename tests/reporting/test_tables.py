import csv
import io

from hyperml_tf.reporting import documents, groups, record, result_tables, tables
from hyperml_tf.reporting.tables import BLANK, Table
from tests.reporting.test_groups import rows

TITLES = {m: m for m in result_tables.MODELS}
PAPER = {
    ("games", "hyperml"): {"ndcg10": 0.23164, "hr10": 0.35995},
    ("games", "mf_bpr"): {"ndcg10": 0.22156, "hr10": 0.34877},
}


def results(table):
    return groups.results(table, lambda *_: None, lambda *key: PAPER.get(key, {}))


def by_head(table, row):
    return dict(zip(table.header, table.rows[row], strict=True))


def test_the_summary_by_hand():
    table = rows(("hyperml", "a", 0, 0.24), ("hyperml", "a", 1, 0.26))
    summary = result_tables.summary(results(table), TITLES)
    mf_bpr, hyperml = summary.rows
    # (0.24 + 0.26) / 2 = 0.25; std = sqrt(2 · 0.01²) = 0.01414; 25 - 23.164 = 1.836.
    assert hyperml[:6] == ["Games", "hyperml", "2", "25.00 ± 1.41", "23.164", "+1.84"]
    # In the paper, not run: said with a blank beside the paper's number.
    assert mf_bpr[:6] == ["Games", "mf_bpr", "0", BLANK, "22.156", BLANK]


def test_table_2_improves_over_the_best_baseline_by_hand():
    table = rows(
        ("hyperml", "a", 0, 0.25), ("cml", "b", 0, 0.20), ("mf_bpr", "c", 0, 0.24)
    )
    built = result_tables.table2(results(table), TITLES, {})
    row = by_head(built, 0)
    assert row["Improvement"] == "+4.17 %"  # 25 / 24 = 1.041667
    assert row["over"] == "mf_bpr"
    assert by_head(built, 1)["Improvement"] == "+4.55 %"  # as the paper prints it


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


def test_the_readme_block_replaces_what_stood_there():
    text = f"above\n{documents.BEGIN}\nold\n{documents.END}\nbelow\n"
    table = Table("t", "t", ["a"], [["1"]])
    block = documents.readme_block(table, ["Yelp: not run."])
    new = documents.with_block(text, block, "README.md")
    assert new.startswith("above\n") and new.endswith("\nbelow\n")
    assert "| 1 |" in new and "- Yelp: not run." in new and "old" not in new
    assert documents.with_block(new, block, "README.md") == new


def test_columns_of_the_record_match_the_rows_made_here():
    assert list(rows().columns) == list(record.COLUMNS)
