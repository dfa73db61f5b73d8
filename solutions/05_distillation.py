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
# # Lab 05: distillation
#
# About two hours of your time. All cells together run in under two minutes on two cores, in 1.2 GB.
#
# When you have done it, you can
#
# - say what a teacher knows that a label does not;
# - soften a softmax with a temperature, and say why the loss is multiplied by its square;
# - match scores, features and attention maps, and bring a thin layer to a wide one's width;
# - judge a teacher fairly: the same student, the same training, with and without;
# - teach a detector, a segmenter, a language model and a generator;
# - train a student a sixteenth as large as its teacher, without a label.

# %% tags=["parameters"]
SEED = 0
FAST = False

# %% [markdown]
# One import cell for the whole lab. `distil` trains a student under a teacher, `losses` says how far one is from the other,
# `tasks` has four tasks that train in seconds, `panels` the things to play with.

# %%
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from efficientdl import costs, datasets, fit, models
from efficientdl.compression.distillation import Match, distil, regressor
from efficientdl.compression.distillation.tasks import detection, language, segmentation, synthesis
from efficientdl.course import check, compare, course_progress, hint, predict, quiz, submit
from efficientdl.course.panels import lab_05 as panels
from efficientdl.course.students import artefact_of, student
from efficientdl.fit import Recipe, Training
from efficientdl.fit import distillation as losses

# %% [markdown]
# ## 1. What the teacher knows
#
# A label says "shirt" and no more. A trained network says: shirt most likely, perhaps a coat, hardly a sandal. How the *wrong* classes
# compare is what Hinton calls **dark knowledge**. A small network, the student, can learn from it.
#
# The teacher is a small CNN, trained on Fashion-MNIST.

# %%
teacher, fashion = models.trained("small_cnn_fashion"), datasets.load("fashion_mnist")
print(f"teacher: {fit.evaluate(teacher, fashion.test):.3f} of the test part right")

# %%
predict(
    "kd-predict-dark",
    "For half of the test pictures the teacher gives its first choice a probability of at least...",
    ["about 0.6", "about 0.8", "more than 0.95"],
)

# %% [markdown]
# First by hand: three classes. The first score is 4, the third 0; you move the second, and the temperature $T$ that divides all three
# before the softmax. What happens at a very high one?

# %%
panels.by_hand()

# %% [markdown] lead="kd-soften"
# Softened probabilities are $p_i = e^{z_i/T} / \sum_j e^{z_j/T}$. Each row of `logits` holds the scores of one example. Scores may
# be in the thousands: take care that nothing overflows.


# %% exercise="kd-soften"
def soften(logits: np.ndarray, temperature: float) -> np.ndarray:
    """Softmax of every row at this temperature."""
    ### BEGIN SOLUTION
    z = logits / temperature
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
    ### END SOLUTION


# %%
check("kd-soften")

# %% [markdown]
# Stuck? `hint("kd-soften")` in a cell of your own gives a nudge; call it again and it gives more.
#
# Now real pictures. At $T = 1$ most rows are nearly a label. Raise the temperature: which classes come out of the dark? Do they
# look like the picture?

# %%
panels.dark_knowledge()

# %% [markdown]
# Over all test pictures:

# %%
with torch.no_grad():
    says = teacher(fashion.test.x).softmax(dim=1).max(dim=1).values
print(f"median of the largest probability: {float(says.median()):.2f}")

# %%
compare(
    "kd-predict-dark",
    "more than 0.95",
    "A trained network is sure of itself. At temperature 1 it says little more than a label does.",
)

# %% [markdown]
# ## 2. Two ways to match an output
#
# Both take the teacher's scores as they are, so neither needs a label.
#
# **Soft targets** (Hinton and others) compare softened probabilities: $L = T^2\, \mathrm{KL}(p \,\|\, q)$, with $p$ of the teacher
# and $q$ of the student, both at $T$. **Matching logits** (Bucila and others; Ba and Caruana) compares the scores before the softmax.

