// A graph drawn: every edge that is shown as a faint line, those of the picked node by their weight, and nodes in shapes of their kind.
import { drawn, type Drawn } from '../drawn.js';
import { numberText, tenth } from '../number-text.js';
import { bare, clip } from '../token-words.js';
import { longestToken, nodeSize } from './graph-layout.js';
import { nodeName, placeOf } from './graph-names.js';
import type { FeatureGraphNode } from './graph-record.js';
import type { GraphView } from './graph-view.js';

const r = nodeSize / 2;
const widest = 5;

/** What each kind is drawn as, around (0, 0): shapes differ, so that nothing depends on colour alone. */
const shapes: Readonly<Record<FeatureGraphNode['kind'], string>> = {
  feature: `M${r} 0A${r} ${r} 0 1 1 ${-r} 0A${r} ${r} 0 1 1 ${r} 0Z`,
  error: `M0 ${-r - 1}L${r + 1} 0L0 ${r + 1}L${-r - 1} 0Z`,
  skip: `M${-r} ${-r / 2}H${r / 2}L${r} 0L${r / 2} ${r / 2}H${-r}Z`,
  token: `M${-r} ${-r}H${r}V${r}H${-r}Z`,
  position: `M0 ${-r}L${r} ${r - 1}H${-r}Z`,
  bias: `M${-r} ${-r / 3}H${-r / 3}V${-r}H${r / 3}V${-r / 3}H${r}V${r / 3}H${r / 3}V${r}H${-r / 3}V${r / 3}H${-r}Z`,
  output: `M${-r} ${-r}H${r}V${r}H${-r}ZM${-r + 3} ${-r + 3}H${r - 3}V${r - 3}H${-r + 3}Z`,
};

/** The shape of a kind, for the legend. */
export const shapeOf = (kind: FeatureGraphNode['kind']): string => shapes[kind];

/** What the picked node's edges say of a node. */
interface Touch {
  readonly weight: number;
  readonly into: boolean;
}

/** The names of the rows, in a drawing of their own that stays where it is while the graph is moved. */
export function rowNames({ layout }: GraphView): Drawn {
  return drawn(
    'svg',
    {
      class: 'plot row-names',
      viewBox: `0 0 46 ${layout.height}`,
      width: 46,
      height: layout.height,
      'aria-hidden': 'true',
    },
    ...layout.rows.map(({ name, y }) => drawn('text', { class: 'tick', x: 42, y: y + 4 }, name)),
  );
}

export function graphDrawing(view: GraphView): Drawn {
  const { graph, layout, shown, picked } = view;
  const { width, height } = layout;
  const touched = touchedBy(view);
  const most = [...touched.values()].reduce((size, { weight }) => Math.max(size, Math.abs(weight)), 0);
  const stop = picked ?? shown.nodes.indexOf(true);
  return drawn(
    'svg',
    {
      class: `graph${picked === undefined ? '' : ' picking'}`,
      viewBox: `0 0 ${tenth(width)} ${tenth(height)}`,
      width: tenth(width),
      height: tenth(height),
      role: 'group',
      'aria-label': `Graph of ${shown.nodes.filter(Boolean).length} nodes: tokens of the prompt from left to right, layers from the embeddings, below, to the outputs, above`,
    },
    ...lattice(view),
    ...allEdges(view),
    drawn('g', { class: 'links' }, ...pickedEdges(view, most)),
    drawn(
      'g',
      { class: 'nodes' },
      ...graph.nodes.flatMap((node, i) => {
        const place = layout.at.get(i);
        return place ? [nodeShape(view, node, i, place, touched.get(i), most, i === stop)] : [];
      }),
    ),
  );
}

/** The edges of the picked node that are shown, by the node at their other end. */
function touchedBy({ graph, shown, picked }: GraphView): Map<number, Touch> {
  const touched = new Map<number, Touch>();
  for (const i of shown.edges) {
    const [source = 0, target = 0, weight = 0] = graph.edges[i] ?? [];
    if (target === picked) touched.set(source, { weight, into: true });
    if (source === picked) touched.set(target, { weight, into: false });
  }
  return touched;
}

/** Lines between layers, the tokens below, and a mark on the column of the picked node. */
function lattice({ graph, layout, picked }: GraphView): Drawn[] {
  const { rows, columns, constants } = layout;
  const floor = (rows[0]?.bottom ?? 0) + 2;
  const column = picked === undefined ? undefined : graph.nodes[picked]?.position;
  const place = column === undefined ? undefined : columns[column];
  return [
    ...(place
      ? [
          drawn('rect', {
            class: 'column',
            x: tenth(place.left),
            y: 0,
            width: tenth(place.right - place.left),
            height: tenth(floor),
          }),
        ]
      : []),
    drawn('path', {
      class: 'between',
      d: rows.map(({ top }) => `M0 ${tenth(top)}H${tenth(layout.width)}`).join(''),
    }),
    // On paper, where nothing is moved, the layers stand in the drawing itself.
    ...rows.map(({ name, y }) => drawn('text', { class: 'row-inside', x: 1, y: tenth(y + 4) }, name)),
    ...(constants
      ? [nameBelow((constants.left + constants.right) / 2, floor, 'everywhere', 'token-name constants')]
      : []),
    ...columns.map(({ left, right }, p) =>
      nameBelow(
        (left + right) / 2,
        floor,
        clip(bare(graph.prompt[p] ?? ''), longestToken),
        p === column ? 'token-name now' : 'token-name',
        `${p}: ${graph.prompt[p] ?? ''}`,
      ),
    ),
  ];
}

