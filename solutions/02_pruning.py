# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Lab 02: pruning
#
# About three hours of your time. All cells together run in under two minutes on two cores, in 1.2 GB.
#
# When you have done it, you can
#
# - prune a network to an exact sparsity, and say what that did to bytes, MACs and time;
# - tell which layers, shapes and criteria a network bears, and measure it;
# - cut channels out of a network together with all that depends on them;
# - retrain, splice and shrink weights so that more of them can go;
# - say what a lottery ticket is, and when there is none;
# - hand in the smallest network that still sees.

# %% tags=["parameters"]
SEED = 0
FAST = False

# %% [markdown]
# `pruning` holds the techniques, `panels` the things to play with. Everything can be read: try `pruning.prune??` in a cell of
# your own.

# %%
from functools import partial

import numpy as np
import torch

from efficientdl import costs, datasets, fit, models
from efficientdl.compression import pruning
from efficientdl.course import check, compare, course_progress, hint, predict, quiz, submit
from efficientdl.course.masks import packed
from efficientdl.course.panels import lab_02 as panels

# %% [markdown]
# ## 1. The small weights
#
# A trained network has many weights near zero. The survey's oldest idea: they do little, so set them to zero and leave them
# there. The network of this lab tells ten kinds of clothes apart.

# %%
fashion = datasets.load("fashion_mnist")
network, x = models.trained("small_cnn_fashion"), models.example("small_cnn")
print(f"{fit.evaluate(network, fashion.val):.2f} of the validation part are right")

# %%
predict(
    "prune-predict-half",
    "Set the smaller half of the weights of every layer to zero and train nothing. "
    "How many pictures of a hundred does it still get right?",
    ["about 10", "about 50", "about 80", "about 90"],
)

# %% [markdown]
# Draw the line yourself. All weights between the two lines become zero, in one layer; the others stay dense.

# %%
panels.histogram()

# %% [markdown] lead="prune-mask"
# A threshold seldom hits a sparsity exactly. Rank instead. Of all weights of a layer, `round(sparsity * size)` go, those of
# smallest magnitude. Where two are equal, the one that stands earlier goes first.


# %% exercise="prune-mask"
def magnitude_mask(weight: np.ndarray, sparsity: float) -> np.ndarray:
    """True for each weight that stays, in the weight's shape.

    sparsity  share of zeros, in [0, 1)
    """
    ### BEGIN SOLUTION
    order = np.argsort(np.abs(weight), axis=None, kind="stable")
    mask = np.ones(weight.size, dtype=bool)
    mask[order[: round(sparsity * weight.size)]] = False
    return mask.reshape(weight.shape)
    ### END SOLUTION


# %%
check("prune-mask")

# %% [markdown]
# Stuck? `hint("prune-mask")` in a cell of your own gives a nudge; call it again and it gives more.
#
# `prune` does this to every layer. It takes four choices apart: a **criterion** (what a weight is worth), a **granularity**
# (what goes together), a **scope** (ranked within each layer, or over all of them) and, later, a **schedule**. Here is the
# plainest choice of each.

# %%
half, report = pruning.prune(
    network, x, sparsity=0.5, criterion=pruning.magnitude, scope=pruning.per_layer
)
print(f"{fit.evaluate(half, fashion.val):.2f} right with half of the weights")

# %% [markdown]
# What became of the costs? `count` charges every sparse layer for the bits that say where its weights stand.

# %%
times = report.ratio(costs.count(network, x))
print(f"MACs: {times['macs']:.2f} times fewer. Stored bits: {times['weight_bits']:.2f} times.")

# %%
compare(
    "prune-predict-half",
    "about 80",
    "Without any training, half of the weights hold most of what it knows. Training brings the rest back.",
)

# %% [markdown]
# Half of the weights are gone, the MACs are all there, and the bytes have not halved. A zero that a dense kernel multiplies
# takes as long as any number; and one has to store *where* the others stand.

# %% [markdown] lead="prune-index-bits"
# Deep Compression stores each kept value with its distance from the one before, in `index_bits` bits: they reach
# `2**index_bits` places. The first distance counts from place -1. Where the next value is farther away, a zero is stored on
# the way, as often as needed; it costs a value and an index like any other. How many bits are stored in all?


