"""Wrong answers to lab 00: its check must refuse each."""

MUTANTS = {
    "start-stored-bytes": [
        "def stored_bytes(n_weights, bits):\n    return n_weights * bits // 8\n",
        "def stored_bytes(n_weights, bits):\n    return n_weights * -(-bits // 8)\n",
        "def stored_bytes(n_weights, bits):\n    return n_weights * bits\n",
        "def stored_bytes(n_weights, bits):\n    return n_weights * bits / 8\n",
    ],
}
