"""Losses as pure functions, each from its paper; computed in float32 whatever the precision of the training."""

import torch
from torch import Tensor
from torch.nn import functional

from embodied_ssl.parts.precision import in_float32
from embodied_ssl.training.devices.distributed import gather, mean_over_processes, rank


def contrastive_margin(distance: Tensor, same: Tensor, margin: float) -> Tensor:
    """Distance where two are the same, a hinge max(margin − distance, 0) where not, elementwise.

    Hadsell, Chopra & LeCun 2006 (DrLIM), with plain instead of squared distances, as Jayaraman & Grauman 2015, eq. 4.
    distance: float [...], at least 0. same: bool, of a shape that broadcasts with it.
    """
    return torch.where(same, distance, (margin - distance).clamp(min=0))


def euclidean(first: Tensor, second: Tensor) -> Tensor:
    """Euclidean distances along the last axis, with a finite gradient at 0."""
    return ((first - second).square().sum(-1) + 1e-12).sqrt()


def cosine_embedding(first: Tensor, second: Tensor, same: Tensor, margin: float = 0.0) -> Tensor:
    """1 − cosine where two are the same, max(cosine − margin, 0) where not; first, second [..., D], same bool [...]."""
    cosine = functional.cosine_similarity(first, second, dim=-1)
    return torch.where(same, 1 - cosine, (cosine - margin).clamp(min=0))


def mean_where(values: Tensor, chosen: Tensor) -> Tensor:
    """The mean of the values that are chosen; 0 where none is. values: float, chosen: bool of the same shape.

    Its mean over processes, as of their gradients, is that of all values, however many each has chosen.
    """
    return (values * chosen).sum() / mean_over_processes(chosen.sum().float()).clamp(min=1e-9)


def spread(codes: Tensor) -> Tensor:
    """How far the directions of codes [B, D] spread over a batch: near 1 where they are random, 0 where all are alike.

    The standard deviation of codes of unit length, in that of random ones, 1/√D (Chen & He 2021, section 4.1).
    """
    unit = functional.normalize(codes.detach().float(), dim=1)
    return unit.std(0, correction=0).mean() * codes.shape[1] ** 0.5


@in_float32
def variance_hinge(codes: Tensor) -> Tensor:
    """How much the components of codes, float [B, D], lack to a standard deviation of 1 (Bardes et al. 2022, eq. 1)."""
    deviation = (codes.var(0) + 1e-4).sqrt()  # [D]
    return (1 - deviation).clamp(min=0).mean()


@in_float32
def covariance(codes: Tensor) -> Tensor:
    """The sum of the squared covariances of different components of codes, float [B, D], over D (the same, eq. 4)."""
    centred = codes - codes.mean(0)
    matrix = centred.T @ centred / (len(codes) - 1)  # [D, D]
    return (matrix.square().sum() - matrix.diagonal().square().sum()) / codes.shape[1]


def cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """The mean cross-entropy of logits [N, C, ...] with classes int64 [N, ...]."""
    return functional.cross_entropy(logits.float(), target)


def info_nce(scores: Tensor, positive: Tensor | None = None, same: Tensor | None = None) -> Tensor:
    """Cross-entropy of finding each row's positive among N candidates (van den Oord et al. 2018, eq. 4).

    scores: float [B, N], log-odds such as similarities over a temperature. positive: int64 [B], the column of each
    row's positive; None: the diagonal. same: bool [B, N], which candidates are of the row's own sample and therefore
    no negatives; None: none but the positive. log N − loss is a lower bound of the mutual information of what is
    compared, in nats, where the N − 1 others are drawn independently (Poole et al. 2019, eq. 10); it can't exceed
    log N.
    """
    if positive is None:
        positive = torch.arange(len(scores), device=scores.device)
    scores = scores.float()
    if same is not None:
        ignored = same.scatter(1, positive[:, None], torch.zeros_like(same[:, :1]))  # [B, N]
        scores = scores.masked_fill(ignored, -torch.inf)
    return functional.cross_entropy(scores, positive)


def info_nce_of_all(scores: Tensor, same: Tensor, own: Tensor | None = None) -> Tensor:
    """InfoNCE where a row has several positives: the mean over all of them, each found among it and the negatives.

    scores: float [B, N], as of `info_nce`. same: bool [B, N], which candidates are of the row's own sample; all others
    are negatives. own: int64 [B], the column of what the row itself is, which is no candidate; None: there is none.
    With one positive in each row this is `info_nce`; with labels for samples it is Khosla et al. 2020, eq. 2, but for
    the other positives, which are not among the candidates here.
    """
    scores = scores.float()
    positive = same if own is None else same.scatter(1, own[:, None], torch.zeros_like(same[:, :1]))
    negatives = scores.masked_fill(same, torch.finfo(scores.dtype).min).logsumexp(1, keepdim=True)  # [B, 1]
    return mean_where(functional.softplus(negatives - scores), positive)


