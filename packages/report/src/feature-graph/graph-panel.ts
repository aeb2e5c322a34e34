// What stands beside the drawing of a graph: the picked node with its edges in and out, sorted, and its dashboard.
import { drawn, type Drawn } from '../drawn.js';
import { featureCard } from '../features/feature-card.js';
import { numberText, signedText, shortDecimalsFor, tenth } from '../number-text.js';
import { headName } from './head-scores.js';
import { nodeFigures, nodeName, placeOf } from './graph-names.js';
import type { FeatureGraphNode, FeatureGraphSplit } from './graph-record.js';
import type { DrawnGraph, GraphView } from './graph-view.js';

/** Edges of each list that stand open; the others fold. */
const open = 12;
/** Heads of a split edge that are named. */
const mostHeads = 4;

export function graphPanel(view: GraphView): Drawn[] {
  const { graph, picked, pinned, links } = view;
  const node = picked === undefined ? undefined : graph.nodes[picked];
  if (picked === undefined || !node)
    return [drawn('p', { class: 'note' }, 'Pick a node to see what it is made of and what it brings.')];
  const card = cardOf(graph, picked);
  return [
    drawn(
      'div',
      { class: 'panel-head' },
      drawn('h4', {}, drawn('bdi', {}, nodeName(node, graph))),
      drawn('p', { class: 'note' }, drawn('bdi', {}, placeOf(node, graph))),
      drawn(
        'p',
        { class: 'only-live panel-buttons' },
        drawn('button', { type: 'button', 'data-pin': picked }, pinned.includes(picked) ? 'Unpin' : 'Pin'),
        drawn('button', { type: 'button', 'data-clear': '' }, 'Clear'),
      ),
      ...(node.kind === 'feature' ? [labelField(node, picked)] : []),
    ),
    drawn(
      'dl',
      {},
      ...nodeFigures(node).map(([name, value]) => drawn('div', {}, drawn('dt', {}, name), drawn('dd', {}, value))),
    ),
    ...edgeList(view, 'In', links.into(picked), 0),
    ...edgeList(view, 'Out', links.outOf(picked), 1),
    ...scoreParts(graph, node),
    ...(card ? [drawn('h5', {}, 'Its dashboard'), card] : []),
  ];
}

/** What the reader calls a feature; the graph file keeps it. */
const labelField = ({ label = '' }: FeatureGraphNode, picked: number): Drawn =>
  drawn(
    'label',
    { class: 'only-live panel-label' },
    'Label ',
    drawn('input', {
      type: 'text',
      'data-node-label': picked,
      value: label,
      maxlength: 500,
      autocomplete: 'off',
      placeholder: 'what it stands for',
    }),
  );

/** What a node brings to the scores of heads that were split, on either side. */
function scoreParts({ headScores = [] }: DrawnGraph, { id }: FeatureGraphNode): Drawn[] {
  const parts = headScores.flatMap((score) => {
    const [column, line] = [score.queries, score.keys].map((side) => side.findIndex((each) => each.id === id));
    const asQuery = score.terms.reduce((sum, terms) => sum + (terms[column ?? -1] ?? 0), 0);
    const asKey = (score.terms[line ?? -1] ?? []).reduce((sum, term) => sum + term, 0);
    return [
      ...(column === -1 ? [] : [`${headName(score)}: ${signedText(asQuery, 2)} as part of the query`]),
      ...(line === -1 ? [] : [`${headName(score)}: ${signedText(asKey, 2)} as part of the key`]),
    ];
  });
  if (!parts.length) return [];
  return [
    drawn('h5', {}, 'In scores of heads'),
    drawn('ul', { class: 'score-parts' }, ...parts.map((part) => drawn('li', {}, part))),
  ];
}

/** The dashboard of a node, if it is a feature that has one here. */
export function cardOf({ nodes, features = [] }: DrawnGraph, index: number): Drawn | undefined {
  const node = nodes[index];
  if (node?.kind !== 'feature') return undefined;
  const found = features.find(({ origin, feature }) => origin.layer === node.layer && feature === node.feature);
  return found && featureCard(found, { small: true });
}