const nameBelow = (x: number, floor: number, name: string, kind: string, tip?: string): Drawn =>
  drawn(
    'text',
    { class: kind, transform: `translate(${tenth(x + 4)} ${tenth(floor + 12)}) rotate(-52)` },
    name,
    tip !== undefined && drawn('title', {}, tip),
  );

/** All edges shown in two paths, one of each sign: of thousands only where they gather is to be seen. */
function allEdges({ graph, layout, shown }: GraphView): Drawn[] {
  const ways = { helps: '', hinders: '' };
  for (const i of shown.edges) {
    const [source = 0, target = 0, weight = 0] = graph.edges[i] ?? [];
    const [from, to] = [layout.at.get(source), layout.at.get(target)];
    if (from && to) ways[weight < 0 ? 'hinders' : 'helps'] += wayOf(from, to);
  }
  return [
    drawn(
      'g',
      { class: 'all-links', 'aria-hidden': 'true' },
      ...(['helps', 'hinders'] as const).map((sign) => drawn('path', { class: `link ${sign}`, d: ways[sign] })),
    ),
  ];
}

function pickedEdges({ graph, layout, shown, picked }: GraphView, most: number): Drawn[] {
  const weightOf = (i: number): number => graph.edges[i]?.[2] ?? 0;
  // The strongest are drawn last.
  return shown.edges
    .filter((i) => graph.edges[i]?.[0] === picked || graph.edges[i]?.[1] === picked)
    .sort((a, b) => Math.abs(weightOf(a)) - Math.abs(weightOf(b)))
    .flatMap((i) => {
      const [source = 0, target = 0, weight = 0] = graph.edges[i] ?? [];
      const [from, to] = [layout.at.get(source), layout.at.get(target)];
      if (!from || !to) return [];
      const share = most === 0 ? 0 : Math.abs(weight) / most;
      return [
        drawn('path', {
          class: `link ${weight < 0 ? 'hinders' : 'helps'}`,
          d: wayOf(from, to),
          'stroke-width': tenth(0.7 + (widest - 0.7) * share),
          'stroke-opacity': (0.35 + 0.6 * share).toFixed(2),
        }),
      ];
    });
}

/** Upwards from one node to another. */
function wayOf([x0, y0]: readonly [number, number], [x1, y1]: readonly [number, number]): string {
  const [from, to] = [y0 - r, y1 + r];
  const bend = Math.max(10, Math.abs(from - to) * 0.45);
  return `M${tenth(x0)} ${tenth(from)}C${tenth(x0)} ${tenth(from - bend)} ${tenth(x1)} ${tenth(to + bend)} ${tenth(x1)} ${tenth(to)}`;
}

function nodeShape(
  view: GraphView,
  node: FeatureGraphNode,
  index: number,
  [x, y]: readonly [number, number],
  touch: Touch | undefined,
  most: number,
  isStop: boolean,
): Drawn {
  const { graph, picked, pinned, supernodes } = view;
  const group = supernodes.find(({ members }) => members.includes(index));
  const share = touch && most > 0 ? Math.abs(touch.weight) / most : 0;
  const classes = [
    'gnode',
    node.kind,
    index === picked && 'now',
    pinned.includes(index) && 'pinned',
    group && 'grouped',
    touch && `touched ${touch.weight < 0 ? 'hinders' : 'helps'} ${touch.into ? 'into' : 'out-of'}`,
  ];
  const name = nodeName(node, graph);
  const said = [
    name === `feature ${node.layer}/${node.feature}` || node.kind !== 'feature'
      ? name
      : `feature ${node.feature}, ${name}`,
    placeOf(node, graph),
    touch ? `${touch.into ? 'brings' : 'gets'} ${numberText(touch.weight)}` : '',
    group ? `in ${group.name}` : '',
  ];
  return drawn(
    'g',
    {
      class: classes.filter(Boolean).join(' '),
      transform: `translate(${tenth(x)} ${tenth(y)})`,
      'data-gnode': index,
      role: 'button',
      tabindex: isStop ? 0 : -1,
      'aria-pressed': String(index === picked),
      'aria-label': said.filter(Boolean).join(', '),
    },
    drawn('circle', { class: 'reach', r: r + 3 }),
    pinned.includes(index) && drawn('circle', { class: 'pin', r: r + 3.4 }),
    drawn('path', { class: 'shape', d: shapes[node.kind] }),
    touch !== undefined &&
      drawn('path', {
        class: 'flow',
        d: shapes[node.kind],
        'fill-opacity': (0.16 + 0.84 * share).toFixed(2),
      }),
    touch !== undefined && touch.weight < 0 && drawn('path', { class: 'minus', d: `M${-r + 3} 0H${r - 3}` }),
    group !== undefined && drawn('circle', { class: 'member', r: 2.2 }),
  );
}
