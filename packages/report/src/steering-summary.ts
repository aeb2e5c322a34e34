// A steering in a few plain sentences: how often it works and what it costs, how few cells do it, what agrees with them, whether they are the cause.
import { strongestCell } from './cell-map.js';
import { numberText, percentText } from './number-text.js';
import { factorOf, factorText, isWhole, siteName } from './steering-cell.js';
import { parityHeadline } from './parity-words.js';
import type { SteeringRecord } from './steering-record.js';
import type { Summary } from './summary.js';
import { bare, measureName } from './token-words.js';

/** Says what a record holds, and nothing that it does not. */
export function summariseSteering(record: SteeringRecord): Summary {
  return {
    headline: headline(record),
    sentences: [
      reach(record),
      strongest(record),
      strengths(record),
      others(record),
      agreement(record),
      verdict(record),
    ].filter(Boolean),
  };
}

/** Methods as one says them. */
const methodNames = new Map([
  ['activ-scalar', 'Activation scaling'],
  ['steer-vec', 'Steering vectors'],
  ['dyn-scalar', 'Dynamic scalars'],
  ['dimension-scale', 'Scales per dimension'],
  ['subspace-scale', 'Scales in a subspace'],
  ['gated-scalar', 'Gated scalars'],
]);

/** 'Activation scaling' for 'activ-scalar'; a name that is not known stands as it is. */
export const methodName = (kind: string): string => methodNames.get(kind) ?? kind;

/** Whether a steering was learnt for a single prompt, and measured on no other. */
const isOfOnePrompt = ({ task }: SteeringRecord): boolean => task?.train === 1 && !task.validation && !task.test;

/** What a steering of one prompt cannot say. */
const reach = (record: SteeringRecord): string =>
  isOfOnePrompt(record)
    ? (record.task?.description ?? 'It was learnt from this one prompt, and speaks of no other.')
    : '';

function headline(record: SteeringRecord): string {
  const { method, grid, methods = [], sweep = [], path } = record;
  const live = grid?.live.filter(Boolean).length;
  const kept = grid?.values.filter((value, i) => grid.live[i] && value !== null && value !== 0).length;
  const cells =
    live !== undefined && kept !== undefined && grid?.sites.every(isWhole)
      ? ` with ${numberText(kept, 9)} of ${numberText(live, 9)} live cells`
      : method.nonZero === undefined
        ? ` with ${numberText(method.parameters, 9)} numbers`
        : ` with ${numberText(method.nonZero, 9)} of ${numberText(method.parameters, 9)} numbers`;
  const own = methods.find((each) => each.own);
  const name = methodName(method.kind);
  const alike = record.parity && parityHeadline(record.parity);
  if (alike) return `${name}${cells} ${alike}`;
  if (own)
    return `${name}${cells} flips ${spreadText(own.twoWaySuccess, percentText)} of unseen prompts both ways, at a KL of ${spreadText(own.drift, (value) => numberText(value, 2))} nats.`;
  const chosen = path?.points[path.chosen];
  if (chosen)
    return `${name}${cells} flips ${percentText(chosen.twoWaySuccess)} of prompts both ways, at a KL of ${numberText(chosen.drift, 2)} nats.`;
  const [up, down] = [1, -1].map((strength) => sweep.find((each) => each.strength === strength));
  if (up && down && isOfOnePrompt(record)) {
    const ways = [up.flipped === 1 && 'the one answer at β = +1', down.flipped === 1 && 'the other at β = −1'];
    return `${name}${cells}: behind this prompt the model prefers ${ways.filter(Boolean).join(', ') || 'neither answer as it is asked to'}.`;
  }
  if (up && down)
    return `${name}${cells}: ${percentText(up.flipped)} of prompts prefer the one answer at β = +1, ${percentText(down.flipped)} the other at β = −1.`;
  return `${name}${cells}.`;
}

