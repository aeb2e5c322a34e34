// A comparison in a few plain sentences: how much every two circuits share, what all share, how far one does another's work, whether the one tells the other.
import type { ComparedPair, ComparisonRecord, OverlapMeasure } from './comparison-record.js';
import { numberText } from './number-text.js';
import type { Summary } from './summary.js';

/** Overlaps rarer by chance than this are called more than chance. */
const RARE = 0.01;

/** How a measure of overlap is called. */
export const measureNames: Readonly<Record<OverlapMeasure, string>> = {
  edgeIou: 'IoU of edges',
  nodeIou: 'IoU of nodes',
  edgeRecall: 'recall of edges',
  nodeRecall: 'recall of nodes',
};

/** '0.53', '1', '–': a share or a faithfulness to a hundredth. */
export const shareText = (value: number | null | undefined): string =>
  value === null || value === undefined
    ? '–'
    : value
        .toFixed(2)
        .replace('-', '−')
        .replace(/^−(?=0\.00$)/, '');

/** '0.012', '1.2e−11'; by its logarithm where the number itself underflows: '1e−412'. */
export const chanceText = ({ p, log10P }: { readonly p: number; readonly log10P: number }): string =>
  p > 0 ? numberText(p, p < 1e-4 ? 3 : 2) : `1e−${Math.round(-log10P)}`;

/** Says in a few sentences what circuits share and how far one does another's work; nothing that the record does not hold. */
export function summariseComparison(record: ComparisonRecord): Summary {
  return { headline: headline(record), sentences: [core(record), chance(record), ...transfer(record)].filter(Boolean) };
}

const nameOf = ({ circuits }: ComparisonRecord, place: number): string => circuits[place]?.name ?? '';

function headline(record: ComparisonRecord): string {
  const { circuits, n } = record;
  const known = record.pairs.filter(({ edges }) => edges.iou !== null);
  const sorted = [...known].sort((a, b) => (a.edges.iou ?? 0) - (b.edges.iou ?? 0));
  const [least, most] = [sorted[0], sorted.at(-1)];
  const what = `${circuits.length} circuits of ${numberText(n, 9)} edges each, before pruning`;
  if (!least || !most) return `${what}, have no edge to share.`;
  const two = (pair: ComparedPair): string =>
    `${shareText(pair.edges.iou)} (${nameOf(record, pair.first)} and ${nameOf(record, pair.second)})`;
  if (least === most) return `${what}, share ${two(most)} of their edges.`;
  return `Of ${what}, every two share between ${two(least)} and ${two(most)} of the edges that either has (IoU).`;
}

function core({ core, circuits }: ComparisonRecord): string {
  if (circuits.length < 3) return '';
  const { edges, nodes } = core;
  return `All of them have ${numberText(edges.length, 9)} ${edges.length === 1 ? 'edge' : 'edges'} and ${numberText(nodes.length, 9)} ${nodes.length === 1 ? 'node' : 'nodes'}.`;
}

function chance({ pairs }: ComparisonRecord): string {
  const [only] = pairs;
  if (only && pairs.length === 1)
    return `By chance an overlap as large has p = ${chanceText(only.edges)} for the edges and ${chanceText(only.nodes)} for the nodes (hypergeometric).`;
  const [edges, nodes] = (['edges', 'nodes'] as const).map(
    (what) => pairs.filter((pair) => pair[what].p < RARE).length,
  );
  return `More than chance gives (p < ${RARE}, hypergeometric) are ${edges} of the ${pairs.length} overlaps of edges and ${nodes} of those of nodes.`;
}

function transfer(record: ComparisonRecord): string[] {
  const { cross } = record;
  if (!cross) return [];
  const own = cross.faithfulness.flatMap((row, i) => row[i] ?? []);
  const others = cross.points.map(({ faithfulness }) => faithfulness);
  const ends = (values: readonly number[]): string =>
    `${shareText(Math.min(...values))} to ${shareText(Math.max(...values))}`;
  const sentences: string[] = [];
  if (own.length && others.length)
    sentences.push(
      `On its own task a circuit has a faithfulness of ${ends(own)}; on another’s, of ${ends(others)}, ${shareText(median(others))} in the middle.`,
    );
  const { spearman, points } = cross.correlation.edgeIou;
  const nodes = cross.correlation.nodeIou.spearman;
  if (spearman !== null)
    sentences.push(
      `The IoU of edges and the faithfulness on the other task go together with Spearman’s ρ = ${shareText(spearman)} over ${points} points${nodes === null ? '' : `, that of nodes with ${shareText(nodes)}`}; the points share circuits, so no p-value goes with this.`,
    );
  return sentences;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(middle)] ?? 0) + (sorted[Math.ceil(middle)] ?? 0)) / 2;
}
