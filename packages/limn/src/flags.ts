// What a reader should know before believing a figure of a circuit record.
import type { FaithfulnessCurves, SmallestCircuit } from '@limn/attribution';
import type { CircuitRecord } from '@limn/report';
import type { UnitFindings } from './circuit-record.js';
import type { LearntMasks } from './learnt-masks.js';
import type { LeftOutPair } from './left-out.js';
import type { MethodChoice } from './methods.js';
import type { PairSets } from './pairs-source.js';
import { sharedFlags, sharedPairs } from './shared-pairs.js';
import { FAITHFUL } from './shown-circuit.js';

/** With fewer pairs than this, one odd pair moves the mean. */
const FEW_PAIRS = 20;

/** Codes that the terminal leaves to the report: of areas that it does not print, of what another of its lines says, and of every run. */
const FOR_THE_REPORT = new Set([
  'size-zero',
  'size-duplicate',
  'not-reached',
  'chosen-on-evaluation',
  'stability-unknown',
  'pairs-left-out',
  'masks-learnt',
  'chosen-by-nodes',
  'chosen-by-neurons',
]);

/** What puts the figures on the terminal in doubt. */
export function doubts(flags: CircuitRecord['flags']): readonly string[] {
  return flags.filter(({ code }) => !FOR_THE_REPORT.has(code)).map(({ text }) => text);
}

/** Why it is not known how far the circuit depends on the pairs of the search. */
export function stabilityFlags(missing: string | undefined): CircuitRecord['flags'] {
  if (missing === undefined) return [];
  return [
    {
      code: 'stability-unknown',
      text: `How far the circuit depends on the pairs of the search was not measured: ${missing}.`,
    },
  ];
}

/** Most characters of one flag, and most flags of this kind: a record holds 10,000 and 100. */
const [FLAG_LENGTH, FLAGS] = [8000, 60];
const LEFT_OUT = {
  search: 'The scores were made without',
  measurement: 'Faithfulness was measured without',
  both: 'The circuit was found and measured without',
} as const;

/** Pairs that were left out, every one by name, with as many flags as that takes. */
export function leftOutFlags(pairs: readonly LeftOutPair[]): CircuitRecord['flags'] {
  const flags = (['both', 'search', 'measurement'] as const).flatMap((of) => {
    const own = pairs.filter((pair) => pair.of === of);
    const texts: string[] = [];
    for (const { where, code, reason } of own) {
      const named = `${where}: ${reason} (${code})`;
      const last = texts.at(-1);
      if (last === undefined || last.length + named.length > FLAG_LENGTH) texts.push(named);
      else texts[texts.length - 1] = `${last}; ${named}`;
    }
    const count = own.length === 1 ? 'one pair' : `${own.length} pairs`;
    return texts.map((text) => ({ code: 'pairs-left-out', text: `${LEFT_OUT[of]} ${count}: ${text}.` }));
  });
  if (flags.length <= FLAGS) return flags;
  const text = `${pairs.length} pairs were left out in all: more than can be named here. \`limn pairs\` names them.`;
  return [...flags.slice(0, FLAGS), { code: 'pairs-left-out', text }];
}

/** The curves' own flags, and those that follow from the pairs, the metric and the method. */
export function flagsOf(
  curves: FaithfulnessCurves,
  sets: Pick<PairSets, 'discovery' | 'evaluation'>,
  metric: string,
  method: MethodChoice,
  searched?: number,
): CircuitRecord['flags'] {
  const { evaluation } = sets;
  const flags = [...curves.flags, ...sharedFlags(sharedPairs(sets), evaluation.length)];
  const flag = (code: string, text: string): void => void flags.push({ code, text });
  if (evaluation.length < FEW_PAIRS) {
    const pairs = evaluation.length === 1 ? 'one pair' : `${evaluation.length} pairs`;
    flag('few-pairs', `Faithfulness is a mean over ${pairs} only.`);
  }
  if (metric === 'kl' && method.name === 'eap') {
    flag(
      'kl-gradient',
      'The divergence from the clean run has no gradient at the clean run, so plain EAP scores every edge 0 under KL.',
    );
  }
  const missed = curves.smallest.filter(({ n }) => n === null).map(({ threshold }) => threshold);
  if (missed.length > 0) flag('not-reached', `No tested size reaches a faithfulness of ${missed.join(' or ')}.`);
  const kept = searched ?? FAITHFUL;
  if (!missed.includes(kept)) {
    const how = searched === undefined ? 'smallest tested one' : 'smallest that a search found';
    flag(
      'chosen-on-evaluation',
      `The circuit shown is the ${how} that keeps ${kept} of the behaviour; its size was chosen on the pairs that measure it.`,
    );
  }
  return flags;
}

/** What the sizes of a curve are where circuits were not chosen by edges. */
export function unitFlags(units: UnitFindings | undefined, n: number): CircuitRecord['flags'] {
  if (units === undefined) return [];
  const { unit, scores, chosen } = units;
  const of = unit === 'node' ? scores.values.length : (scores.neurons?.length ?? 0);
  const size =
    unit === 'node'
      ? 'Sizes are the edges between chosen nodes'
      : 'Sizes are edges, each weighted by the share of neurons that its source keeps';
  return [
    {
      code: `chosen-by-${unit}s`,
      text: `The circuits were chosen by ${unit}s, which bring every edge out of them: the one shown by the top ${chosen.get(n)?.units ?? 0} of ${of}. ${size}; MIB’s areas are not defined for them.`,
    },
  ];
}

/** A number of open gates that moves by more than this in the last tenth of the updates has not settled. */
const SETTLED = 0.02;

/** How the learning of masks ended. */
export function maskFlags(masks: LearntMasks | undefined): CircuitRecord['flags'] {
  if (masks === undefined) return [];
  const { updates, loss, expected, edges, drift } = masks;
  const flags = [
    {
      code: 'masks-learnt',
      text: `After ${updates} updates the loss is ${Number(loss.toPrecision(4))} with ${Number(expected.toPrecision(4))} edges expected open; ${edges} are open more often than not, which is the circuit that was learnt and a size of the curve.`,
    },
  ];
  if (edges === 0)
    return [
      ...flags,
      { code: 'masks-empty', text: 'Not one gate stayed open: the circuits shown rank closed gates only.' },
    ];
  if (drift <= SETTLED) return flags;
  const moved = `The number of open edges still moved by ${Math.round(100 * drift)} % in the last tenth of the updates: the masks have not settled.`;
  return [...flags, { code: 'masks-unsettled', text: moved }];
}

/** What a search for the smallest circuit left open. */
export function searchFlags(search: SmallestCircuit | undefined): CircuitRecord['flags'] {
  if (search === undefined) return [];
  const { threshold, found, setbacks, passesFrom } = search;
  if (found === null)
    return [
      { code: 'threshold-not-reached', text: `No size that the search ran reaches a faithfulness of ${threshold}.` },
    ];
  if (setbacks.length === 0) return [];
  const beyond = passesFrom === null ? 'no size' : `size ${passesFrom}`;
  return [
    {
      code: 'search-setbacks',
      text: `Faithfulness does not only rise with size: of the sizes beyond the one found (${found.n}), ${setbacks.length} that were run fall below ${threshold} again, and from ${beyond} on all pass. Smaller ones that were not run may pass as well.`,
    },
  ];
}
