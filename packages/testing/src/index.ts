// What the tests of all packages share.
export { CANARY_BITS, CANARY_COUNT, withCanaries, type CanaryStep, type Readable } from './canaries.js';
export { CallCounter, type Fault } from './faults/call-counter.js';
export { FaultyDevice, faultyProvider, type DeviceFault } from './faults/faulty-device.js';
export { FaultyFetch, type FetchFault } from './faults/faulty-fetch.js';
export { FaultyFs, type DiskFault } from './faults/faulty-fs.js';
export { checkVjp, type DifferentiableReference, type FiniteDifferenceOptions } from './finite-difference.js';
export { testGpu } from './gpu.js';
export { lentGpu } from './lent-gpu.js';
export {
  kernelLedger,
  ledgerRows,
  printLedger,
  readLedger,
  recordCase,
  type LedgerEntry,
  type LedgerRow,
} from './ledger.js';
export { recordResult } from './recorded-results.js';
export { refusal } from './refusal.js';
export { referenceRandom, type ReferenceRandom } from './reference-rng.js';
export * as referenceAdamw from './reference/adamw.js';
export * as referenceArithmetic from './reference/arithmetic.js';
export * as referenceAttention from './reference/attention.js';
export * as referenceBucketDivergence from './reference/bucket-divergence.js';
export * as referenceCells from './reference/cells.js';
export * as referenceCrossLayer from './reference/cross-layer.js';
export * as referenceDictionary from './reference/dictionary.js';
export * as referenceEap from './reference/eap.js';
export * as referenceEdgeScores from './reference/edge-scores.js';
export * as referenceEmbed from './reference/embed.js';
export * as referenceGather from './reference/gather.js';
export * as referenceGelu from './reference/gelu.js';
export * as referenceJumpRelu from './reference/jump-relu.js';
export * as referenceLayernorm from './reference/layernorm.js';
export * as referenceLowRank from './reference/low-rank.js';
export * as referenceMatmul from './reference/matmul.js';
export * as referenceMovement from './reference/movement.js';
export * as referenceReduce from './reference/reduce.js';
export * as referenceSampling from './reference/sampling.js';
export * as referenceSparseCodes from './reference/sparse-codes.js';
export * as referenceSlotPullback from './reference/slot-pullback.js';
export * as referenceSteering from './reference/steering.js';
export * as referenceSoftmaxLosses from './reference/softmax-losses.js';
export * as referenceUnary from './reference/unary.js';
export * as referenceUnembed from './reference/unembed.js';
export { expectClose, expectSameBits, UNIT_F16, UNIT_F32, type ClosenessCase, type Reference } from './tolerance.js';
export { hookedModelContract, type ContractCheck } from './hooked-model-contract/index.js';
export * as referenceGpt2 from './reference/gpt2/index.js';
export { ToyModel } from './toy-model/model.js';
export { type ToySizes } from './toy-model/weights.js';
