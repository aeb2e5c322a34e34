// Which kernel runs the rows of LayerNorm and softmax, as decisions that can be measured: classes of rows and width.
import { defineDecision, type Decision } from '../tuning/decision.js';
import { sizeClass } from '../tuning/decision-rules.js';
import { chooseRowKernel, rowKernelCandidates, type RowKernelName, type RowShape } from './choose-rows.js';

function rowDecision(name: string, cases: readonly RowShape[]): Decision<RowShape, RowKernelName> {
  return defineDecision({
    name,
    // Rows that are not of whole vec4s have fewer kernels.
    classOf: ({ rows, width }) => ({
      kind: width % 4 === 0 ? '' : 'odd',
      sizes: { rows: sizeClass(rows), width: sizeClass(width) },
    }),
    rule: chooseRowKernel,
    candidates: rowKernelCandidates,
    nameOf: (kernel) => kernel,
    cases,
  });
}

/** The kernel of layernorm, forward and backward: of GPT-2's widths for a token, a prompt and batches, and of pocket's. */
export const layernormDecision = rowDecision('layernorm', [
  { rows: 1, width: 768 },
  { rows: 1024, width: 768 },
  { rows: 48, width: 768 },
  { rows: 3072, width: 64 },
  { rows: 16, width: 768 },
  { rows: 4096, width: 768 },
  { rows: 4096, width: 1600 },
]);

/** The kernel of softmax and causalSoftmax, forward and backward: rows are those of all heads of a prompt. */
export const softmaxDecision = rowDecision('softmax', [
  { rows: 12, width: 256 },
  { rows: 3072, width: 64 },
  { rows: 12_288, width: 256 },
  { rows: 12_288, width: 1024 },
]);