@in_float32
def nt_xent(first: Tensor, second: Tensor, temperature: float, identity: Tensor | None = None) -> Tensor:
    """Normalised temperature-scaled cross-entropy of two views (Chen et al. 2020, eq. 1), the mean over both.

    A view's positive is the other view of its sample; all other views of the batch, on all devices, are negatives.
    Where a sample is in the batch several times, all its views are positives of each other. first, second: float
    [B, D], of any length. identity: int64 [B], a number of each sample; None: all differ.
    """
    own = functional.normalize(torch.cat([first, second]).float(), dim=1)  # [2 B, D]
    everyone = gather(own)  # [world · 2 B, D]: each device's first views, then its second ones
    count, offset = len(first), rank() * len(own)
    scores = own @ everyone.T / temperature  # [2 B, world · 2 B]
    rows = torch.arange(2 * count, device=own.device)
    numbers = identity if identity is not None else rows[:count] + rank() * count
    return info_nce_of_all(scores, _same_sample(numbers.repeat(2)), rows + offset)


@in_float32
def in_batch_nce(query: Tensor, key: Tensor, temperature: Tensor | float, identity: Tensor | None = None) -> Tensor:
    """InfoNCE of each query with its key and the other keys of the batch, on all devices.

    query, key: float [B, D], of unit length. identity: int64 [B], a number of each sample: all keys of the same one
    are positives; None: all differ.
    """
    scores = query @ gather(key).T / temperature  # [B, world · B]
    if identity is None:
        return info_nce(scores, torch.arange(len(query), device=query.device) + rank() * len(query))
    return info_nce_of_all(scores, _same_sample(identity))


@in_float32
def symmetric_info_nce(
    first: Tensor, second: Tensor, temperature: Tensor | float, identity: Tensor | None = None
) -> Tensor:
    """InfoNCE of the first with all seconds, and of the second with all firsts, the mean of both.

    CLIP's loss (Radford et al. 2021, figure 3). first, second: float [B, D], of any length. identity: as `nt_xent`.
    """
    first = functional.normalize(first.float(), dim=1)
    second = functional.normalize(second.float(), dim=1)
    there = in_batch_nce(first, second, temperature, identity)
    back = in_batch_nce(second, first, temperature, identity)
    return (there + back) / 2


def sinkhorn(logits: Tensor, rounds: int = 3) -> Tensor:
    """The Sinkhorn-Knopp algorithm: columns and rows normalised in turn.

    Returns probabilities, float [N, K], of logits [N, K]; the columns of all have about the same sum. Cuturi 2013, as
    Caron et al. 2020 balance their prototypes.
    """
    for _ in range(rounds):
        logits = logits.log_softmax(0).log_softmax(1)
    return logits.exp()


def balanced(cosines: Tensor, temperature: float, dim: int) -> Tensor:
    """A teacher's assignment to prototypes, float [N, K], which the rows of all processes use about equally.

    cosines: float [N, K], of codes of so many dimensions with the prototypes. They are brought to the spread that those
    of random codes have: of cosines that differ by less than the temperature all rows would have one assignment.
    """
    everyone = gather(cosines)  # [world · N, K]
    deviation = everyone.std(0).mean() * dim**0.5  # 1 for random codes
    everyone = sinkhorn(everyone / (temperature * deviation.clamp(min=1e-6)))
    return everyone[rank() * len(cosines) :][: len(cosines)]


def distillation(teacher: Tensor, student: Tensor) -> Tensor:
    """The mean cross-entropy of the student's prediction from each crop with the teacher's from each other one.

    Caron et al. 2021, eq. 3; of Caron et al. 2020 the swapped prediction, eq. 2.

    teacher: float [G, B, K], probabilities for the G large crops. student: float [V, B, K], logits for all V crops, the
    large ones first.
    """
    log_student = functional.log_softmax(student, 2)  # [V, B, K]
    # Not as a product of matrices, which would have 16 bits where training has.
    terms = -torch.stack([(each * log_student).sum(2).mean(1) for each in teacher])  # [G, V]
    differ = ~torch.eye(*terms.shape, dtype=torch.bool, device=terms.device)  # no crop is compared with itself
    return terms[differ].mean()


def _same_sample(identity: Tensor) -> Tensor:
    """Which of the samples of all processes are the same as those of this one, bool [B, world · B], by numbers [B]."""
    return identity[:, None] == gather(identity)
