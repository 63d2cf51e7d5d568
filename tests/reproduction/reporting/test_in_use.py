"""Tables of what was measured for new users and for newer data."""

import pytest

from hyperml_tf.reproduction import record
from hyperml_tf.reproduction.reporting import in_use
from hyperml_tf.reproduction.reporting.facts import Facts

COMMITTED = record.RECORD.parent


def test_a_row_is_written_in_per_cent_and_what_is_not_known_is_blank(tmp_path):
    (tmp_path / in_use.FOLD_IN).write_text(
        "dataset,model,way,most_epochs,users,valid_full_ndcg10,full_ndcg10,full_hr10\n"
        "games,hyperml,gyromidpoint,600,1941,0.0205,0.01379,0.0294\n"
        "games,hyperml,trained in,600,1941,,0.02008,0.0417\n"
    )
    assert in_use.fold_in(tmp_path).rows == [
        ["HyperML", "gyromidpoint", "2.05", "1.38", "2.94"],
        ["HyperML", "trained in", "–", "2.01", "4.17"],
    ]


def test_without_a_file_there_are_no_rows(tmp_path):
    assert not in_use.fold_in(tmp_path).rows and not in_use.start_from(tmp_path).rows


@pytest.mark.parametrize("table", [in_use.fold_in, in_use.start_from])
def test_the_committed_measurements_have_every_field(table):
    frame = table(COMMITTED).frame
    assert len(frame) and frame.drop(
        columns="valid_full_ndcg10", errors="ignore"
    ).notna().all(axis=None)


def test_the_way_that_models_take_is_the_best_on_the_item_before_the_last():
    frame = in_use.fold_in(COMMITTED).frame.dropna(subset="valid_full_ndcg10")
    for model in ("hyperml", "hyperbolic_mf", "cml"):
        mine = frame[frame["model"] == model].set_index("way")["valid_full_ndcg10"]
        assert mine.idxmax().endswith("at the users' norm")


def test_counts_are_said_once_where_they_agree():
    facts = Facts()
    assert facts.counted("fold_in", "users").replace(",", "").isdigit()