# %% [markdown] lead="kd-soft-loss"
# The Kullback-Leibler divergence is $\mathrm{KL}(p\,\|\,q) = \sum_i p_i \log(p_i / q_i)$. Return $T^2$ times its mean over the
# examples. Your `soften` is there to be used.


# %% exercise="kd-soft-loss"
def soft_loss(student: np.ndarray, teacher: np.ndarray, temperature: float) -> float:
    """Loss of the student's logits, n x classes, under the teacher's."""
    ### BEGIN SOLUTION
    p, q = soften(teacher, temperature), soften(student, temperature)
    return float(temperature**2 * np.mean(np.sum(p * np.log(p / q), axis=1)))
    ### END SOLUTION


# %%
check("kd-soft-loss")

# %% [markdown] lead="kd-gradient"
# Why $T^2$? Work out the gradient of your loss in the student's logits, $\partial L / \partial z$, by hand. It is as short as that of a
# cross entropy. Mind the mean over the examples.


# %% exercise="kd-gradient"
def soft_gradient(student: np.ndarray, teacher: np.ndarray, temperature: float) -> np.ndarray:
    """Gradient of `soft_loss` in every logit of the student."""
    ### BEGIN SOLUTION
    p, q = soften(teacher, temperature), soften(student, temperature)
    return temperature * (q - p) / len(student)
    ### END SOLUTION


# %%
check("kd-gradient")

# %% [markdown]
# One factor $1/T$ comes from inside the softmax. The other is hidden: at a high $T$ the two distributions themselves draw together,
# $q - p \approx (z_s - z_t) / (cT)$ for $c$ classes. The figure has both curves, on a real student and teacher.

# %%
panels.gradient_size()

# %% [markdown] lead="kd-logits"
# Where the curve levels off, the gradient is a difference of scores. So matching scores is the limit of a high temperature. Return
# $\frac{1}{2n} \sum |z_s - z_t|^2$: squares added over the classes, averaged over the `n` examples.


# %% exercise="kd-logits"
def logit_loss(student: np.ndarray, teacher: np.ndarray) -> float:
    """Half the mean squared distance of the rows."""
    ### BEGIN SOLUTION
    return float(np.mean(np.sum((student - teacher) ** 2, axis=1)) / 2)
    ### END SOLUTION


# %%
check("kd-logits")

# %% [markdown]
# The library's functions are `match_logits` and `soft_targets`. Rows with mean zero, a very high temperature: ten classes, so
# the second is a tenth of the first.

# %%
rng = torch.Generator().manual_seed(SEED)
one, two = (torch.randn(5, 10, generator=rng, dtype=torch.float64) for _ in range(2))
one, two = (z - z.mean(dim=1, keepdim=True) for z in (one, two))
print(f"logits: {float(losses.match_logits(one, two)):.3f}")
for T in (1.0, 4.0, 100.0):
    print(f"soft targets at {T:g}: {float(losses.soft_targets(one, two, temperature=T)):.3f}")

# %% [markdown] lead="kd-mixture"
# Where labels are known, both are used: $(1 - a)$ times the labels' cross entropy, at $T = 1$, plus $a$ times the soft loss.


# %% exercise="kd-mixture"
def mixture(
    student: np.ndarray, teacher: np.ndarray, labels: np.ndarray, temperature: float, a: float
) -> float:
    """Hinton's loss; `labels` are the true classes as whole numbers."""
    ### BEGIN SOLUTION
    true = soften(student, 1.0)[np.arange(len(labels)), labels]
    soft = soft_loss(student, teacher, temperature)
    return float((1 - a) * np.mean(-np.log(true)) + a * soft)
    ### END SOLUTION


# %%
check("kd-mixture")

# %% [markdown]
# ## 3. With a teacher and without
#
# The student has the teacher's four convolutions, drawn thin: a sixteenth of its parameters. It sees 300 pictures. Every row below
# starts at the same weights, sees the same pictures in the same order, as often.

