"""The search command on a tiny dataset: rungs, resumption, what it prints."""

import json

from hyperml_tf.experiments import searches


def test_search_halves_resumes_and_prints_what_to_commit(command, data_dir, tmp_path):
    flags = [
        *("--config=run_configs/own_table.py:cml", "--config.dataset=tiny"),
        *("--config.epochs=6", "--config.eval_every=2", "--config.dim=8"),
        *("--budget=3", f"--data_dir={data_dir}", f"--runs_dir={tmp_path}"),
        f"--record={tmp_path / 'searches.csv'}",
    ]
    first = command("hyperml_tf.search", *flags)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "rung 1 of 2: 3 configurations to epoch 2" in first.stdout
    assert "rung 2 of 2: 1 configurations to epoch 6" in first.stdout
    # What the user fixed was validated too: without it the settings are others.
    committed = first.stdout.split("to commit, in own_table.py:\n")[1]
    assert '    "dim": 8,\n' in committed and '    "epochs": 6,\n' in committed
    assert len(list(tmp_path.rglob("metrics.json"))) == 1  # only the winner ends
    lengths = sorted(
        len(path.read_text().splitlines()) - 1 for path in tmp_path.rglob("history.csv")
    )
    assert lengths == [2, 2, 6]

    recorded = searches.read(tmp_path / "searches.csv")
    assert recorded["place"].tolist() == [1, 2, 3]
    assert recorded["epochs"].tolist() == [6, 2, 2]
    best = json.loads(recorded["overrides"][0])
    assert best["dim"] == 8 and f"'dim': {best['dim']}" in first.stdout

    again = command("hyperml_tf.search", *flags)
    assert again.returncode == 0
    assert (
        again.stdout.split("validation nDCG")[1]
        == first.stdout.split("validation nDCG")[1]
    )
    assert "3 of 3 runs are finished already" in again.stdout
    assert searches.read(tmp_path / "searches.csv").equals(recorded)
