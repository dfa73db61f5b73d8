"""Kinds that several techniques of this package share."""

from efficientdl.catalogue import Compressor

# Weights and the inputs of layers in codes.
BOTH_IN_CODES = Compressor(
    identity={"weight_bits": 16, "activation_bits": 16},
    stronger=({"weight_bits": 8, "activation_bits": 8}, {"weight_bits": 4}),
    tolerance=1e-3,
    reason="16 bits round each weight and activation to one part in 65,534 of its range",
)
