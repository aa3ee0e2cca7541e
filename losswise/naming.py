"""The one naming rule: on which graph a metric belongs, and whether less or more of it is better.

`train_loss`, `val_loss`, `loss_epoch` and `test/loss` are one quantity at different stages, so they are drawn
on one graph, `loss`. Their names stay what the framework calls them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


STAGES = _words("train training val valid validate validation test testing eval evaluation dev")
ROUNDS = _words("epoch step batch")

MIN_WORDS = _words(
    """
    loss error errors err mse mae rmse msle rmsle mape smape wape rmsd perplexity ppl wer cer mer wil
    nll bce ce crossentropy divergence kl kld hinge logcosh huber poisson deviance brier ece distance
    chamfer hausdorff lpips fid kid false regret fallout energy residual cost perceptual bits bpb bpc
    eer crps rankedprobability infolost lost bouldin disparity distortion spectralangle totalvariation
    editrate ter ctc pathlength infolm patchsimilarity texturesimilarity
    """
)
MAX_WORDS = _words(
    """
    accuracy accuracies acc auc auroc auprc roc prauc ap map f1 f2 fbeta fscore fmeasure precision
    recall specificity sensitivity iou miou jaccard dice bleu sacrebleu rouge meteor cider spice chrf
    mrr dcg ndcg hit hits kappa mcc matthews pearson spearman kendall concordance correlation r2
    explained psnr ssim msssim snr sdr stoi pesq similarity match true top reward return returns elbo
    wip pass signal win success quality rand mutualinfo infopreserved predictivevalue npv ppv harabasz
    dunn mallows homogeneity completeness vmeasure contingency cramersv theilsu tschuprowst
    distortionratio fidelity vif overunion inceptionscore clipscore bertscore mos opinion dnsmos
    srmr modulationenergy nisqa intelligibility vmaf assessmentfusion iqa arniqa
    """
)
NONE_WORDS = _words(
    """
    lr learning time seconds second secs sec ms minutes hours epoch epochs step steps iteration
    iterations batch momentum decay wd norm norms grad gradient gradients scale scaler size count
    counts num number memory mem gpu cpu temperature temp throughput samples tokens examples fps speed
    entropy weights weight power std stddev stdev var variance threshold thresholds coef coeff coefficient seed factor
    multiplier alpha beta gamma lambda patience
    """
)
# a coefficient is what a loss is multiplied with, save these, which are how well two things agree
MAX_WORDS |= {
    first + last
    for first in _words(
        "corr correlation concordance contingency dice jaccard kappa kendall matthews pearson sorensen spearman overlap"
    )
    for last in ("coef", "coeff", "coefficient")
} | _words("explainedvariance explainedvar")

# several of one thing, on one graph: data loaders, Lightning's parameter groups, the hooks of its DeviceStatsMonitor,
# the pools of CUDA's memory, and the parameters of Lightning's grad_norm
_MEMBERS = (
    (re.compile(r"/?dataloader_idx_\d+$"), ""),
    (re.compile(r"^(lr-[^/]+)/pg\d+"), r"\1"),
    (re.compile(r"^\w+\.on_\w+_(?:start|end)/(?=.)"), ""),
    (re.compile(r"^(\w+)\.(?:all|small_pool|large_pool)\.(?:current|peak)$"), r"\1"),
    (re.compile(r"^(\w+)\.(?:all|small_pool|large_pool)\.(?:allocated|freed)$"), r"\1.total"),
    (re.compile(r"^(grad_[\w.]+_norm)(?:/.+|_total)$"), r"\1"),
)
_FRONT = re.compile(r"^([A-Za-z]+)[_.\- :]+(?=.)")
_BACK = re.compile(r"(?<=.)[_.\- :]+([A-Za-z]+)$")
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+\d*|[A-Z]+\d*|\d+")
# 'best_epoch' and 'steps_per_epoch' are about epochs; 'score_epoch' is about a score
_ABOUT_ROUNDS = _words("per global best last current num n max min total first final warmup")


class Placement(NamedTuple):
    """Where a metric is drawn.

    Attributes:
        title: the graph's title.
        kind: 'min' (less is better), 'max' (more is better) or None.
    """

    title: str
    kind: str | None


def place(name: str, graphs: Mapping[str, Any] | None = None) -> Placement:
    """The graph on which the metric `name` belongs.

    Args:
        name: what a framework or a person calls the metric.
        graphs: places that a person chose, by the metric's name or by the title it would get:
            {"my_score": ("quality", "max")} also holds for `val_my_score`.

    Example:
        >>> place("val_accuracy")
        Placement(title='accuracy', kind='max')
        >>> place("epoch_val_loss")
        Placement(title='loss', kind='min')
        >>> place("val_my_score", {"my_score": ("quality", "max")})
        Placement(title='quality', kind='max')
    """
    placement = _place(name)
    if graphs:
        chosen = graphs.get(name, graphs.get(placement.title))
        if chosen is not None:
            return Placement(chosen, kind_of(chosen)) if isinstance(chosen, str) else Placement(*chosen)
    return placement


def prefixed(graphs: Mapping[str, Any] | None, prefix: str) -> dict[str, Any]:
    """Places that a person chose, for names that a prefix stands in front of: on graphs with that prefix.

    Args:
        graphs: as for `place`; a name that has the prefix already wins.

    Example:
        >>> place("fold1/val_my_score", prefixed({"my_score": ("quality", "max")}, "fold1"))
        Placement(title='fold1/quality', kind='max')
    """
    if not prefix or not graphs:
        return dict(graphs or {})
    found: dict[str, Any] = {}
    front = title_of(f"{prefix}/x")[:-1]  # empty where the prefix is a stage, such as 'val'
    for name, chosen in graphs.items():
        title, kind = (chosen, kind_of(chosen)) if isinstance(chosen, str) else chosen
        found[front + name] = found[f"{prefix}/{name}"] = Placement(front + title, kind)
    return {**found, **graphs}


@lru_cache(maxsize=10_000)
def _place(name: str) -> Placement:
    title = title_of(name)
    return Placement(title, kind_of(title))


def title_of(name: str) -> str:
    """The metric's name without its stage (train, val, test, ...) and round (step, epoch).

    >>> title_of("train/loss_step"), title_of("out_a/val_loss"), title_of("batch_size")
    ('loss', 'out_a/loss', 'batch_size')
    """
    whole = name
    for pattern, kept_part in _MEMBERS:
        whole = pattern.sub(kept_part, whole)
    parts = whole.split("/")
    kept = [part for part in parts if part.lower() not in STAGES] or parts[-1:]
    title = "/".join(_bare(part) for part in _without_rounds(kept)) or name
    return title.lower() if title.lower() in MIN_WORDS | MAX_WORDS else title


def kind_of(title: str) -> str | None:
    """'min', 'max' or None, by the last word of the title that says something about it.

    >>> kind_of("mean_absolute_error"), kind_of("MulticlassF1Score"), kind_of("loss_scale")
    ('min', 'max', None)
    """
    words = [word.lower() for word in _WORD.findall(title)]
    if any(after == "to" and before in NONE_WORDS for before, after in pairwise(words)):
        return None  # 'time_to_accuracy' is a time
    for place in range(len(words) - 1, -1, -1):
        pair = words[place - 1] + words[place] if place else ""  # 'io_u', 'cross_entropy', 'FBeta', 'mAP'
        for word in (pair, words[place], words[place].rstrip("0123456789")):
            if word in MIN_WORDS:
                return "min"
            if word in MAX_WORDS:
                return "max"
            if word in NONE_WORDS:
                return None
    return None


def _without_rounds(parts: list[str]) -> list[str]:
    """'epoch/loss' and 'loss/step' are losses; 'batch/size' is no size, and 'loss/best/epoch' no loss."""
    kept = [
        part
        for place, part in enumerate(parts)
        if part.lower() not in ROUNDS or (place and parts[place - 1].lower() in _ABOUT_ROUNDS)
    ]
    return kept if kind_of("/".join(kept)) is not None else parts


def _bare(part: str) -> str:
    """One part of a path without stages and rounds at its front and back, if something is left."""
    while True:
        shorter = _without_front(_without_back(part))
        if shorter == part:
            return part
        part = shorter


def _without_front(part: str) -> str:
    match = _FRONT.match(part)
    if match is None:
        return part
    word, rest = match[1].lower(), part[match.end() :]
    # 'epoch_loss' is a loss, but 'batch_size' is no size and 'epoch_time' no time
    if word in STAGES or (word in ROUNDS and kind_of(rest) is not None):
        return rest
    return part


def _without_back(part: str) -> str:
    match = _BACK.search(part)
    if match is None:
        return part
    word, rest = match[1].lower(), part[: match.start()]
    before = _WORD.findall(rest)[-1:]
    if word in ("epoch", "step"):
        return part if before and before[0].lower() in _ABOUT_ROUNDS else rest
    # 'loss_val' is a loss; 't_test' is a test
    return rest if word in STAGES and kind_of(rest) is not None else part
