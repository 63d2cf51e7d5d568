"""What --help says of the config that a command is given."""

import pytest

from hyperml_tf.models import DEFINITIONS


@pytest.mark.parametrize("module", ["train", "search"])
def test_help_lists_the_fields_of_the_chosen_config(module, command):
    config = "--config=run_configs/own_table.py:lrml"
    done = command(f"hyperml_tf.{module}", "--help", config, "--config.margin=0.2")
    assert done.returncode == 0, done.stderr
    for option in DEFINITIONS["lrml"].options:
        assert f"--config.{option.name}=" in done.stdout
        assert option.help in done.stdout and option.values in done.stdout
    assert "--config.margin=0.2 " in done.stdout
    assert "--config.memory_size=20 " in done.stdout
    assert "--config.c=" not in done.stdout
