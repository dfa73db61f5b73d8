"""Recipes: a list of compressors that run one after the other, and the file that comes out.

Deep Compression is `compress(model, x, steps=[prune, share_weights, huffman])`, each step with its
options in a `functools.partial`; `deep_compression` is the same in one call. `save` writes what
came out and `load` reads it again; `file_bytes` is the size of the file before there is one. Its
form, byte by byte, stands at the top of `efficientdl.automl.recipes.file_format`.
"""

from efficientdl.automl.recipes.deep_compression import compress, deep_compression
from efficientdl.automl.recipes.file_format import file_bytes, save
from efficientdl.automl.recipes.file_reading import load

__all__ = ["compress", "deep_compression", "file_bytes", "load", "save"]