# %%
predict(
    "kd-predict-gain",
    "300 labelled pictures. What does a teacher add to the student's accuracy?",
    ["nothing", "one to five points", "ten points or more"],
)

# %% [markdown]
# `distil` with no match is the plain training. A `Match` says which loss, and what it weighs beside the labels' (`task_weight`).

# %%
x, few = fashion.test.x[:1], (fashion.train.x[:300], fashion.train.y[:300])
plan = Training(train=few, epochs=8 if FAST else 40, lr=2e-2, seed=SEED, recipe=Recipe(batch=16))
thin = student(4, seed=SEED)
soft = Match(loss=partial(losses.soft_targets, temperature=4.0), weight=0.9)
pupils = {"alone": distil(thin, teacher, x, matches=[], training=plan).model}

# %% tags=["nbval-ignore-output"]
score = Match(loss=losses.match_logits, weight=0.05)
pupils["logits"] = distil(thin, teacher, x, matches=[score], training=plan, task_weight=0.1).model
pupils["soft"], report = distil(thin, teacher, x, matches=[soft], training=plan, task_weight=0.1)
panels.standing({"teacher": teacher, **pupils}, fashion.test)

# %% [markdown]
# "Agreement" is how often a student says what its teacher says, right or wrong. Training depends on chance: with another seed a
# row moves by a point or so. Few pictures are soon known by heart; the teacher says something new about each of them. Matching scores
# begins slowly: with `FAST` its training ends too soon.

# %%
compare(
    "kd-predict-gain",
    "one to five points",
    "So it was where this lab was written, most in the full run of 40 epochs. With many labelled "
    "pictures, or a few epochs only, the gain is smaller or none.",
)

# %% [markdown]
# What does the student buy? The teacher costs only while the student learns; afterwards it is left at home.

# %% tags=["nbval-ignore-output"]
both = {"teacher": teacher, "student": pupils["soft"].eval()}
costs.side_by_side(both, x, repeats=10 if FAST else 30, threads=1)

# %% [markdown]
# ## 4. Inside the network
#
# The way to the answer can be taught as well. **Hints** (FitNets) regress a layer of the student on a layer of the teacher. The student's
# `conv3` has 16 channels, the teacher's has 64: an **adapter**, a $1 \times 1$ convolution, comes between. It is trained along and
# then thrown away.

# %% [markdown] lead="kd-hint"
# How near can an adapter come, with the student's features as they are? Return the least $\frac12$ mean of
# $(r(s) - t)^2$ over all entries, where $r$ maps the channels at every position linearly, with a bias.


# %% exercise="kd-hint"
def best_hint(student: np.ndarray, teacher: np.ndarray) -> float:
    """Least hint loss of any 1x1 adapter; features are n x c x h x w, same n, h and w."""
    ### BEGIN SOLUTION
    a = np.moveaxis(student, 1, -1).reshape(-1, student.shape[1])
    b = np.moveaxis(teacher, 1, -1).reshape(len(a), -1)
    a = np.hstack([a, np.ones((len(a), 1))])
    solution = np.linalg.lstsq(a, b, rcond=None)[0]
    return float(np.mean((a @ solution - b) ** 2) / 2)
    ### END SOLUTION


# %%
check("kd-hint")

# %% [markdown]
# **Attention transfer** (Zagoruyko and Komodakis) needs no adapter. It adds up the channels, $Q = \sum_c |f_c|^p$, and compares only
# *where* a network is active.

# %% [markdown] lead="kd-attention"
# Return the attention map of each picture as one row, of length one: $Q / |Q|$.


# %% exercise="kd-attention"
def attention(features: np.ndarray, power: float) -> np.ndarray:
    """n x c x h x w features to n x (h * w) maps of Euclidean length one."""
    ### BEGIN SOLUTION
    maps = (np.abs(features) ** power).sum(axis=1).reshape(len(features), -1)
    return maps / np.linalg.norm(maps, axis=1, keepdims=True)
    ### END SOLUTION


