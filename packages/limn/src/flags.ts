// What a reader should know before believing a figure of a circuit record.
import type { CircuitRecord } from '@limn/report';
import { THRESHOLDS, type Curves } from './curves.js';
import type { MethodChoice } from './methods.js';
import type { PairSets } from './pairs-source.js';

/** Fewer pairs than this leave means that one odd pair can move. */
const FEW_PAIRS = 20;

export function flagsOf(
  curves: Curves,
  sets: Pick<PairSets, 'evaluation' | 'heldOut'>,
  metric: string,
  method: MethodChoice,
): CircuitRecord['flags'] {
  const flags: { code: string; text: string }[] = [];
  const flag = (code: string, text: string): void => void flags.push({ code, text });
  const zero = curves.mib.filter((size) => size.zero).length;
  const duplicate = curves.mib.filter((size) => size.duplicate && !size.zero).length;
  if (zero > 0 || duplicate > 0) {
    flag(
      'mib-sizes',
      `MIB's ten sizes are fractions of the edge count; on this small graph ${zero} of them hold no edge and ${duplicate} repeat the one before, so CPR and CMD say little. The headline sizes are the ones to read.`,
    );
  }
  if (!sets.heldOut) flag('same-pairs', 'The circuits were measured on the pairs that they were found with.');
  if (sets.evaluation.length < FEW_PAIRS) {
    flag(
      'few-pairs',
      `Faithfulness is a mean over ${sets.evaluation.length} ${sets.evaluation.length === 1 ? 'pair' : 'pairs'} only.`,
    );
  }
  if (curves.baselines.clean === curves.baselines.corrupted) {
    flag('no-difference', 'The metric is the same on clean and corrupted prompts, so faithfulness is undefined.');
  }
  if (metric === 'kl' && method.name === 'eap') {
    flag(
      'kl-gradient',
      'The divergence from the clean run has no gradient at the clean run, so plain EAP scores every edge 0 under KL.',
    );
  }
  const unreached = curves.smallest.filter(({ n }) => n === null);
  if (unreached.length > 0 && curves.baselines.clean !== curves.baselines.corrupted) {
    flag(
      'not-reached',
      `No size reaches a faithfulness of ${unreached.map(({ threshold }) => threshold).join(' or ')}.`,
    );
  } else {
    flag(
      'chosen-on-evaluation',
      `The circuit shown is the smallest of the tested sizes that keeps ${THRESHOLDS[0]} of the behaviour; the size was chosen on the pairs that measure it.`,
    );
  }
  return flags;
}
