"""TensorFlow Serving's REST API over an export, without a container.

json_tensors  a request's JSON as tensors, an answer's tensors as JSON
versions      the versions of a model: found, loaded, warm, replaced while it serves
batching      requests that arrive together become one call of the model
web           paths, status codes and limits: the application that uvicorn runs
"""
