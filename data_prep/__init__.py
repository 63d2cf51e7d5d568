"""Publishers' archives → one prepared folder per dataset (see `prepare`).

Never imports `hyperml_tf` or TensorFlow: the two packages meet only in the
prepared folder on disk, whose format is set out in `folder`.
"""