# %%
check("kd-attention")

# %% [markdown]
# Train with each, beside the soft targets. The layer names say what is compared with what.

# %% tags=["nbval-ignore-output"]
at = {"student": "conv3", "teacher": "conv3"}
hints = Match(loss=losses.hint, adapter=partial(regressor, seed=SEED), **at)
looks = Match(loss=losses.attention_transfer, weight=2.0, **at)
for name, extra in {"soft + hint": hints, "soft + attention": looks}.items():
    both = [soft, extra]
    pupils[name] = distil(thin, teacher, x, matches=both, training=plan, task_weight=0.1).model
panels.standing({"teacher": teacher, **pupils}, fashion.test)

# %% [markdown]
# Where do they look? Teacher and students side by side, and the picture; each map is as light as the place is active. Which student
# resembles the teacher most? It need not be the most accurate one.

# %% tags=["nbval-ignore-output"]
panels.attention_maps(teacher, pupils)

# %%
quiz(
    "kd-quiz-shape",
    "The student's conv3 has 16 channels on 7 x 7, the teacher's conv2 has 32 channels on 7 x 7. "
    "Which of the two losses needs an adapter?",
    {
        "hints only": "The regression needs equal channels; attention adds them up.",
        "attention only": "It adds up the channels, so their number is free.",
        "both": "Attention adds up the channels, so their number is free.",
    },
    answer="hints only",
)

# %% [markdown]
# ## 5. Beyond classification
#
# Four tasks, each with its own teacher, trained here in seconds. With `FAST` the trainings are shorter still, and a poor teacher
# teaches poorly: run the lab in full before you judge. One training is a noisy judge even then: `benchmarks/` has each task with five
# seeds.
#
# First the **data** of two of them: discs, squares and triangles, drawn on real photographs.

# %% tags=["nbval-ignore-output"]
n_pictures, side = 200 if FAST else 600, 32
shapes = datasets.draw_shapes(n_train=n_pictures, n_test=100, seed=SEED, side=side)
pictures, x = shapes.train.x, shapes.train.x[:1]
print(f"{len(pictures)} pictures of {side} x {side} pixels")
panels.drawn(shapes.test)

# %% [markdown]
# ### Detection
#
# Nearly every place of a picture is background, so it weighs more among the classes. And a teacher's box may be wrong: it
# is only a bar. Where the student is already better, it is left alone (Chen and others). AP is average precision.

# %% tags=["nbval-ignore-output"]
boxes = detection.cells(shapes.train.objects, side=side)
loss, recipe = detection.detection_loss, Recipe(batch=16)
plan = Training(train=(pictures, boxes), epochs=12, lr=1e-2, seed=SEED, loss=loss, recipe=recipe)
large, thin = detection.detector(16, seed=1), detection.detector(8, seed=SEED)
large = distil(large, large, x, matches=[], training=plan).model.eval()
matches, plan = detection.detection_matches(seed=SEED), replace(plan, epochs=6 if FAST else 12)
panels.with_and_without(
    thin, large, x, matches=matches, training=plan, measure=panels.precision(shapes.test)
)

# %% [markdown]
# The new part of its loss, for the four scores of every cell: the more the background weighs, the dearer it is to miss the teacher there.

# %%
cell = torch.tensor([[3.0, 0.0, 1.0, 0.0]])
for weight in (1.0, 1.5, 3.0):
    loss = losses.weighted_soft_targets(torch.zeros(1, 4), cell, background_weight=weight)
    print(f"background weighs {weight}: {float(loss):.3f}")

# %% [markdown]
# ### Segmentation
#
# Each pixel gets soft targets of its own. But a map of labels has structure: pixels of one shape belong together. So Liu and others
# also compare *pairs* of positions.

# %% [markdown] lead="kd-pairs"
# How alike two positions are is the cosine between their channel vectors. Take it for every pair of positions, also of a position
# with itself, in the student's features and in the teacher's. Return the mean of the squared difference.


