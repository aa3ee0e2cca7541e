"""The choice of a graph by a metric's name, as a table of cases."""

from __future__ import annotations

import importlib
import os
import re

import pytest

from losswise.arguments import checked_graphs
from losswise.naming import GraphChoice, graph_for

os.environ.setdefault("KERAS_BACKEND", "torch")

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
val_out_a_loss                  out_a_loss                  min
out_a_mean_absolute_error       out_a_mean_absolute_error   min
val_out_b_top_k_accuracy        out_b_top_k_accuracy        max
val.out_a.auc                   out_a.auc                   max
metrics/val/f1/dataloader_idx_0  metrics/f1                 max
fold1/val_loss                  fold1/loss                  min
model.head.val_loss             model.head.val_loss         min
test_acc/dataloader_idx_12      acc                         max
eval_runtime                    runtime                     -
eval_samples_per_second         samples_per_second          -
val_out_a_accuracy              out_a_accuracy              max
head1/train/loss                head1/loss                  min
dice_loss                       dice_loss                   min
cross_entropy                   cross_entropy               min
entropy                         entropy                     -
epoch/loss                      loss                        min
step/loss                       loss                        min
train/epoch/loss                loss                        min
loss/step                       loss                        min
epoch/val/accuracy              accuracy                    max
batch/size                      batch/size                  -
trainer/epoch                   trainer/epoch               -
epoch/time                      epoch/time                  -
loss/best/epoch                 loss/best/epoch             -
loss_weight                     loss_weight                 -
val_loss_weight                 loss_weight                 -
kl_weight                       kl_weight                   -
loss/weight                     loss/weight                 -
kl_coef                         kl_coef                     -
vf_loss_coefficient             vf_loss_coefficient         -
reward_coef                     reward_coef                 -
dice_coef                       dice_coef                   max
val_dice_coefficient            dice_coefficient            max
corr_coef                       corr_coef                   max
explained_variance              explained_variance          max
reward_variance                 reward_variance             -
accuracy_std                    accuracy_std                -
val_accuracy_std                accuracy_std                -
reward_std                      reward_std                  -
reward/std                      reward/std                  -
loss_stddev                     loss_stddev                 -
f1_threshold                    f1_threshold                -
time_to_accuracy                time_to_accuracy            -
val_time_to_accuracy            time_to_accuracy            -
steps_to_loss                   steps_to_loss               -
image_to_text_loss              image_to_text_loss          min
signal_to_noise_ratio           signal_to_noise_ratio       max
rand_seed                       rand_seed                   -
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
lr-Adam/pg1                     lr-Adam                     -
lr-Adam/pg2-momentum            lr-Adam-momentum            -
lr-Adam-weight_decay            lr-Adam-weight_decay        -
lr-bert                         lr-bert                     -
grad_2.0_norm/layer.0.weight    grad_2.0_norm               -
grad_2.0_norm_total             grad_2.0_norm               -
grad_inf_norm_total             grad_inf_norm               -
DeviceStatsMonitor.on_train_batch_start/cpu_percent  cpu_percent  -
DeviceStatsMonitor.on_train_batch_end/allocated_bytes.all.current  allocated_bytes  -
DeviceStatsMonitor.on_train_batch_start/allocated_bytes.small_pool.peak  allocated_bytes  -
DeviceStatsMonitor.on_train_batch_start/active.large_pool.freed  active.total  -
DeviceStatsMonitor.on_train_batch_start/num_ooms  num_ooms      -
train/device/batches_per_sec    device/batches_per_sec      -
validate/samples                samples                     -
validate/loss                   loss                        min
train|loss                      train|loss                  min
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


