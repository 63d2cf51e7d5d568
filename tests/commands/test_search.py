"""The search command on a tiny dataset: rungs, resumption, what it prints."""

import json

from hyperml_tf.reproduction import searches


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
    words = first.stdout.splitlines()[-1].split()
    assert words[:4] == ["python", "-m", "hyperml_tf.train", flags[0]]
    assert {"--config.dim=8", "--config.epochs=6", "--config.dataset=tiny"} < set(words)
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


def test_a_config_file_of_ones_own_is_what_is_searched(command, data_dir, tmp_path):
    mine = tmp_path / "mine.py"
    mine.write_text(
        "from hyperml_tf.training import configuration as config\n"
        "def get_config(model):\n"
        "    return config.for_model(model, 'tiny', None,\n"
        "        {'epochs': 4, 'eval_every': 2, 'dim': 8})\n"
    )
    done = command(
        "hyperml_tf.search",
        *(f"--config={mine}:cml", "--budget=2", "--space=margin:0.3,0.4"),
        *("--config.batch_size=64", "--config.optimizer=adam"),
        *("--config.learning_rate=0.01", "--config.dropout=0.0", "--config.dim=8"),
        *(f"--data_dir={data_dir}", f"--runs_dir={tmp_path / 'runs'}"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "--config.epochs=4" in done.stdout.splitlines()[-1].split()
    lengths = [len(p.read_text().split()) - 1 for p in tmp_path.rglob("history.csv")]
    assert lengths == [4, 4]
