"""Choose the graph of a metric by its name, and whether low or high values are better.

`train_loss`, `val_loss`, `loss_epoch` and `test/loss` are one quantity at different stages of training, so they share
one graph, `loss`. The metrics keep the names that the framework gives them. docs/integrations.md describes the rule to
users.

The word lists decide 'min' or 'max' from the name alone, since frameworks attach no such information to a metric. They
were collected from the metrics of Keras and TorchMetrics, all of which tests/client/test_naming.py goes
through. A word is matched as a whole, case-insensitive, and so is a pair of neighbouring words written
together: `cross_entropy` is found as `crossentropy`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


STAGES = _words("train training val valid validate validation test testing eval evaluation dev")
ROUNDS = _words("epoch step batch")

# The value of such a metric is best when it is low
MIN_WORDS = _words(
    """
    loss error errors err mse mae rmse msle rmsle mape smape wape rmsd perplexity ppl wer cer mer wil nll bce ce
    crossentropy divergence kl kld hinge logcosh huber poisson deviance brier ece distance chamfer hausdorff lpips
    fid kid false regret fallout energy residual cost perceptual bits bpb bpc eer crps rankedprobability infolost
    lost bouldin disparity distortion spectralangle totalvariation editrate ter ctc pathlength infolm
    patchsimilarity texturesimilarity
    """
)
# ... when it is high
MAX_WORDS = _words(
    """
    accuracy accuracies acc auc auroc auprc roc prauc ap map f1 f2 fbeta fscore fmeasure precision recall
    specificity sensitivity iou miou jaccard dice bleu sacrebleu rouge meteor cider spice chrf mrr dcg ndcg hit hits
    kappa mcc matthews pearson spearman kendall concordance correlation r2 explained psnr ssim msssim snr sdr stoi
    pesq similarity match true top reward return returns elbo wip pass signal win success quality rand mutualinfo
    infopreserved predictivevalue npv ppv harabasz dunn mallows homogeneity completeness vmeasure contingency
    cramersv theilsu tschuprowst distortionratio fidelity vif overunion inceptionscore clipscore bertscore mos
    opinion dnsmos srmr modulationenergy nisqa intelligibility vmaf assessmentfusion iqa arniqa
    """
)
# Settings, sizes, durations and measures of spread: neither is better, whatever the words before say
NONE_WORDS = _words(
    """
    lr learning time seconds second secs sec ms minutes hours epoch epochs step steps iteration iterations batch
    momentum decay wd norm norms grad gradient gradients scale scaler size count counts num number memory mem gpu
    cpu temperature temp throughput samples tokens examples fps speed entropy weights weight power std stddev stdev
    var variance threshold thresholds coef coeff coefficient seed factor multiplier alpha beta gamma lambda patience
    """
)
# A coefficient is a factor of a loss (see NONE_WORDS), except for these, which measure how well two things agree
MAX_WORDS |= {
    first + last
    for first in _words(
        "corr correlation concordance contingency dice jaccard kappa kendall matthews pearson sorensen spearman overlap"
    )
    for last in ("coef", "coeff", "coefficient")
} | _words("explainedvariance explainedvar")

# Parts of a name that tell members of one family apart; the family shares a graph: data loaders, Lightning's parameter
# groups, the hooks of its DeviceStatsMonitor, the pools of CUDA's memory, and the parameters of its grad_norm
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
# Before 'epoch' or 'step', these make a metric about epochs, such as 'best_epoch' and 'steps_per_epoch', while
# 'score_epoch' is a score
_ABOUT_ROUNDS = _words("per global best last current num n max min total first final warmup")


class GraphChoice(NamedTuple):
    """The graph chosen for a metric."""

    title: str
    kind: str | None  # 'min' (low values are better), 'max' (high values are better) or None (neither, or unknown)


def graph_for(name: str, graphs: Mapping[str, GraphChoice] | None = None) -> GraphChoice:
    """Return the graph for the metric `name`.

    Args:
        name: the metric's name, as a framework or a script calls it.
        graphs: the user's own choices, by the name of the metric or by the title that it would get: one for "my_score"
            also holds for `val_my_score`.

    Example:
        >>> graph_for("val_accuracy")
        GraphChoice(title='accuracy', kind='max')
        >>> graph_for("epoch_val_loss")
        GraphChoice(title='loss', kind='min')
        >>> graph_for("val_my_score", {"my_score": GraphChoice("quality", "max")})
        GraphChoice(title='quality', kind='max')
    """
    title = title_of(name)
    chosen = graphs.get(name) or graphs.get(title) if graphs else None
    return chosen or GraphChoice(title, kind_of(title))


@lru_cache(maxsize=10_000)
def title_of(name: str) -> str:
    """Return the metric's name without its stage (train, val, test, ...) and its round (step, epoch, batch).

    Example:
        >>> title_of("train/loss_step"), title_of("out_a/val_loss"), title_of("batch_size")
        ('loss', 'out_a/loss', 'batch_size')
    """
    whole = name
    for pattern, kept_part in _MEMBERS:
        whole = pattern.sub(kept_part, whole)
    parts = whole.split("/")
    parts = [part for part in parts if part.lower() not in STAGES] or parts[-1:]
    # 'epoch/loss' and 'loss/step' are losses, but 'batch/size' and 'loss/best/epoch' (an epoch) stay as they are
    without_rounds = [
        part
        for index, part in enumerate(parts)
        if part.lower() not in ROUNDS or (index and parts[index - 1].lower() in _ABOUT_ROUNDS)
    ]
    if kind_of("/".join(without_rounds)) is not None:
        parts = without_rounds
    title = "/".join(map(_bare, parts)) or name
    return title.lower() if title.lower() in MIN_WORDS | MAX_WORDS else title


@lru_cache(maxsize=10_000)
def kind_of(title: str) -> str | None:
    """Return 'min', 'max' or None, as the last word of the title that is in one of the word lists says.

    Example:
        >>> kind_of("mean_absolute_error"), kind_of("MulticlassF1Score"), kind_of("loss_scale")
        ('min', 'max', None)
    """
    words = [word.lower() for word in _WORD.findall(title)]
    if any(after == "to" and before in NONE_WORDS for before, after in pairwise(words)):
        return None  # 'time_to_accuracy' is a time
    for index in range(len(words) - 1, -1, -1):
        pair = words[index - 1] + words[index] if index else ""  # 'io_u', 'cross_entropy', 'FBeta', 'mAP'
        for word in (pair, words[index], words[index].rstrip("0123456789")):
            if word in MIN_WORDS:
                return "min"
            if word in MAX_WORDS:
                return "max"
            if word in NONE_WORDS:
                return None
    return None


def _bare(part: str) -> str:
    """Strip stages and rounds from both ends of one part of a path, as long as something is left."""
    before = ""
    while part != before:
        before = part
        if match := _BACK.search(part):
            word, rest = match[1].lower(), part[: match.start()]
            if word in ("epoch", "step"):
                is_extra = "".join(_WORD.findall(rest)[-1:]).lower() not in _ABOUT_ROUNDS
            else:  # 'loss_val' is a loss, but 't_test' is not a metric called 't'
                is_extra = word in STAGES and kind_of(rest) is not None
            part = rest if is_extra else part
        if match := _FRONT.match(part):
            word, rest = match[1].lower(), part[match.end() :]
            # 'epoch_loss' is a loss, but 'batch_size' is not a metric called 'size'
            if word in STAGES or (word in ROUNDS and kind_of(rest) is not None):
                part = rest
    return part
