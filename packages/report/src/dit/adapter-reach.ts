// What an adapter reaches, and on which diffs: those that its training never saw, else those that its training was stopped by, which flatter it.
import type { DitAdapterRecord } from './dit-parts.js';
import { figureText } from './held-out-plot.js';

/** Figures with the diffs that they are of, in words. */
export interface AdapterReach {
  readonly figures: NonNullable<DitAdapterRecord['heldOut']>;
  readonly on: string;
}

export const reachOf = ({ heldOut = [], validated = [] }: DitAdapterRecord): AdapterReach =>
  heldOut.length > 0
    ? { figures: heldOut, on: 'diffs that its training never saw' }
    : { figures: validated, on: 'the diffs that its training was stopped by' };

/** The headline in a sentence. */
export function reachSentence(adapter: DitAdapterRecord): string {
  const {
    figures: [first],
    on,
  } = reachOf(adapter);
  return first
    ? `On ${on}, the adapter’s ${first.what} is ${figureText(first)}.`
    : 'It is not known how often the adapter is right on diffs that it was not trained on.';
}
