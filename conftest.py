"""Set-up of every test run: one thread, and shapes checked where CHECK_SHAPES=1 asks for it."""

import os
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")
sys.modules.setdefault("rfc3987_syntax", None)  # see efficientdl/__init__.py

if os.environ.get("CHECK_SHAPES"):  # before efficientdl is first imported
    from jaxtyping import install_import_hook

    # Not `kernels`: the hook would stand between Numba and the functions that it compiles.
    HOOKED = ["tensors", "protocols", "costs", "models", "datasets", "fit", "compression"]
    install_import_hook([f"efficientdl.{name}" for name in HOOKED], "tests.shapes.check")