function edgeList(view: GraphView, name: string, edges: readonly number[], end: 0 | 1): Drawn[] {
  const { graph, shown } = view;
  if (!edges.length) return [];
  const weights = edges.map((i) => graph.edges[i]?.[2] ?? 0);
  const most = Math.max(...weights.map(Math.abs), Number.MIN_VALUE);
  const decimals = Math.min(6, shortDecimalsFor(weights));
  const seen = new Set(shown.edges);
  const hidden = edges.filter((i) => !seen.has(i)).length;
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const items = edges.map((i, place) => edgeItem(view, i, end, weights[place] ?? 0, most, decimals, seen.has(i)));
  return [
    drawn(
      'h5',
      {},
      `${name}: ${numberText(edges.length, 9)} edges, sum ${signedText(total, decimals)}${hidden ? `; ${numberText(hidden, 9)} not drawn` : ''}`,
    ),
    drawn('ol', { class: 'edges' }, ...items.slice(0, open)),
    ...(items.length > open
      ? [
          drawn(
            'details',
            {},
            drawn('summary', {}, `${numberText(items.length - open, 9)} more`),
            drawn('ol', { class: 'edges' }, ...items.slice(open)),
          ),
        ]
      : []),
  ];
}

/** The node at the other end, with a bar and the signed weight; below it the heads that the edge runs through, if they are known. */
function edgeItem(
  { graph }: GraphView,
  i: number,
  end: 0 | 1,
  weight: number,
  most: number,
  decimals: number,
  isDrawn: boolean,
): Drawn {
  const other = graph.edges[i]?.[end] ?? 0;
  const node = graph.nodes[other];
  const sign = weight < 0 ? 'hinders' : 'helps';
  const splits = (graph.splits ?? [])
    .filter(({ edge }) => edge === i)
    .sort((a, b) => throughHeads(b) - throughHeads(a));
  const [widest, ...others] = splits.map((split) => drawn('p', { class: 'split' }, splitText(split, decimals)));
  return drawn(
    'li',
    { class: isDrawn ? '' : 'not-drawn' },
    drawn(
      'button',
      { type: 'button', 'data-go': other },
      drawn('bdi', {}, node ? nodeName(node, graph) : ''),
      ' ',
      drawn('i', {}, drawn('bdi', {}, node ? placeOf(node, graph) : '')),
    ),
    drawn(
      'svg',
      { class: `weight ${sign}`, viewBox: '0 0 40 9', width: 40, height: 9, 'aria-hidden': 'true' },
      drawn('rect', { x: 0, y: 0, width: Math.max(1, tenth((40 * Math.abs(weight)) / most)), height: 9 }),
    ),
    drawn('data', { class: `${sign}-text`, value: weight }, signedText(weight, decimals)),
    widest ?? false,
    others.length > 0 &&
      drawn(
        'details',
        { class: 'split' },
        drawn(
          'summary',
          {},
          `by the heads of ${others.length === 1 ? 'another layer' : `${others.length} other layers`}`,
        ),
        ...others,
      ),
  );
}

/** How much of an edge runs through the heads of a split's layer. */
const throughHeads = ({ heads }: FeatureGraphSplit): number => heads.reduce((sum, value) => sum + Math.abs(value), 0);

/** 'through 5.1 +0.52, 5.7 −0.1, 6 others 0.01; past layer 5 +0.02'. */
export function splitText({ layer, heads, past }: FeatureGraphSplit, decimals: number): string {
  const falling = heads.map((value, head) => ({ head, value })).sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
  const named = falling.slice(0, mostHeads).map(({ head, value }) => `${layer}.${head} ${signedText(value, decimals)}`);
  const rest = falling.slice(mostHeads);
  if (rest.length)
    named.push(
      `${rest.length} others ${signedText(
        rest.reduce((sum, { value }) => sum + value, 0),
        decimals,
      )}`,
    );
  return `through ${named.join(', ')}; past layer ${layer} ${signedText(past, decimals)}`;
}