TORCHMETRICS = {
    "max": """
        AUROC Accuracy AdjustedMutualInfoScore AdjustedRandScore AveragePrecision BERTScore BLEUScore CHRFScore
        CLIPImageQualityAssessment CLIPScore CalinskiHarabaszScore ClusterAccuracy CohenKappa
        CompleteIntersectionOverUnion CompletenessScore ComplexScaleInvariantSignalNoiseRatio ConcordanceCorrCoef
        CosineSimilarity CramersV CriticalSuccessIndex DeepNoiseSuppressionMeanOpinionScore DiceScore
        DistanceIntersectionOverUnion DunnIndex ExactMatch ExplainedVariance F1Score FBetaScore FleissKappa
        FowlkesMallowsIndex GeneralizedDiceScore GeneralizedIntersectionOverUnion HomogeneityScore InceptionScore
        IntersectionOverUnion JaccardIndex KendallRankCorrCoef LogAUC MatthewsCorrCoef MeanAveragePrecision MeanIoU
        ModifiedPanopticQuality MultiScaleStructuralSimilarityIndexMeasure MutualInfoScore NegativePredictiveValue
        NonIntrusiveSpeechQualityAssessment NormalizedMutualInfoScore PanopticQuality PeakSignalNoiseRatio
        PeakSignalNoiseRatioWithBlockedEffect PearsonCorrCoef PearsonsContingencyCoefficient
        PerceptualEvaluationSpeechQuality Precision PrecisionAtFixedRecall PrecisionRecallCurve
        QualityWithNoReference R2Score ROC ROUGEScore RandScore RankingAveragePrecision Recall
        RecallAtFixedPrecision RetrievalAUROC RetrievalHitRate RetrievalMAP RetrievalMRR RetrievalNormalizedDCG
        RetrievalPrecision RetrievalPrecisionRecallCurve RetrievalRPrecision RetrievalRecall
        RetrievalRecallAtFixedPrecision SacreBLEUScore ScaleInvariantSignalDistortionRatio
        ScaleInvariantSignalNoiseRatio SensitivityAtSpecificity ShortTimeObjectiveIntelligibility
        SignalDistortionRatio SignalNoiseRatio SourceAggregatedSignalDistortionRatio SpatialCorrelationCoefficient
        SpearmanCorrCoef Specificity SpecificityAtSensitivity SpeechReverberationModulationEnergyRatio
        StructuralSimilarityIndexMeasure TheilsU TschuprowsT UniversalImageQualityIndex VMeasureScore
        VideoMultiMethodAssessmentFusion VisualInformationFidelity WordInfoPreserved
    """,
    "min": """
        CalibrationError CharErrorRate ContinuousRankedProbabilityScore CoverageError DaviesBouldinScore
        DeepImageStructureAndTextureSimilarity EER EditDistance ErrorRelativeGlobalDimensionlessSynthesis
        ExtendedEditDistance FrechetInceptionDistance HammingDistance HausdorffDistance HingeLoss InfoLM
        JensenShannonDivergence KLDivergence KernelInceptionDistance LearnedPerceptualImagePatchSimilarity
        LipVertexError LogCoshError MatchErrorRate MeanAbsoluteError MeanAbsolutePercentageError MeanSquaredError
        MeanSquaredLogError MemorizationInformedFrechetInceptionDistance MinkowskiDistance
        NormalizedRootMeanSquaredError PerceptualPathLength Perplexity ProcrustesDisparity RankingLoss
        RelativeAverageSpectralError RelativeSquaredError RetrievalFallOut RootMeanSquaredErrorUsingSlidingWindow
        SpatialDistortionIndex SpectralAngleMapper SpectralDistortionIndex SymmetricMeanAbsolutePercentageError
        TotalVariation TranslationEditRate TweedieDevianceScore WeightedMeanAbsolutePercentageError WordErrorRate
        WordInfoLost
    """,
    None: """
        BaseAggregator BootStrapper CatMetric ClasswiseWrapper ConfusionMatrix Fairness FeatureShare GroupStatRates
        LambdaInputTransformer MaxMetric MeanMetric Metric MetricInputTransformer MetricTracker MinMaxMetric MinMetric
        MultioutputWrapper MultitaskWrapper PermutationInvariantTraining Running RunningMean RunningSum SQuAD
        StatScores SumMetric TargetTransformer
    """,
}
KERAS = {
    "max": """
        auc accuracy binary_accuracy binary_io_u categorical_accuracy concordance_correlation cosine_similarity
        f1_score f_beta_score io_u mean_io_u one_hot_io_u one_hot_mean_io_u pearson_correlation precision
        precision_at_recall r2_score recall recall_at_precision sensitivity_at_specificity
        sparse_categorical_accuracy sparse_top_k_categorical_accuracy specificity_at_sensitivity
        top_k_categorical_accuracy true_negatives true_positives
    """,
    "min": """
        binary_crossentropy binary_focal_crossentropy categorical_crossentropy categorical_focal_crossentropy
        categorical_generalized_cross_entropy categorical_hinge ctc false_negatives false_positives hinge huber
        kl_divergence log_cosh log_cosh_error mean_absolute_error mean_absolute_percentage_error mean_squared_error
        mean_squared_logarithmic_error poisson root_mean_squared_error sparse_categorical_crossentropy squared_hinge
    """,
    None: "mean mean_metric_wrapper metric sum",
}
KERAS_LOOKED_AT = "3.15."
"""The version that the table is of."""
KERAS_EXCEPTIONS = {
    "loss": "the base class",
    "circle": "a loss that is drawn as 'loss'; by itself the word says nothing",
    "tversky": "likewise: an index of that name is better the greater it is",
    "dice": "a loss that is drawn as 'loss'; a metric called 'dice' is the score",
}


