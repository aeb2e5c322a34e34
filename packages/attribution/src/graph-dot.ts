// A circuit as Graphviz text: layers as ranks from input to logits, q dashed, k dotted, all else solid, sign by colour and in the label, width by |score|; and as SVG, by a Graphviz that the caller brings.
import { LimnError } from '@limn/gpu';
import type { Graph, Slot } from './graph.js';
import { edgesOf } from './neuron-circuit.js';
import type { RunnableCircuit } from './neuron-circuit.js';
import { scoreAt } from './scores.js';
import type { Scores } from './scores.js';

/** How a circuit is drawn. */
export interface DotOptions {
  /** A line under the drawing, and its name for screen readers. Any text: it is escaped. Default `circuit`. */
  readonly title?: string | undefined;
  /** What else stands in a node's box, below its name: a role, a token. Any text: it is escaped. */
  readonly describe?: ((node: string) => string | undefined) | undefined;
}

/** What {@link renderSvg} asks of Graphviz: an instance of @viz-js/viz has it. */
export interface GraphvizRenderer {
  /** The file that Graphviz makes of its text; throws where it cannot. */
  renderString(dot: string, options: { readonly format: 'svg'; readonly engine: 'dot' }): string;
}

/** Of the Okabe–Ito palette, which colour-blind readers tell apart; labels carry the sign as well. */
const COLOURS = { helps: '#0072B2', harms: '#D55E00', unknown: '#555555' } as const;
const STYLES = { q: 'dashed', k: 'dotted', v: 'solid' } as const;
const PEN = { least: 0.6, most: 5 } as const;

/**
 * The kept edges of a circuit as plain Graphviz text. Nodes have the names of graph files; a node of a neuron circuit says how many
 * neurons it keeps. A few hundred edges can be read, thousands cannot.
 * @throws LimnError `data/graph-mismatch`, `data/unknown-node`
 */
export function graphToDot(given: RunnableCircuit, scores?: Scores, options: DotOptions = {}): string {
  const circuit = edgesOf(given);
  const { graph } = circuit;
  if (scores && !graph.equals(scores.graph))
    throw new LimnError('data/graph-mismatch', 'The scores and the circuit belong to models of different shape.');
  const { title = 'circuit', describe } = options;
  const neurons = 'neurons' in given ? given.neurons : undefined;
  const present = new Set(circuit.nodeNames());
  const node = (name: string): string => {
    const u = name === 'logits' ? undefined : graph.forwardIndex(name);
    const own = u === undefined ? undefined : neurons?.subarray(u * graph.width, (u + 1) * graph.width);
    const kept = own && `${own.reduce((total, one) => total + one, 0)} of ${graph.width} neurons`;
    const lines = [name, describe?.(name), kept].filter((line) => line !== undefined);
    return `${quoted(name)} [label=${quoted(lines.join('\n'))}];`;
  };
  const edges = [...circuit.edges()].map((edge) => ({
    ...edge,
    score: scores ? scoreAt(scores, edge.u, edge.v) : NaN,
  }));
  const largest = Math.max(0, ...edges.map(({ score }) => Math.abs(score)).filter(Number.isFinite));
  const ranks = ranksOf(graph)
    .map((rank) => ({ ...rank, names: rank.names.filter((name) => present.has(name)) }))
    .filter(({ names }) => names.length > 0);
  const anchors = ranks.map((_, i) => quoted(`rank ${i}`));
  return [
    `digraph ${quoted(title)} {`,
    `  graph [rankdir=BT, bgcolor=white, fontname="Helvetica", label=${quoted(title)}];`,
    '  node [shape=box, style="rounded,filled", fillcolor="#f2f2f2", fontname="Helvetica"];',
    '  edge [fontname="Helvetica", fontsize=10];',
    ...ranks.map(({ label, names }, i) => {
      const anchor = `${anchors[i]} [shape=plaintext, style=solid, fontcolor="#555555", label=${quoted(label)}];`;
      return `  { rank=same; ${[anchor, ...names.map(node)].join(' ')} }`;
    }),
    // Layers that nothing connects would otherwise share a rank.
    ...(anchors.length > 1 ? [`  ${anchors.join(' -> ')} [style=invis];`] : []),
    ...edges.map(({ u, v, score }) => {
      const slot = graph.slots[v] as Slot;
      const input = slot.kind === 'head' ? slot.input : undefined;
      const label = [input, signed(score)].filter((part) => part !== undefined).join(' ');
      const width = Number.isFinite(score) && largest > 0 ? (Math.abs(score) / largest) * PEN.most : PEN.least;
      const attributes = [
        `label=${quoted(label)}`,
        `style=${input ? STYLES[input] : 'solid'}`,
        `color=${quoted(colourOf(score))}`,
        `fontcolor=${quoted(colourOf(score))}`,
        `penwidth=${Math.max(PEN.least, width).toFixed(2)}`,
        `tooltip=${quoted(`${graph.edgeName(u, v)} ${signed(score) ?? ''}`.trim())}`,
      ];
      const owner = graph.ownerOf(v);
      const to = owner === undefined ? 'logits' : graph.nodeName(owner);
      return `  ${quoted(graph.nodeName(u))} -> ${quoted(to)} [${attributes.join(', ')}];`;
    }),
    '}',
    '',
  ].join('\n');
}

