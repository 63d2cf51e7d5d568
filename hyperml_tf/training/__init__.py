"""One run: build, fit, select on validation, score the test items once."""

#: What --strategy of `hyperml_tf.train` takes, see `training.strategy`.
STRATEGIES = ("none", "mirrored", "multi_worker", "parameter_server")