def by_name(table: dict[str | None, str]) -> dict[str, str | None]:
    return {name: kind for kind, names in table.items() for name in names.split()}


@pytest.mark.parametrize("stage", ["", "val_", "train/"])
@pytest.mark.parametrize(("name", "kind"), by_name(TORCHMETRICS).items())
def test_a_metric_of_torchmetrics(name: str, kind: str | None, stage: str) -> None:
    title, found = graph_for(stage + name)
    assert (title.lower(), found) == (name.lower(), kind)


@pytest.mark.parametrize("stage", ["", "val_", "val_out_a_"])
@pytest.mark.parametrize(("name", "kind"), by_name(KERAS).items())
def test_a_metric_of_keras(name: str, kind: str | None, stage: str) -> None:
    assert graph_for(stage + name).kind == kind


def test_the_table_has_what_torchmetrics_has() -> None:
    torchmetrics = pytest.importorskip("torchmetrics")
    known = by_name(TORCHMETRICS)
    folders = "aggregation audio classification clustering detection image multimodal nominal regression retrieval"
    modules = [importlib.import_module(f"torchmetrics.{name}") for name in f"{folders} text wrappers".split()]
    found = {
        re.sub("^(Binary|Multiclass|Multilabel)", "", name): kind
        for module in [torchmetrics, *modules]
        for name, kind in vars(module).items()
        if isinstance(kind, type) and issubclass(kind, torchmetrics.Metric)
    }
    assert len(found.keys() & known.keys()) > 100
    if torchmetrics.__version__.startswith("1.9."):
        assert found.keys() <= known.keys(), "a metric that the table lacks"
    # where torchmetrics itself says which is better, the table agrees, but for three that have it the wrong way round
    wrong = {"DaviesBouldinScore", "SpectralDistortionIndex", "WordInfoPreserved"}
    says = {True: "max", False: "min"}
    for name in sorted(found.keys() & known.keys() - wrong):
        theirs = says.get(getattr(found[name], "higher_is_better"))  # noqa: B009 - a class of another package
        assert theirs is None or known[name] in (theirs, None), name


def test_the_table_has_what_keras_has() -> None:
    """A name that is new is to be looked at where it has no kind; in the version looked at, any."""
    keras = pytest.importorskip("keras")
    known = by_name(KERAS).keys() | KERAS_EXCEPTIONS.keys()
    found = {
        re.sub(r"(?<=[a-z\d])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
        for module, base in ((keras.metrics, keras.metrics.Metric), (keras.losses, keras.losses.Loss))
        for name, kind in vars(module).items()
        if isinstance(kind, type) and issubclass(kind, base)
    }
    assert {name for name in found - known if graph_for(name).kind is None} == set()
    if keras.__version__.startswith(KERAS_LOOKED_AT):
        assert found == known
    else:
        assert len(found & known) > 35, sorted(found - known)


@pytest.mark.parametrize("line", CASES.strip().splitlines(), ids=lambda line: line.split()[0])
def test_a_metric_belongs_on_one_graph(line: str) -> None:
    name, title, kind = line.split()
    assert graph_for(name) == (title, None if kind == "-" else kind)


@pytest.mark.parametrize("name", ["", "/", "val/", "val_", "_", "🎉", "a" * 10_000])
def test_any_text_is_a_name(name: str) -> None:
    assert graph_for(name).title == name


def test_a_person_chooses_by_the_metrics_name_or_its_title() -> None:
    graphs = checked_graphs({"my_score": ("quality", "max"), "val_loss": ("validation", "min"), "x": "dev accuracy"})
    assert graph_for("my_score", graphs) == GraphChoice("quality", "max")
    assert graph_for("val_my_score", graphs) == GraphChoice("quality", "max")
    assert graph_for("val_loss", graphs) == GraphChoice("validation", "min")
    assert graph_for("train_loss", graphs) == GraphChoice("loss", "min")
    assert graph_for("x", graphs) == GraphChoice("dev accuracy", "max")  # a title alone keeps the rule for its kind