# %% exercise="prune-index-bits"
def stored_bits(mask: np.ndarray, value_bits: int, index_bits: int) -> int:
    """Bits of a flat array, zeros left out, in relative index form.

    mask  True for each value that is kept
    """
    ### BEGIN SOLUTION
    distances = np.diff(np.flatnonzero(mask), prepend=-1)
    fillers = ((distances - 1) // 2**index_bits).sum()
    return int(len(distances) + fillers) * (value_bits + index_bits)
    ### END SOLUTION


# %%
check("prune-index-bits")

# %% [markdown]
# The library tries this form with every width, a bitmap, compressed rows and the dense array, and counts the smallest. At
# which sparsity does it pay to leave zeros out?

# %%
for sparsity in (0.02, 0.5, 0.9):
    report = pruning.prune(network, x, sparsity=sparsity).report
    print(f"{sparsity:.0%} zeros: {report.total.weight_bits / 8192:.0f} KiB")

# %% [markdown]
# ## 2. Which layers bear it?
#
# Layers differ. The scan prunes one layer at a time and leaves the others whole.

# %%
panels.sensitivity()

# %%
quiz(
    "prune-quiz-layer",
    "conv1 has 144 of the 57,296 weights in the table above, and loses most when it is pruned. What to do?",
    {
        "prune it less": "It weighs nothing, so leaving it whole costs nothing.",
        "prune it like the others": "It breaks first and takes the rest with it.",
        "prune it more": "There are 144 weights to win, and accuracy to lose.",
    },
    answer="prune it less",
)

# %% [markdown]
# So choose a sparsity for each layer, by hand, against a budget of weights. Which is the better place to save: a layer that
# bears much, or one that weighs much?

# %%
panels.by_hand()

# %% [markdown]
# By hand you make a policy, `{layer: sparsity}`. A **global** ranking makes one by itself: it compares weights over all layers
# and takes the smallest.

# %%
together = pruning.prune(network, x, sparsity=0.5, scope=pruning.globally)
masks = pruning.masks_of(together.model)
print({name: f"{1 - mask.float().mean():.0%}" for name, mask in masks.items()})
print(f"{fit.evaluate(together.model, fashion.val):.2f} right")

# %% [markdown]
# ## 3. Shapes of zeros
#
# Single zeros anywhere are best for accuracy and worst for hardware. Zeros in rows, in kernels or in filters are easier to
# skip. Choose a shape and look at the mask.

# %%
panels.masks()

# %% [markdown] lead="prune-n-of-m"
# Between the two stands N:M: of every `m` neighbours in a row, the `n` of largest magnitude stay. Each run keeps equally
# many, so they pack into a dense matrix, and hardware knows beforehand how many there will be. 2:4 runs on today's GPUs.


# %% exercise="prune-n-of-m"
def n_of_m_mask(weight: np.ndarray, n: int, m: int) -> np.ndarray:
    """True for each weight that stays.

    weight  a matrix whose rows are whole runs of m
    """
    ### BEGIN SOLUTION
    order = np.argsort(np.abs(weight).reshape(-1, m), axis=1)
    mask = np.zeros(order.shape, dtype=bool)
    np.put_along_axis(mask, order[:, -n:], True, axis=1)
    return mask.reshape(weight.shape)
    ### END SOLUTION


# %%
check("prune-n-of-m")

# %% [markdown]
# Half of three convolutions in five shapes; patterns keep four of nine, every kernel in one of six ways. Each costs accuracy,
# and each costs other bytes for its places.

# %%
from efficientdl.tensors import PerKernel, PerVector

layers = ("conv2.conv", "conv3.conv", "conv4.conv")
half = partial(pruning.prune, network, x, sparsity=dict.fromkeys(layers, 0.5))
shapes = {
    "single weights": half(),
    "rows": half(granularity=PerVector(), criterion=pruning.l2_norm),
    "kernels": half(granularity=PerKernel(), criterion=pruning.l2_norm),
    "2:4": pruning.prune_n_of_m(network, x, n=dict.fromkeys(layers, 2), m=4),
    "patterns": pruning.prune_patterns(network, x, n_kept=4, n_patterns=6),
}
for name, (model, report) in shapes.items():
    kib = report.total.weight_bits / 8192
    print(f"{name:15} {fit.evaluate(model, fashion.val):.2f} right, {kib:.0f} KiB")

# %% [markdown]
# The whole curve, without retraining: the coarser the zeros, the sooner it falls.

# %%
panels.curve()

# %% [markdown]
# ## 4. What a weight is worth
#
# A small weight before a large input may matter more than a large one before nothing. **Brain damage** asks how the loss
# curves: removing $w_k$ costs $h_{kk} w_k^2 / 2$. **Taylor** uses the gradient, $|g w|$. **Sensitivity** asks how an output's
# answer varies from example to example. **Brain surgeon** lets the other weights move.

# %% [markdown] lead="prune-obs"
# Near a minimum the loss is a quadratic with Hessian $H$. If weight $q$ goes and the others make up for it in the best way, the
# loss rises by $w_q^2 / (2 [H^{-1}]_{qq})$, and all weights move by $-\frac{w_q}{[H^{-1}]_{qq}} H^{-1} e_q$. Remove the weight
# that costs least.


# %% exercise="prune-obs"
def remove_one(weight: np.ndarray, inverse_hessian: np.ndarray) -> tuple[np.ndarray, float]:
    """The weights after the cheapest is removed, and how much the loss rises."""
    ### BEGIN SOLUTION
    diagonal = np.diag(inverse_hessian)
    rises = weight**2 / (2 * diagonal)
    q = int(np.argmin(rises))
    new = weight - weight[q] / diagonal[q] * inverse_hessian[:, q]
    new[q] = 0.0
    return new, float(rises[q])
    ### END SOLUTION


# %%
check("prune-obs")

# %% [markdown]
# All six criteria on one layer, at nine zeros of ten, with 128 training pictures for those that ask.

# %%
from efficientdl.compression.pruning import criteria

some = fashion.train.x[:128], fashion.train.y[:128]
prune_conv4 = partial(pruning.prune, network, x, sparsity={"conv4.conv": 0.9}, data=some)
every = (
    *(criteria.magnitude, criteria.l2_norm, criteria.taylor),
    *(criteria.obd, criteria.obs, criteria.sensitivity),
)
for criterion in every:
    model = prune_conv4(criterion=criterion).model
    print(f"{criterion.__name__:12} {fit.evaluate(model, fashion.val):.2f} right")

# %% [markdown]
# Magnitude is hard to beat: 128 pictures tell little about a curvature. But scores alone move nothing. The brain surgeon operates: after each removal the others in the row make up for it.

# %%
operated, report = pruning.optimal_brain_surgeon(
    network, x, sparsity={"conv4.conv": 0.9}, inputs=some[0], block=32
)
print(f"{fit.evaluate(operated, fashion.val):.2f} right after the operation")

# %% [markdown]
# And over a range of sparsities, of three layers at once:

# %%
panels.criteria()

# %%
quiz(
    "prune-quiz-surgeon",
    "Why does the same score, OBS, do better when the surgeon uses it?",
    {
        "it has another score": "It is the same one, taken anew after each removal.",
        "it moves the weights that stay": "They take over the work, in closed form, without labels.",
        "it prunes fewer weights": "Both leave one tenth.",
    },
    answer="it moves the weights that stay",
)

# %% [markdown]
# ## 5. Channels, really removed
#
# A mask leaves every tensor its shape. To be faster on any machine, cut: the filter goes, and with it its batch norm and the
# slice of every layer that reads it. What must go together is a **group**. Look at it before you cut.

# %%
groups = pruning.channel_groups(network, x)
print(*groups, sep="\n")

# %%
panels.groups(network, x)

# %% [markdown] lead="prune-cut"
# Cut the channels between two convolutions. `norm` has four rows, one for each of batch norm's weight, bias, mean and
# variance. Keep the `n_kept` channels whose filters have the largest L2 norm, in the order in which they stood.


# %% exercise="prune-cut"
def cut_channels(
    first: np.ndarray, norm: np.ndarray, second: np.ndarray, n_kept: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The smaller first filters, norm and second filters.

    first   c_mid c_in r s
    norm    4 c_mid
    second  c_out c_mid r s
    """
    ### BEGIN SOLUTION
    size = np.sqrt((first**2).sum(axis=(1, 2, 3)))
    kept = np.sort(np.argsort(size)[-n_kept:])
    return first[kept], norm[:, kept], second[:, kept]
    ### END SOLUTION


# %%
check("prune-cut")

# %% [markdown]
# Three ways to take a quarter of all channels. By **norm**. **Data-free**: each goes into the one most like it. **LASSO**: keep
# those from which the next layer can rebuild its output, then solve for its weights by least squares.

# %%
by_norm = pruning.prune_channels(network, x, sparsity=0.25)
merged = pruning.merge_neurons(network, x, sparsity=0.25)
chosen = pruning.select_channels(network, fashion.train.x[:100], sparsity=0.25)
for name, result in {"norm": by_norm, "merged": merged, "LASSO": chosen}.items():
    macs = costs.count(result.model, x).total.macs
    print(f"{name:7} {fit.evaluate(result.model, fashion.val):.2f} right, {macs:,} MACs")

# %% [markdown]
# Now the clock. The same network dense; with nine zeros of ten, on a dense kernel; the same zeros on a sparse kernel; and with
# half of its channels; 32 pictures at a time. Which is smallest, and which is fastest?

# %% tags=["nbval-ignore-output"]
from efficientdl.systems.compiler import accelerate

sparse = pruning.prune(network, x, sparsity=0.9).model
candidates = {
    "dense": network,
    "masked": sparse,
    "sparse kernel": accelerate(sparse),
    "half the channels": pruning.prune_channels(network, x, sparsity=0.5).model,
}
panels.speed(candidates, fashion.val.x[:32], repeats=5 if FAST else 30)

# %% [markdown]
# Bytes and time are different coins again. Few weights are small to store; few channels are quick to compute, on any kernel.
# A sparse kernel has to look up the place of every weight while it runs, and these layers are small. It pays in large layers,
# with many zeros, when each weight that was looked up serves many inputs. LeNet-300-100, with nineteen zeros of twenty, 64 digits
# at a time:

# %% tags=["nbval-ignore-output"]
lenet, digits = models.trained("lenet_300_100_mnist"), datasets.load("mnist")
pruned = pruning.prune(lenet, digits.val.x[:1], sparsity=0.95).model
candidates = {"dense": lenet, "masked": pruned, "sparse kernel": accelerate(pruned)}
costs.side_by_side(candidates, digits.val.x[:64], repeats=5 if FAST else 30)

# %% [markdown]
# What is cut for good is gone for hard pictures too. A **gate** in front of each convolution decides, picture by picture, which
# channels to compute. It learns by training with a price on the channels that it opens; this one trains briefly, and the
# benchmark trains longer and compares hard pictures with easy ones.

# %% tags=["nbval-ignore-output"]
few, n = fashion.train.x[:64], 800 if FAST else 9000
gated = pruning.gate_channels(network, few, threshold=0.3).model
price = fit.Recipe(penalty=lambda model: 0.3 * pruning.channel_use(model, few).mean())
part = fashion.train.x[:n], fashion.train.y[:n]
gated = fit.Training(train=part, epochs=2, lr=3e-3, seed=SEED, recipe=price).run(gated)
use = pruning.channel_use(gated.eval(), fashion.val.x).detach()
print(f"{use.min():.2f} to {use.max():.2f} of the channels, {use.mean():.2f} on average")
print(f"{fit.evaluate(gated, fashion.val):.2f} right")

# %% [markdown]
# ## 6. When: retraining and schedules
#
# Until here nothing was trained. Now the weights that stay may move. LeNet-300-100 on digits is the network on which pruning
# made its name: nineteen weights of twenty are to go.

# %%
digit = models.example("lenet_300_100")
n, epochs = (1500, 4) if FAST else (5400, 8)
part = digits.train.x[:n], digits.train.y[:n]
plan = partial(fit.Training, train=part, lr=3e-3, seed=SEED)

# %%
predict(
    "prune-predict-when",
    "Each may train equally long. What comes out most accurate at 95 % zeros?",
    ["all at once, then retrain", "little by little", "cutting and splicing while it trains"],
)

# %% [markdown] lead="prune-cubic"
# How far should sparsity have come at a step? Zhu and Gupta go fast while there is plenty and slow down: with $t$ the share of
# the steps done, $s = s_{end} + (s_{start} - s_{end}) (1 - t)^3$. After the last of the `steps` it stays at the end.


# %% exercise="prune-cubic"
def sparsity_at(step: int, steps: int, start: float, end: float) -> float:
    """The sparsity that is to be reached at a step."""
    ### BEGIN SOLUTION
    t = min(1.0, step / steps)
    return end + (start - end) * (1 - t) ** 3
    ### END SOLUTION


# %%
check("prune-cubic")

# %% [markdown] lead="prune-splice"
# **Surgery** lets a weight come back. Weights that are cut go on being trained out of sight. A weight below `low` is cut; one at
# `high` or above is in use, even if it was cut before; between the two it stays as it was. This is equation 3 of Guo and others.


# %% exercise="prune-splice"
def next_mask(weight: np.ndarray, mask: np.ndarray, low: float, high: float) -> np.ndarray:
    """The mask for the next step, by magnitude."""
    ### BEGIN SOLUTION
    size = np.abs(weight)
    return (mask | (size >= high)) & (size >= low)
    ### END SOLUTION


# %%
check("prune-splice")

# %% [markdown]
# The same number of epochs for each: at once and then retrained; in rounds, each followed by a training of its own; gradually,
# within one training; and with surgery.

# %% tags=["nbval-ignore-output"]
goal, rounds = {"sparsity": 0.95}, pruning.geometric(0.95)
ways = {
    "no retraining": pruning.prune(lenet, digit, **goal),
    "at once": pruning.train_prune_retrain(lenet, digit, **goal, retrain=plan(epochs=epochs)),
    "in rounds": pruning.prune_iteratively(
        lenet, digit, **goal, n_rounds=2, retrain=plan(epochs=epochs // 2), schedule=rounds
    ),
    "gradually": pruning.prune_gradually(lenet, digit, **goal, training=plan(epochs=epochs)),
    "with surgery": pruning.dynamic_surgery(lenet, digit, **goal, training=plan(epochs=epochs)),
}
for name, (model, _) in ways.items():
    print(f"{name:14} {fit.evaluate(model, digits.test):.2f} right")

# %%
compare(
    "prune-predict-when",
    "cutting and splicing while it trains",
    "A weight cut by mistake can return. Between the other three the difference is small here.",
)

# %% [markdown]
# ## 7. Weights that want to go
#
# A penalty in the loss makes weights small before anybody cuts. **L1** pulls each weight towards zero equally hard. **Group
# lasso** pulls at whole rows or filters. **L0** counts weights: gates in front of them are drawn open or closed while
# training.

# %% [markdown] lead="prune-shrink"
# Group lasso has a step in closed form. Each row of `weight` is a group. It keeps its direction and its length falls by
# `by` times the root of the group's size; a row that is no longer than that becomes zero.


# %% exercise="prune-shrink"
def shrink_rows(weight: np.ndarray, by: float) -> np.ndarray:
    """Every row shortened by `by * sqrt(columns)`, at most to zero."""
    ### BEGIN SOLUTION
    length = np.linalg.norm(weight, axis=1, keepdims=True)
    pull = by * np.sqrt(weight.shape[1])
    return weight * np.maximum(0, 1 - pull / np.maximum(length, 1e-300))
    ### END SOLUTION


# %%
check("prune-shrink")

# %% [markdown]
# The same training without a penalty, with L1, and with L2; then nine weights of ten go, without retraining.

# %% tags=["nbval-ignore-output"]
penalties = {
    "none": None,
    "L1": partial(pruning.weight_penalty, l1=3e-4),
    "L2": partial(pruning.weight_penalty, l2=1e-3),
}
for name, penalty in penalties.items():
    model = plan(epochs=epochs // 2, recipe=fit.Recipe(penalty=penalty)).run(lenet)
    pruned = pruning.prune(model, digit, sparsity=0.9).model
    right = [fit.evaluate(m, digits.test) for m in (model, pruned)]
    print(f"{name:5} {right[0]:.2f} right, {right[1]:.2f} after pruning")

# %% [markdown]
# Whole rows: the penalty in the loss, and a small step of yours after every step of the optimizer, which reaches zero exactly.

# %% tags=["nbval-ignore-output"]
train = plan(epochs=epochs)
recipe = fit.Recipe(
    penalty=partial(pruning.group_lasso, strength=1e-3),
    after_step=pruning.proximal(partial(pruning.shrink_groups, by=0.02 / train.steps)),
)
shrunk = plan(epochs=epochs, recipe=recipe).run(lenet)
gone = (shrunk.fc1.weight == 0).all(dim=1).sum()
print(f"{gone} of 300 rows are zero, {fit.evaluate(shrunk, digits.test):.2f} right")

# %% [markdown]
# And gates: the penalty is the expected number of weights behind open ones. Once trained, gates that are closed become a
# mask and the others a factor.

# %% tags=["nbval-ignore-output"]
gated = pruning.add_gates(lenet, share_open=0.9)
recipe = fit.Recipe(batch=32, penalty=partial(pruning.expected_l0, strength=2e-5))
trained = fit.Training(train=part, epochs=epochs, lr=2e-2, seed=SEED, recipe=recipe).run(gated)
before, after = (pruning.expected_l0(m).item() for m in (gated, trained))
settled, _ = pruning.settle_gates(trained, digit)
print(f"{before:,.0f} weights expected before, {after:,.0f} after the training")
print(f"{fit.evaluate(settled, digits.test):.2f} right once the gates are settled")

# %% [markdown]
# ## 8. Lottery tickets
#
# Why train the large network at all? Frankle and Carbin trained, pruned, and put what was left back to the weights that it
# began with: that **ticket** learns as well as the whole. With other first weights under the same mask it does not.

# %%
predict(
    "prune-predict-ticket",
    "One weight of ten stays. Ticket and re-initialised ticket train equally long. Which learns better?",
    ["the ticket", "new weights", "no difference"],
)

# %% [markdown]
# `lottery_ticket` trains, prunes and puts back; `masks_of` and `with_masks` carry its mask over to other first weights.

# %% tags=["nbval-ignore-output"]
rows = []
for seed in range(1 if FAST else 3):
    first, other = (models.build("lenet_300_100", seed=s) for s in (seed, seed + 100))
    train = plan(epochs=epochs // 2)
    ticket = pruning.lottery_ticket(first, digit, sparsity=0.9, training=train).model
    again = pruning.with_masks(other, pruning.masks_of(ticket))
    rows.append((seed, *(fit.evaluate(train.run(m), digits.test) for m in (ticket, again))))
panels.lottery(rows)

# %%
compare(
    "prune-predict-ticket",
    "the ticket",
    "Mask and first weights were drawn together. The benchmarks repeat it with five seeds.",
)

# %% [markdown]
# Large networks have no tickets at their start: where training ends still hangs on the order of the examples. Train two
# copies with different orders and walk the straight line between them. If the error rises on the way, they ended in
# different valleys.

# %% [markdown] lead="prune-barrier"
# `errors` are measured at even steps on the line, both ends included. The barrier is how much worse the worst point is
# than the mean of the two ends.


# %% exercise="prune-barrier"
def barrier(errors: list[float]) -> float:
    """Height of the error barrier between two networks."""
    ### BEGIN SOLUTION
    return max(errors) - (errors[0] + errors[-1]) / 2
    ### END SOLUTION


# %%
check("prune-barrier")

# %% [markdown]
# Three pairs: two networks with different first weights; two copies of one that part at the start; two that part after an
# early phase which they have in common.

# %% tags=["nbval-ignore-output"]
start, other = (models.build("lenet_300_100", seed=seed) for seed in (SEED, SEED + 100))
early = plan(epochs=1).run(start)
pairs = {
    "two beginnings": (start, other),
    "one beginning": (start, start),
    "one early phase": (early, early),
}
errors = {}
for name, points in pairs.items():
    ends = [plan(epochs=epochs // 2, seed=i).run(m) for i, m in enumerate(points)]
    errors[name] = pruning.errors_between(*ends, digits.val)
panels.barrier(errors)

# %% [markdown]
# Other first weights end in another valley. From the same ones the order of the examples hardly matters in this small network,
# which is why it has tickets at its start. Networks for ImageNet have none there: they are **rewound** to weights from early in
# training.

# %% tags=["nbval-ignore-output"]
train = plan(epochs=epochs // 2)
rewound = pruning.rewound_ticket(
    start, digit, sparsity=0.95, early=plan(epochs=1), training=train
).model
print(f"{fit.evaluate(train.run(rewound), digits.test):.2f} right, with one weight of twenty")

# %% [markdown]
# ## 9. Recurrent layers, and work that is shared
#
# An accelerator deals the rows of a matrix out to processing elements. All wait for the one with most weights. ESE therefore
# prunes an LSTM so that each element keeps equally many. These weights are drawn, not trained: balance is a matter of
# places, not of values.

# %%
from efficientdl.tensors import load_balance

torch.manual_seed(SEED)
lstm = torch.nn.LSTM(32, 64)
balanced, _ = pruning.prune_balanced(lstm, torch.zeros(5, 1, 32), sparsity=0.9, n_pes=16)
plain = pruning.magnitude(lstm.weight_hh_l0.detach())
plain = plain >= plain.flatten().quantile(0.9)
for name, mask in {"plain": plain, "balanced": balanced.weight_hh_l0 != 0}.items():
    print(f"{name:9} {load_balance(mask, n_pes=16):.2f} of the elements' time is work")

# %% [markdown]
# ## 10. Challenge: the smallest network that still sees
#
# Hand in masks for the trained network of this lab. Its weights stay as they are: no training, only a choice. Stored bytes
# count values and the bits that say where they stand; accuracy is measured on the test part. A plain global ranking misses
# the limits; the sensitivity scan shows why.

# %% [markdown] lead="prune-smallest"
# Return a mask for each layer that you prune, `{layer name: mask}`: tensors of truth values, in the shape of the layer's
# weight. `pruning.masks_of` reads them off a pruned model. Any criterion, any policy, by hand or by a search.


# %% exercise="prune-smallest"
def choose_masks(model, x, data) -> dict:
    """The masks to hand in; `data.train` and `data.val` are there to choose by."""
    ### BEGIN SOLUTION
    dense = fit.evaluate(model, data.val)
    names = pruning.masks_of(pruning.prune(model, x, sparsity=0.0).model)
    alone = {name: pruning.prune(model, x, sparsity={name: 0.5}).model for name in names}
    robust = [name for name in names if fit.evaluate(alone[name], data.val) > dense - 0.02]
    policy = dict.fromkeys(robust, 0.6)
    return pruning.masks_of(pruning.prune(model, x, sparsity=policy, scope=pruning.globally).model)
    ### END SOLUTION


# %%
submit("prune-smallest", {"masks": packed(choose_masks(network, x, fashion))})

# %% [markdown]
# ## 11. Look back
#
# Two questions in your own words. A person marks them; the rubric is in the solution.

# %% [markdown] lead="prune-written-mask"
# A colleague has pruned nine weights of ten and is disappointed: the network runs no faster. What happened, and what are
# two ways out?

# %% [markdown] written="prune-written-mask"
# The kernel is dense: it multiplies by the zeros too. A sparse kernel skips them, and pays at high sparsity; N:M zeros run on
# hardware that knows them; channels that are cut out make a smaller dense network. Nor are the bytes a tenth: the places of
# the weights that stay have to be stored.

# %% [markdown] lead="prune-written-lottery"
# A ticket of a tenth of the weights trains as well as the whole network. Why do we not simply train the small one from the
# beginning?

# %% [markdown] written="prune-written-lottery"
# Because we only know which tenth after training the whole. Mask and first weights belong together: other weights under the
# same mask learn worse. In large networks even the first weights will not do; one has to rewind to a point early in
# training.

# %%
course_progress()

# %% [markdown]
# ## Where the survey says it
#
# Section 2.1: granularities, criteria, and training methods, with Figure 3. Section 3.2 puts the choice of sparsity for each
# layer into the hands of a search; lab 07 does. `benchmarks/compression.py` repeats the headline results at full size, several
# seeds each, beside what the papers print.
