"""The report as a whole, on run folders written by hand."""

import html.parser
import re

import pandas as pd
import pytest

from hyperml_tf.errors import InputError
from hyperml_tf.reproduction.reporting import compose


@pytest.fixture
def report(tmp_path):
    def run(**options):
        folders = {
            "runs_dir": tmp_path / "runs", "data_dir": tmp_path / "data",
            "output": tmp_path / "report",
        }  # fmt: skip
        compose.report(**(folders | options))
        return tmp_path / "report"

    return run


class Links(html.parser.HTMLParser):
    """Collects the addresses that a page refers to, and checks that tags close."""

    VOID = ("meta", "img", "br")

    def __init__(self):
        super().__init__()
        self.found, self.ids, self.open = [], [], []

    def handle_starttag(self, tag, attrs):
        self.found += [value for name, value in attrs if name in ("src", "href")]
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_report_holds_tables_figures_and_a_page_of_its_own(
    make_run, write_stats, report
):
    for seed in (0, 1):
        make_run(seed=seed, ndcg=0.24 + seed / 50)
        make_run(model="cml", config_hash="bbbbbbbbbbbb", seed=seed)
    write_stats(
        "games", users=19412, items=11924, interactions=167597,
        interactions_table1=206421, density_table1=0.000892,
    )  # fmt: skip
    output = report()
    table = (output / "tables" / "results.md").read_text()
    assert "| Games | HyperML | 2 | 25.00 ± 1.41 | 23.164 | +1.84 |" in table
    # Fractions, a column each, for other programs.
    rows = pd.read_csv(output / "tables" / "results.csv")
    assert rows.query("model == 'HyperML'")["ndcg10"].tolist() == [0.25]
    table1 = (output / "tables" / "table1.md").read_text()
    assert "| Games | 19,412 | 11,924 | 167,597 | 206,421 | 0.09 | 19K |" in table1
    for ending in ("png", "svg"):
        assert (output / "figures" / f"convergence_games_hyperml.{ending}").exists()
    page = (output / "report.html").read_text()
    links = Links()
    links.feed(page)
    assert not links.open and len(set(links.ids)) == len(links.ids)
    outside = [x for x in links.found if not x.startswith(("#", "data:image/png"))]
    assert outside == [] and not re.search(r"url\(|@import|<script", page)
    assert {x[1:] for x in links.found if x[0] == "#"} <= set(links.ids)
    assert "prefers-color-scheme: dark" in page and "width=device-width" in page
    assert "Fewer than 5 seeds: CML on Games (2), HyperML on Games (2)." in page
    assert "abc123" in page and "tensorflow=2.20.0" in page


def test_torn_and_unfinished_runs_are_named(make_run, report, tmp_path):
    make_run(seed=0)
    (make_run(seed=1).folder / "metrics.json").write_text('{"best')
    (make_run(seed=2).folder / "metrics.json").unlink()
    page = (report() / "report.html").read_text()
    assert "Skipped, its files are not whole" in page and "seed-1" in page
    assert "Started and not finished: games/hyperml/aaaaaaaaaaaa/seed-2." in page


def test_a_run_without_history_is_tabled_without_a_figure(make_run, report):
    (make_run().folder / "history.csv").unlink()
    output = report()
    assert (output / "report.html").exists()
    assert not list(output.glob("figures/convergence*"))


def test_no_runs_give_one_clear_error(report):
    with pytest.raises(InputError, match=r"no finished runs in .*; train some"):
        report()


def test_documents_of_an_installed_package_are_refused(report, tmp_path):
    with pytest.raises(InputError, match="clone the repository"):
        report(output=None, docs=tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_record_alone_gives_the_same_tables(make_run, report, tmp_path):
    for seed in (0, 1):
        make_run(seed=seed, ndcg=0.24 + seed / 50)
    path = tmp_path / "results.csv"
    from_runs = (report(record_path=path) / "tables" / "results.md").read_text()
    output = report(
        runs_dir=tmp_path / "none", record_path=path, output=tmp_path / "second"
    )
    assert output != tmp_path / "second"
    assert (tmp_path / "second" / "tables" / "results.md").read_text() == from_runs


def test_a_table_of_ones_own_is_reported_without_the_paper(make_run, report):
    hits, misses = [1.0] * 30, [50.0] * 30
    make_run("shop", "mf_bpr", seed=0, ndcg=0.5, ranks=hits)
    make_run("shop", "popularity", "b" * 12, ndcg=0.1, ranks=misses)
    page = (report() / "report.html").read_text()
    assert "MF-BPR is the best model on shop by validation." in page
    assert "+100.00 points of HR@10 (+100.00 to +100.00)" in page
    for word in ("paper", "WSDM", "Table", "Fig.", "§"):
        assert word not in page


def test_the_record_takes_the_counts_of_prepared_datasets(
    make_run, write_stats, report, tmp_path
):
    make_run()
    counts = {
        "users": 3, "items": 4, "interactions": 9, "interactions_table1": 15,
        "density_table1": 0.5, "held_out_users": 3,
    }  # fmt: skip
    write_stats("games", **counts)
    write_stats("shop", **counts)  # one's own table is nobody else's business
    report(record_path=tmp_path / "results.csv", output=None)
    recorded = pd.read_csv(tmp_path / "datasets.csv")
    assert recorded.to_dict("records") == [{"dataset": "games", **counts}]