/**
 * The drawing of Graphviz text as an `<svg>` element, to be put in a page or a file. `viz` is what `instance()` of @viz-js/viz
 * resolves to, which this package does not depend on.
 * @throws LimnError `data/graph-drawing` where Graphviz does not take the text
 */
export function renderSvg(dot: string, viz: GraphvizRenderer): string {
  let file: string;
  try {
    file = viz.renderString(dot, { format: 'svg', engine: 'dot' });
  } catch (cause) {
    throw drawingError(cause instanceof Error ? cause.message : String(cause), cause);
  }
  // The prolog names an address outside of the file, and may not stand in a page.
  const start = file.indexOf('<svg');
  if (start < 0) throw drawingError('it gave no <svg>');
  return file.slice(start);
}

function drawingError(what: string, cause?: unknown): LimnError {
  return new LimnError('data/graph-drawing', `Graphviz could not draw this graph: ${what}.`, {
    hint: 'The text comes from graphToDot; a circuit of thousands of edges is more than Graphviz can lay out.',
    ...(cause === undefined ? {} : { cause }),
  });
}

/** The nodes of the graph from first to last, those that cannot feed one another together. */
function ranksOf(graph: Graph): { readonly label: string; readonly names: readonly string[] }[] {
  const layers = Array.from({ length: graph.layers }, (_, layer) => {
    const heads = Array.from({ length: graph.heads }, (_, head) => `a${layer}.h${head}`);
    return graph.block === 'parallel'
      ? [{ label: `layer ${layer}`, names: [...heads, `m${layer}`] }]
      : [
          { label: `attention ${layer}`, names: heads },
          { label: `MLP ${layer}`, names: [`m${layer}`] },
        ];
  });
  return [{ label: 'embedding', names: ['input'] }, ...layers.flat(), { label: 'output', names: ['logits'] }];
}

function colourOf(score: number): string {
  if (Number.isNaN(score)) return COLOURS.unknown;
  return score < 0 ? COLOURS.harms : COLOURS.helps;
}

/** `+0.0123`, `−1.2e-7`; undefined where there is no score. */
function signed(score: number): string | undefined {
  if (Number.isNaN(score)) return undefined;
  return `${score < 0 ? '−' : '+'}${Number(Math.abs(score).toPrecision(3))}`;
}

/**
 * A quoted string that Graphviz shows as it is: no quote ends it, no backslash or ampersand means anything, and what XML cannot
 * hold (control characters, lone surrogates, U+FFFE, U+FFFF) becomes U+FFFD.
 */
function quoted(text: string): string {
  const lines = text.split(/\r\n?|\n/).map((line) =>
    line
      .replaceAll('\t', ' ')
      .replace(/[\p{Cc}\p{Cs}\uFFFE\uFFFF]/gu, '\uFFFD')
      .replaceAll('&', '&amp;')
      .replaceAll('\\', '\\\\')
      .replaceAll('"', '\\"'),
  );
  return `"${lines.join('\\n')}"`;
}