# %% exercise="kd-pairs"
def pair_loss(student: np.ndarray, teacher: np.ndarray) -> float:
    """Mean over pictures and pairs; features are n x c x h x w, and c may differ."""
    ### BEGIN SOLUTION
    alike = []
    for features in (student, teacher):
        f = features.reshape(*features.shape[:2], -1)
        f = f / np.linalg.norm(f, axis=1, keepdims=True)
        alike.append(np.einsum("nci,ncj->nij", f, f))
    return float(np.mean((alike[0] - alike[1]) ** 2))
    ### END SOLUTION


# %%
check("kd-pairs")

# %% [markdown]
# The library's is `pairwise`, and `segmentation_matches` has it beside the soft targets of the pixels. mIoU is the mean over the
# classes of intersection over union.
#
# A label for every pixel is dear. Say that only 40 pictures have any: those are for the student alone. The teacher has learned from all
# pictures, and teaches on all of them **without a label**, in as many steps.

# %% tags=["nbval-ignore-output"]
labels = shapes.train.labels
loss, recipe = cross_entropy, Recipe(batch=16)
plan = Training(
    train=(pictures, labels), epochs=9 if FAST else 12, lr=1e-2, seed=SEED, loss=loss, recipe=recipe
)
large, thin = segmentation.segmenter(12, seed=1), segmentation.segmenter(8, seed=SEED)
large = distil(large, large, x, matches=[], training=plan).model.eval()
matches, measure = segmentation.segmentation_matches(), panels.overlap(shapes.test)
few = replace(plan, train=(pictures[:40], labels[:40]), epochs=32 if FAST else 120)
panels.with_and_without(
    thin, large, x, matches=matches, training=few, measure=measure, unlabelled=pictures
)

# %% [markdown]
# ### A language model
#
# Characters of *Moby-Dick*: which one comes next? The student starts as every second block of its teacher, as DistilBERT does. It is
# taught the teacher's odds at every position, and the direction of its last hidden state. It may read 200 short stretches only, again
# and again. Perplexity is among how many equally likely characters it seems to choose; less is better.

# %% tags=["nbval-ignore-output"]
book, rng = datasets.load("moby_dick"), torch.Generator().manual_seed(SEED)
letters = language.alphabet(book.train)
cut = partial(language.windows, characters=letters, context=24, generator=rng)
read, unseen = cut(book.train, n=800 if FAST else 1500), cut(book.test, n=200)
loss, recipe = language.next_character_loss, Recipe(batch=32)
plan = Training(train=read, epochs=5, lr=5e-3, seed=SEED, loss=loss, recipe=recipe)
large = language.character_model(len(letters), context=24, d=32, n_layers=4, seed=1)
large = distil(large, large, read[0][:1], matches=[], training=plan).model.eval()
thin, matches = language.every_second(large), language.language_matches()
again = replace(plan, train=tuple(part[:200] for part in read), epochs=6 if FAST else 15)
panels.with_and_without(
    thin, large, read[0][:1], matches=matches, training=again, measure=panels.perplexity(unseen)
)

# %% [markdown]
# The second part of that loss is `hidden_cosine`: zero for the same direction, whatever the length.

# %%
state = torch.tensor([[[3.0, 4.0]]])
for other in ([[[6.0, 8.0]]], [[[4.0, -3.0]]], [[[-3.0, -4.0]]]):
    print(other, f"{float(losses.hidden_cosine(torch.tensor(other), state)):.3f}")

# %% [markdown]
# ### Image synthesis
#
# A generator makes digits of 8 x 8 pixels out of noise; a critic tells them from real ones. There is no right answer to copy: the
# same noise may become any digit. A teacher gives each noise its picture, so the student has something to aim at (Li and others).
# The Frechet distance says how far the made pictures are from real ones; less is better.

