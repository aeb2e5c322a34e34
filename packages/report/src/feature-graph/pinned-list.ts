// Pinned nodes and the supernodes they are grouped into, each with what it brings to the picked node.
import { drawn, type Drawn } from '../drawn.js';
import { numberText } from '../number-text.js';
import { leastAlike, proposalsFor } from './graph-proposals.js';
import { nodeName, placeOf } from './graph-names.js';
import type { GraphView } from './graph-view.js';

export function pinnedList(view: GraphView): Drawn[] {
  const { pinned, supernodes } = view;
  const grouped = new Set(supernodes.flatMap(({ members }) => members));
  const loose = pinned.filter((node) => !grouped.has(node));
  if (!pinned.length && !supernodes.length)
    return [drawn('p', { class: 'note' }, 'Nothing is pinned yet: pick a node and pin it, or press P on it.')];
  return [
    ...supernodes.map(({ name, members }, i) =>
      drawn(
        'div',
        { class: 'supernode', 'data-supernode': i },
        drawn(
          'h4',
          {},
          drawn('bdi', {}, name),
          ' ',
          drawn('span', {}, `${numberText(members.length, 9)} nodes${brings(view, members)}`),
        ),
        drawn('ul', {}, ...members.map((node) => drawn('li', {}, nodeButton(view, node)))),
        drawn('button', { type: 'button', class: 'only-live', 'data-ungroup': i }, 'Ungroup'),
      ),
    ),
    ...(loose.length
      ? [
          drawn(
            'div',
            { class: 'supernode loose' },
            drawn('h4', {}, 'Pinned ', drawn('span', {}, `${numberText(loose.length, 9)} nodes${brings(view, loose)}`)),
            drawn(
              'ul',
              {},
              ...loose.map((node) =>
                drawn(
                  'li',
                  {},
                  drawn(
                    'label',
                    { class: 'only-live' },
                    drawn('input', {
                      type: 'checkbox',
                      checked: '',
                      'data-member': node,
                      'aria-label': 'into the group',
                    }),
                  ),
                  nodeButton(view, node),
                ),
              ),
            ),
          ),
        ]
      : []),
  ];
}

const nodeButton = ({ graph }: GraphView, index: number): Drawn => {
  const node = graph.nodes[index];
  return drawn(
    'button',
    { type: 'button', class: 'plain-button', 'data-go': index },
    drawn('bdi', {}, node ? nodeName(node, graph) : ''),
    ' ',
    drawn('i', {}, drawn('bdi', {}, node ? placeOf(node, graph) : '')),
  );
};

/** What some nodes together bring to the picked one, directly. */
function brings({ graph, links, picked }: GraphView, members: readonly number[]): string {
  if (picked === undefined) return '';
  const inside = new Set(members);
  const edges = links.into(picked).filter((i) => inside.has(graph.edges[i]?.[0] ?? -1));
  const sum = edges.reduce((total, i) => total + (graph.edges[i]?.[2] ?? 0), 0);
  return edges.length ? `, ${sum > 0 ? '+' : ''}${numberText(sum)} to what is picked` : '';
}

/** Groups that the reader may take, as far as they were asked for. */
export function proposalList(view: GraphView): Drawn[] {
  const proposals = proposalsFor(view);
  if (!proposals.length)
    return [
      drawn(
        'p',
        { class: 'note' },
        'No features that are shown and in no group are alike enough to be proposed as one.',
      ),
    ];
  const count = (n: number, what: string): string => `${numberText(n, 9)} ${what}${n === 1 ? '' : 's'}`;
  return [
    drawn(
      'p',
      { class: 'note' },
      `${count(proposals.length, 'group')} proposed, of features of one layer at one position that are shown. Two are as alike as the smaller of two cosines, of their incoming edges without constants and of their outgoing edges; groups are joined while they are alike by ${leastAlike} on average. A name is the strongest source and target that they share.`,
    ),
    drawn(
      'p',
      {},
      drawn('button', { type: 'button', 'data-take-all': '' }, 'Take all'),
      ' ',
      drawn('button', { type: 'button', 'data-no-proposals': '' }, 'Take none'),
    ),
    drawn(
      'div',
      { class: 'supernodes' },
      ...proposals.map(({ name, members, alike }, i) =>
        drawn(
          'div',
          { class: 'supernode proposed', 'data-proposal': i },
          drawn('h4', {}, drawn('bdi', {}, name), ' ', drawn('span', {}, `alike by ${numberText(alike, 2)}`)),
          drawn('ul', {}, ...members.map((node) => drawn('li', {}, nodeButton(view, node)))),
          drawn('button', { type: 'button', 'data-take': i }, 'Take'),
        ),
      ),
    ),
  ];
}
