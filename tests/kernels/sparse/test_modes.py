"""Every sparse kernel on every kind of processor, without the compiler, and beside torch.

Without the compiler, a place outside an array raises or gives a register that is too short: so
these runs also show that nothing is read or written out of bounds.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from efficientdl.kernels.sparse import block_loops, block_matmul, pack_blocks
from efficientdl.kernels.sparse.blocks import multiply
from efficientdl.kernels.threads import threads
from tests.kernels import modes
from tests.kernels.machine_code import afresh
from tests.kernels.sparse.matrices import TOLERANCE, drawn, parts

CODE = """
import numpy as np
from efficientdl.kernels import sparse
from efficientdl.kernels.sparse.vector_forms import bitmap, permuted
from tests.kernels.sparse.matrices import drawn, parts
from tests.kernels.sparse.test_n_of_m import drawn as grouped
from tests.kernels.sparse.test_vectors import drawn as tall

def close(y, wanted):
    np.testing.assert_allclose(y, wanted, atol=1e-4)

for m, k, n in ((1, 1, 1), (3, 17, 8), (18, 70, 16), (17, 40, 65), (5, 300, 20)):
    a, x = drawn((m, k, n), 0.3, seed=m)
    close(sparse.block_matmul(sparse.pack_blocks(*parts(a), n=n), x), a @ x)
    for form in (bitmap, permuted, sparse.pack_matvec):
        close(sparse.matvec(form(*parts(a)), x[:, 0]), a @ x[:, 0])
    dense, made_of, x = tall((m, k, n), 0.3, seed=m)
    close(sparse.vector_matmul(sparse.pack_vectors(*made_of), x), dense @ x)
    for pattern in ((2, 4), (3, 8)):
        dense = grouped(m, 1 + k // 8, *pattern, seed=m)
        x = np.ones((dense.shape[1], n), np.float32)
        close(sparse.n_of_m_matmul(sparse.pack_n_of_m(dense, *pattern), x), dense @ x)
"""


@pytest.mark.slow
@modes.EACH
def test_other_machines(environment):
    modes.run(CODE, environment)


def test_several_callers_beside_torch():
    sparse, x = drawn((300, 200, 70), 0.2, seed=0)
    weight, other = pack_blocks(*parts(sparse)), torch.ones(200, 200)

    def work(_: int) -> np.ndarray:
        with threads(2):
            y = block_matmul(weight, x)
        assert float((other @ other)[0, 0]) == 200
        return y

    with ThreadPoolExecutor(4) as pool:
        for y in pool.map(work, range(16)):
            np.testing.assert_allclose(y, sparse @ x, atol=TOLERANCE)


def test_sums_stay_in_registers():
    fresh = afresh(block_loops.LOOPS[16])
    sparse, x = drawn((5, 20, 16), 0.5, seed=0)
    weight = pack_blocks(*parts(sparse))
    y = multiply(weight, x, {16: fresh}, 16)
    np.testing.assert_allclose(y, sparse @ x, atol=TOLERANCE)
    assert "<16 x float>" in "".join(fresh.inspect_llvm().values())