# %% tags=["nbval-ignore-output"]
real, rng = datasets.load("digits"), torch.Generator().manual_seed(SEED)
noise, fresh = (
    torch.randn(len(s.x), synthesis.NOISE, generator=rng) for s in (real.train, real.test)
)
critic = synthesis.critic_network(64, seed=SEED)
game = partial(synthesis.Adversary, critic, lr=2e-3, gamma=1.0)
plan = Training(train=(noise, real.train.x), epochs=9 if FAST else 12, lr=1e-2, seed=SEED)
long = replace(plan, epochs=12 if FAST else 60, lr=5e-3, loss=game())
large = synthesis.generator_network(64, seed=1)
large = distil(large, large, noise[:1], matches=[], training=long).model.eval()
matches = synthesis.synthesis_matches(picture_weight=10, seed=SEED)
thin, measure = synthesis.generator_network(12, seed=SEED), panels.distance(fresh, real.test.x)
panels.with_and_without(
    thin, large, noise[:1], matches=matches, training=plan, measure=measure, game=game
)

# %% [markdown]
# Which of the four tables shows a gain? A teacher that has hardly learned has little to give, and a student that is too small or
# trained too shortly cannot take it. Where it helps, and how much, has to be measured each time.

# %% [markdown]
# ## 6. Challenge: a student a sixteenth as large
#
# Here is a pile of pictures, and nobody has labelled one of them. Somebody has left you a teacher. Train a student of it; you hand in
# its weights, and they are measured on the test part. The first two lines of the budget ask for a small network and a good one.
# The third asks that it says what its teacher says, mistakes and all.

# %% [markdown] lead="kd-student"
# `student(width, seed=...)` makes one, of whole numbers from 1 to 16. `Training` wants labels in any case. With `distil` and
# `task_weight=0` they may be zeros that nothing looks at. Or let the teacher speak once: its scores are the labels, and `loss` takes
# them. Ten seconds of training are enough.


# %% exercise="kd-student"
def teach(teacher: nn.Module, images: torch.Tensor, seed: int) -> nn.Module:
    """A student, as `student` makes them, trained on images without labels."""
    ### BEGIN SOLUTION
    with torch.no_grad():
        said = teacher(images)  # once, where `distil` would ask again in every epoch
    soft = partial(losses.soft_targets, temperature=4.0)
    plan = Training(train=(images, said), epochs=4, lr=3e-2, seed=seed, loss=soft)
    return plan.run(student(4, seed=seed))
    ### END SOLUTION


# %% tags=["nbval-ignore-output"]
submit("kd-student", artefact_of(teach(teacher, fashion.train.x, SEED)))

# %% [markdown]
# ## 7. Look back
#
# Two questions in your own words. A person marks them; the rubric is in the solution.

# %% [markdown] lead="kd-written-dark"
# A colleague says: "The labels are right and the teacher is wrong now and then. So the labels must teach better." What would you
# answer?

# %% [markdown] written="kd-written-dark"
# A label names one class and says nothing of the others. The teacher's probabilities tell for each picture which wrong classes it
# resembles, and how clearly: far more per picture than a class. At temperature 1 these numbers are too small to matter, so we soften
# them; at a very high temperature all differences of score count alike, noise too. Both can be mixed, so that labels mend the
# teacher's mistakes.

# %% [markdown] lead="kd-written-limits"
# When would you expect a teacher to help little, or to do harm? How would you find out?

# %% [markdown] written="kd-written-limits"
# When the teacher is poor, or knows other data than the student will meet; when labels are many and the student has room for them
# all; when the student is too small to follow. It takes over mistakes and prejudices too. I would train the same student from the same
# weights on the same data, with and without, over several seeds, and look at accuracy and at which examples are wrong.

# %%
course_progress()

# %% [markdown]
# ## Where the survey says it
#
# Section 2.4, knowledge distillation: matching logits, the temperature of the softmax, FitNets' regression of features, attention
# transfer, and the four tasks beyond classification: detection, segmentation, language models and image synthesis.
