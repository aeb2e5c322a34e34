// What a record says about how far its own figures can be trusted, in sentences: bands, controls, stability, knock-outs, further metrics.
import { baselinesOf } from './curve-baselines.js';
import { knockOutSentence } from './knock-out-plot.js';
import { numberText, percentText, ratioText } from './number-text.js';
import type { CircuitRecord } from './record.js';

/** An edge that this share of the resamples has is called stable. */
const STABLE = 0.95;

/** Only what the record holds; an older record gives none. */
export function doubtSentences(record: CircuitRecord): string[] {
  const { knockOut } = record;
  return [
    bandOf(record),
    controls(record),
    stability(record),
    knockOut ? knockOutSentence(knockOut) : '',
    further(record),
  ].filter(Boolean);
}

/** The headline curve's point of the marked circuit. */
function pointOf({ curves, circuit }: CircuitRecord) {
  const of = curves.filter(({ selection }) => selection === circuit.selection);
  return of.flatMap(({ points }) => points).find(({ n, band, also }) => n === circuit.n && (band || also));
}

function bandOf(record: CircuitRecord): string {
  const band = pointOf(record)?.band;
  if (!band || !record.bands) return '';
  if (band.low === null || band.high === null)
    return `Its faithfulness has no band over the pairs: ${band.reason ?? 'no reason recorded'}.`;
  return `With the pairs of the measurement drawn again, its faithfulness lies between ${ratioText(band.low)} and ${ratioText(band.high)} (${percentText(record.bands.confidence)} of ${numberText(record.bands.resamples, 9)} draws).`;
}

function controls(record: CircuitRecord): string {
  const at = (name: string) => {
    const baseline = baselinesOf(record).find((b) => b.name === name);
    const point = baseline?.points.find(({ n }) => n === record.circuit.n);
    return baseline && point && { ...point, draws: baseline.draws };
  };
  const random = at('random-connected');
  const units = record.method.unit && at(`random ${record.method.unit}s`);
  const delta = at('delta-ranking');
  const parts = [
    random &&
      (random.draws === 1
        ? `a random connected circuit as large and as deep keeps ${ratioText(random.faithfulness)}`
        : `random connected circuits as large and as deep keep ${ratioText(random.faithfulness)} on average (${random.draws} of them, ${ratioText(random.low)} to ${ratioText(random.high)})`),
    units &&
      `as many random ${record.method.unit}s keep ${ratioText(units.faithfulness)}${units.draws === 1 ? '' : ` on average (${units.draws} times, ${ratioText(units.low)} to ${ratioText(units.high)})`}`,
    delta &&
      `as many edges by |Δ| alone, without gradients, keep ${ratioText(delta.faithfulness)}${delta.kept === 0 ? ', since none of them lies on a path from input to logits' : ''}`,
  ].filter((part) => part !== undefined);
  return parts.length ? `Beside its ${ratioText(record.circuit.faithfulness)}, ${parts.join('; ')}.` : '';
}

function stability({ stability, circuit, edges }: CircuitRecord): string {
  if (!stability) return '';
  const { resamples, jaccard, selected } = stability;
  const stable = selected.filter(([index, share]) => edges[index]?.[2] && share >= STABLE).length;
  return `Found again from pairs of the search drawn with replacement (${numberText(resamples, 9)} times), other circuits share ${percentText(jaccard.withAll)} of all edges in either with it on average (Jaccard); ${numberText(stable, 9)} of its ${numberText(circuit.kept, 9)} edges are there in at least ${percentText(STABLE)} of them.`;
}

function further(record: CircuitRecord): string {
  const also = pointOf(record)?.also;
  if (!also || !record.also) return '';
  const parts: string[] = [];
  const right = also['accuracy'];
  if (right?.value !== undefined && right.value !== null && record.also['accuracy'])
    parts.push(
      `it gives the right answer on ${percentText(right.value)} of the pairs, the whole model on ${percentText(record.also['accuracy'].clean)}`,
    );
  const divergence = also['kl'];
  if (divergence?.value !== undefined && divergence.value !== null && record.also['kl'])
    parts.push(
      `its next-token distribution is ${numberText(Math.abs(divergence.value))} nats from the whole model’s, the empty circuit’s ${numberText(Math.abs(record.also['kl'].corrupted))}`,
    );
  const all = parts.join('; ');
  return all && `${all.charAt(0).toUpperCase()}${all.slice(1)}.`;
}
