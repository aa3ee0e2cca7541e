"""The one naming rule, as a table of cases."""

from __future__ import annotations

import pytest

from losswise.naming import Placement, place

CASES = """
loss                            loss                        min
train_loss                      loss                        min
val_loss                        loss                        min
test_loss                       loss                        min
valid_loss                      loss                        min
validation_loss                 loss                        min
eval_loss                       loss                        min
train/loss                      loss                        min
Loss/train                      loss                        min
val.loss                        loss                        min
val-loss                        loss                        min
loss_val                        loss                        min
loss_step                       loss                        min
loss_epoch                      loss                        min
train_loss_step                 loss                        min
train/loss_epoch                loss                        min
epoch_loss                      loss                        min
epoch_val_loss                  loss                        min
batch_loss                      loss                        min
test_loss/dataloader_idx_0      loss                        min
val/loss/dataloader_idx_1       loss                        min
out_a_loss                      out_a_loss                  min
val_out_a_accuracy              out_a_accuracy              max
head1/train/loss                head1/loss                  min
dice_loss                       dice_loss                   min
cross_entropy                   cross_entropy               min
entropy                         entropy                     -
val_accuracy                    accuracy                    max
val_acc                         acc                         max
acc_step                        acc                         max
acc@1                           acc@1                       max
top_5_accuracy                  top_5_accuracy              max
sparse_categorical_accuracy     sparse_categorical_accuracy max
auc_1                           auc_1                       max
val_auc_1                       auc_1                       max
mean_io_u                       mean_io_u                   max
val_mean_absolute_error         mean_absolute_error         min
root_mean_squared_error         root_mean_squared_error     min
r2_score                        r2_score                    max
f1_score                        f1_score                    max
dev_f1                          f1                          max
recall_at_precision             recall_at_precision         max
false_positives                 false_positives             min
cosine_similarity               cosine_similarity           max
kl_divergence                   kl_divergence               min
hinge                           hinge                       min
perplexity                      perplexity                  min
wer                             wer                         min
mAP                             map                         max
val/map_50                      map_50                      max
rouge1_fmeasure                 rouge1_fmeasure             max
rougeL                          rougeL                      max
bleu                            bleu                        max
psnr                            psnr                        max
val_ssim                        ssim                        max
val_MulticlassAccuracy          MulticlassAccuracy          max
MulticlassF1Score               MulticlassF1Score           max
BinaryFBetaScore                BinaryFBetaScore            max
BinaryAUROC                     BinaryAUROC                 max
JaccardIndex                    JaccardIndex                max
CohenKappa                      CohenKappa                  max
MatthewsCorrCoef                MatthewsCorrCoef            max
R2Score                         R2Score                     max
PeakSignalNoiseRatio            PeakSignalNoiseRatio        max
RetrievalNormalizedDCG          RetrievalNormalizedDCG      max
MeanSquaredError                MeanSquaredError            min
CalibrationError                CalibrationError            min
WordErrorRate                   WordErrorRate               min
HammingDistance                 HammingDistance             min
KLDivergence                    KLDivergence                min
FrechetInceptionDistance        FrechetInceptionDistance    min
LearnedPerceptualImagePatchSimilarity  LearnedPerceptualImagePatchSimilarity  min
error_rate                      error_rate                  min
learning_rate                   learning_rate               -
lr                              lr                          -
lr-Adam                         lr-Adam                     -
lr-Adam/pg1                     lr-Adam/pg1                 -
lr-Adam-momentum                lr-Adam-momentum            -
loss_scale                      loss_scale                  -
grad_norm                       grad_norm                   -
epoch                           epoch                       -
step                            step                        -
global_step                     global_step                 -
trainer/global_step             trainer/global_step         -
best_epoch                      best_epoch                  -
steps_per_epoch                 steps_per_epoch             -
batch_size                      batch_size                  -
epoch_time                      epoch_time                  -
val_time                        time                        -
train_samples_per_second        samples_per_second          -
my_score                        my_score                    -
my_score_epoch                  my_score                    -
my_score/train                  my_score                    -
t_test                          t_test                      -
train                           train                       -
"""


@pytest.mark.parametrize("line", CASES.strip().splitlines(), ids=lambda line: line.split()[0])
def test_a_metric_belongs_on_one_graph(line: str) -> None:
    name, title, kind = line.split()
    assert place(name) == (title, None if kind == "-" else kind)


@pytest.mark.parametrize("name", ["", "/", "val/", "val_", "_", "🎉", "a" * 10_000])
def test_any_text_is_a_name(name: str) -> None:
    assert place(name).title == name


def test_a_person_chooses_by_the_metrics_name_or_its_title() -> None:
    graphs = {"my_score": ("quality", "max"), "val_loss": ("validation", "min")}
    assert place("my_score", graphs) == Placement("quality", "max")
    assert place("val_my_score", graphs) == Placement("quality", "max")
    assert place("val_loss", graphs) == Placement("validation", "min")
    assert place("train_loss", graphs) == Placement("loss", "min")


def test_a_title_alone_keeps_the_rule_for_its_kind() -> None:
    assert place("x", {"x": "dev accuracy"}) == Placement("dev accuracy", "max")
