// What the tests of all packages share.
export { CANARY_BITS, CANARY_COUNT, withCanaries, type CanaryStep, type Readable } from './canaries.js';
export { checkVjp, type DifferentiableReference, type FiniteDifferenceOptions } from './finite-difference.js';
export { testGpu } from './gpu.js';
export { kernelLedger, printLedger, readLedger, recordCase, type LedgerEntry } from './ledger.js';
export { referenceRandom, type ReferenceRandom } from './reference-rng.js';
export * as referenceAttention from './reference/attention.js';
export * as referenceEmbed from './reference/embed.js';
export * as referenceGelu from './reference/gelu.js';
export * as referenceLayernorm from './reference/layernorm.js';
export * as referenceMatmul from './reference/matmul.js';
export * as referenceUnembed from './reference/unembed.js';
export { expectClose, expectSameBits, UNIT_F16, UNIT_F32, type ClosenessCase, type Reference } from './tolerance.js';
