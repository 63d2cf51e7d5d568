"""HyperML on a table of clicks: python examples/ten_lines.py clicks.csv

The table has the columns user, item and timestamp.
"""

import sys

import pandas as pd

import hyperml_tf as hml

clicks = pd.read_csv(sys.argv[1])

data = hml.Interactions.from_dataframe(clicks, time="timestamp")
model = hml.HyperML(data.num_users, data.num_items)
model.compile(hml.PoincareOptimizer(hml.LazyAdam(1e-3)))
model.fit(data.triplets(batch_size=512), epochs=20)
print(hml.evaluate(model, data)["ndcg10"])
hml.export(model, data, "export/mine")
print(hml.recommend("export/mine", data.user_ids[:2], k=10))
