"""The training step as one fused TensorFlow op, beside the reference it must equal.

The reference is the TensorFlow path, `Recommender.train_step` with autodiff; the op
does the same batch steps in C++ on one CPU core. Its source is compiled on first use
where a compiler is present; GPUs, other optimizers and machines without a compiler
take the reference. The bits of the two differ (order of float32 sums, dropout masks),
the distribution of results does not.
"""

#: What --kernel takes. auto: fused where model, optimizer and machine have it.
CHOICES = ("auto", "tensorflow", "fused")
