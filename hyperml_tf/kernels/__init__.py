"""What may do the training steps in place of the reference that it must equal.

The reference is the TensorFlow path, `Recommender.train_step` with autodiff. The fused
op does the same batch steps in C++ on one CPU; its source is compiled on first use
where a compiler is present. Programs of XLA do them by the TensorFlow path's own
operations, many steps in a launch, for GPUs. What has neither takes the reference. The
bits of the three differ (order of float32 sums, and the fused op's dropout masks), the
distribution of results does not.
"""

#: What --kernel takes. auto: fused where model, optimizer and machine have it. xla is
#: only for who asks for it: nobody has run it on a GPU yet.
CHOICES = ("auto", "tensorflow", "fused", "xla")
