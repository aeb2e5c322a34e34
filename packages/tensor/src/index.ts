// The public list of @limn/tensor.
export {
  defineOp,
  type Forward,
  type Gradients,
  type Op,
  type OpDefinition,
  type VjpContext,
  type Wanted,
} from './define-op.js';
export { halfBits, halfValue, packF16, unpackF16 } from './f16.js';
export { groupsOf, perElement, perRow } from './grid.js';
export { add, addScaled, div, mul, neg, scale, sub } from './ops/arithmetic.js';
export { expand } from './ops/broadcast.js';
export { causalAttention } from './ops/attention.js';
export {
  attentionCandidates,
  chooseAttention,
  FUSED_HEAD_WIDTH,
  possibleAttentions,
  type AttentionKernel,
} from './ops/choose-attention.js';
export { type AttentionForm, type AttentionOptions } from './ops/attention-form.js';
export { attentionMix, attentionScores, causalSoftmax } from './ops/attention-unfused.js';
export { crossEntropy, IGNORED_TARGET } from './ops/cross-entropy.js';
export { bucketDivergence, type BucketForm } from './ops/bucket-divergence.js';
export { cellRows, type CellRows } from './ops/cell-rows.js';
export { cellAdd, cellScale, type CellScaleOptions, type ScaleForm } from './ops/cell-scale.js';
export { crossEntropyUnembed, type TileOptions } from './ops/cross-entropy-unembed.js';
export { embed } from './ops/embed.js';
export { gatherLogits, gatherProbabilities } from './ops/gather-logits.js';
export { gatherRows } from './ops/gather-rows.js';
export { gelu } from './ops/gelu.js';
export { toF16, toF32 } from './ops/half.js';
export { headProject, headPullback } from './ops/head-project.js';
export { headResults } from './ops/head-results.js';
export { type HeadsOptions } from './ops/head-runs.js';
export { jumpRelu, jumpReluCount, type JumpReluOptions } from './ops/jump-relu.js';
export { klDivergence } from './ops/kl-divergence.js';
export { layernorm, type LayernormOptions } from './ops/layernorm.js';
export { chooseRowKernel, rowKernelCandidates, type RowKernelName, type RowShape } from './ops/choose-rows.js';
export { affine, layernormParts, layernormScale, normalize, type LayernormParts } from './ops/layernorm-parts.js';
export { logSoftmax, logSumExp, softmax, type SoftmaxKernel } from './ops/log-softmax.js';
export { lowRank, lowRankByTask, lowRankDown, lowRankUp, type LowRankUpOptions } from './ops/low-rank.js';
export { matmul, type MatmulOptions } from './ops/matmul.js';
export {
  chooseMatmul,
  matmulCandidates,
  possibleMatmuls,
  type MatmulKernelName,
  type MatmulPacking,
  type MatmulPlan,
  type MatmulShape,
} from './ops/choose-matmul.js';
export { concat, permute, slice, split, stack } from './ops/movement.js';
export { dot, max, mean, sum, sumAll, type ReduceOptions } from './ops/reduce.js';
export {
  asRowBlocks,
  BLOCK_BYTES,
  byteLengthOfRows,
  MAX_BINDING_BYTES,
  rowBlocks,
  rowsPerBlock,
  type RowBlocks,
  type RowBlocksOptions,
  type RowSource,
} from './ops/row-blocks.js';
export {
  adjustLogits,
  markSeen,
  sampleTokens,
  samplingThresholds,
  tokenReport,
  tokenSets,
  tokenSetWords,
  type LogitAdjustments,
  type SamplingLimits,
} from './ops/sampling.js';
export { selectRows } from './ops/select-rows.js';
export { type SparseCodes, type SparseSelection } from './ops/sparse-codes.js';
export { sparseDecode } from './ops/sparse-decode.js';
export { activeCounts, sparseToDense } from './ops/sparse-dense.js';
export { encodeTopK, encodeTopKEach, type EncodeSelection, type EncodeTopKOptions } from './ops/sparse-encode.js';
export { type SelectionKernel } from './ops/sparse-select.js';
export { selectTopK, type SelectTopKOptions } from './ops/sparse-top-k.js';
export { slotFold, slotPullback, type FoldedSlots, type SlotFoldOptions } from './ops/slot-pullback.js';
export { TASK_RUN, taskRows, type RowTasks, type TaskRows } from './ops/task-rows.js';
export { MAX_TOP_K, topK } from './ops/top-k.js';
export { abs, exp, log, reciprocal, relu, rsqrt, sigmoid, sqrt, square, tanh, type UnaryName } from './ops/unary.js';
export { unembed } from './ops/unembed.js';
export { writeRows } from './ops/write-rows.js';
export { multiply, type GeluForm, type Multiplication, type Operand, type Placement } from './ops/multiply.js';
export { attentionDecision } from './ops/attention-choice.js';
export { matmulDecision } from './ops/matmul-choice.js';
export { layernormDecision, softmaxDecision } from './ops/row-choice.js';
export { defineDecision, type Decision } from './tuning/decision.js';
export { className, sizeClass, type CaseClass, type DecisionRules } from './tuning/decision-rules.js';
export { isTuned, kernelDecisions, kernelsInForce } from './tuning/kernel-decisions.js';
export { type TrialResult, type TrialRuns } from './tuning/run-trial.js';
export { tunable, type OpenTrial, type Trial, type TrialRules, type TunableDecision } from './tuning/trial.js';
export { tuneKernels, type TuneOptions, type TuneProgress, type Tuning } from './tuning/tune.js';
export { adamw, AdamW, type AdamWStepOptions } from './optim/adamw.js';
export type { AdamWMoments, AdamWState } from './optim/adamw-state.js';
export {
  type AdamWGroup,
  type AdamWOptions,
  type AdamWParameter,
  type AdamWTasks,
  type Proximal,
} from './optim/adamw-groups.js';
export {
  fillNormal,
  fillUniform,
  permutation,
  philox,
  randomNormal,
  randomNormalTensor,
  randomU32,
  randomU32Tensor,
  randomUniform,
  randomUniformTensor,
  type RandomSource,
} from './random.js';
export { gradients, type GradientOptions, type TapeNode } from './tape.js';
export {
  allocate,
  expectDType,
  fromData,
  keep,
  persistent,
  read,
  readFloats,
  readWords,
  Tensor,
  type DType,
  type TensorOrigin,
} from './tensor.js';
export { accumulate, assign, fill, zero } from './untaped.js';
export { detach, identity, reshape } from './views.js';