/** '0.93 ± 0.02' with its unit's text. */
export function spreadText(
  { mean, deviation }: { readonly mean: number; readonly deviation: number | null },
  say: (value: number) => string,
): string {
  return deviation === null ? say(mean) : `${say(mean).replace(/ %$/, '')} ± ${say(deviation)}`;
}

function strongest({ grid, method, prompts }: SteeringRecord): string {
  if (!grid) return '';
  const at = strongestCell(grid);
  const value = grid.values[at] ?? 0;
  if (value === 0) return 'Every cell is 0: the model is left as it is.';
  const [L, P] = [grid.layers.length, grid.positions.length];
  const site = grid.sites[Math.floor(at / (L * P))] ?? '';
  const position = at % P;
  const token = prompts[0]?.tokens.find((each) => each.position === position)?.text;
  const where = `${siteName(site)} of layer ${grid.layers[Math.floor(at / P) % L]} at ${token === undefined ? `position ${grid.positions[position]}` : `“${bare(token)}”`}`;
  const size = `${measureName(grid.measure)} = ${numberText(value)}`;
  if (grid.measure !== 'alpha' || !isWhole(site)) return `The strongest cell is ${where}, ${size}.`;
  const settings = { form: method.form ?? 'linear', bound: method.bound ?? 3 } as const;
  const [up, down] = [factorOf(value, settings), factorOf(-value, settings)];
  return `The strongest cell is ${where}, ${size}: ${factorText(up)} at β = +1, ${factorText(down)} at −1.`;
}

function strengths({ sweep = [] }: SteeringRecord): string {
  const [first, last] = [sweep[0], sweep.at(-1)];
  if (!first || !last || first === last) return '';
  const delta = ({ strength, effect }: typeof first): number => (strength < 0 ? -effect : effect);
  const rising = sweep.every((each, i) => i === 0 || delta(each) >= delta(sweep[i - 1] ?? each));
  return `From β = ${numberText(first.strength)} to ${numberText(last.strength)} the mean logit difference goes from ${numberText(delta(first))} to ${numberText(delta(last))}${rising ? ', rising all the way' : ''}.`;
}

function others({ methods = [] }: SteeringRecord): string {
  const own = methods.find((each) => each.own);
  const [best] = methods
    .filter((each) => !each.own)
    .sort((a, b) => b.twoWaySuccess.mean - a.twoWaySuccess.mean || a.drift.mean - b.drift.mean);
  if (!own || !best) return '';
  const size = (parameters: number | undefined): string =>
    parameters === undefined ? '' : ` with ${numberText(parameters, 9)} numbers`;
  return `Of the others ${best.name} does best, ${spreadText(best.twoWaySuccess, percentText)}${size(best.parameters)}${own.parameters === undefined ? '' : ` beside ${numberText(own.parameters, 9)} here`}.`;
}

function agreement({ comparisons = [] }: SteeringRecord): string {
  const known = comparisons.flatMap(({ measure, agreement: found }) =>
    found && found.spearman !== null ? [{ measure, ...found, spearman: found.spearman }] : [],
  );
  const [most] = known.sort((a, b) => b.spearman - a.spearman);
  if (!most) return '';
  const { k, value } = most.topJaccard;
  return `Of the measures of the same cells ${most.measure} agrees most, Spearman’s ρ = ${numberText(most.spearman, 2)}${value === null ? '' : `, top-${k} Jaccard ${numberText(value, 2)}`}.`;
}

function verdict({ verdict: judged }: SteeringRecord): string {
  if (!judged) return '';
  const { effect, interval, p, supported, stability } = judged;
  return `That these cells are the cause is ${supported ? 'supported' : 'not supported'}: Δ moves by ${numberText(effect)} logits (95 % of it ${numberText(interval.low)} to ${numberText(interval.high)}), shuffled cells do as much with p = ${numberText(p, 2)}${stability === null ? '' : `, and ${percentText(stability)} of the cells come back on redrawn prompts`}.`;
}
