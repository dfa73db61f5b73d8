"""Entropy coding at the speed of memory: Huffman's codes in streams that are read side by side.

`kernels.huffman` makes the codes and writes them one after the other, as a file holds them. Here
the same codes stand in four streams a block, and several symbols are written or read at a step.
"""

from efficientdl.kernels.entropy.packed import pack_huffman, unpack_huffman
from efficientdl.kernels.entropy.streams import decode_streams, encode_streams

__all__ = ["decode_streams", "encode_streams", "pack_huffman", "unpack_huffman"]
