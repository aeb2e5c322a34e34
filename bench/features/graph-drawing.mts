// The graph of a prompt as an SVG document: tokens from left to right, layers upwards, what the answer is made of joined by lines as wide as their weight.
import { tenth } from '../svg-document.mjs';
import { caption, document, INK } from './drawing-parts.mjs';
import type { DrawnGraph } from './study.mjs';

const NODE = { width: 34, height: 18, gap: 8 };
const ROW = { gap: 34, names: 92 };
const TOP = 92;
const WIDEST = 5;
/** Pixels of a character of a token's name. */
const CHARACTER = 6.4;
/** Nodes of one cell side by side. */
const ACROSS = 4;

type Node = DrawnGraph['nodes'][number];

interface Layout {
  readonly at: readonly (readonly [x: number, y: number])[];
  readonly columns: readonly (readonly [left: number, width: number])[];
  readonly rows: readonly { readonly name: string; readonly y: number; readonly top: number }[];
  readonly width: number;
  readonly height: number;
}

function layOut({ prompt, layers, nodes }: DrawnGraph): Layout {
  const cells = new Map<string, number[]>();
  for (const [i, { layer, position }] of nodes.entries()) {
    const key = `${layer} ${position}`;
    cells.set(key, [...(cells.get(key) ?? []), i]);
  }
  const cell = (layer: number, position: number): readonly number[] => cells.get(`${layer} ${position}`) ?? [];
  const names = ['embeddings', ...Array.from({ length: layers }, (_, layer) => `layer ${layer}`), 'answer'];
  const across = prompt.map((_, p) =>
    Math.min(ACROSS, Math.max(1, ...names.map((__, row) => cell(row - 1, p).length))),
  );
  let x = ROW.names;
  const columns = prompt.map((token, p): readonly [number, number] => {
    const width = Math.max((across[p] as number) * (NODE.width + NODE.gap), token.length * CHARACTER) + 10;
    const left = x;
    x += width;
    return [left, width];
  });
  const at: (readonly [number, number])[] = [];
  const rows: { name: string; y: number; top: number }[] = [];
  let y = TOP;
  for (const [row, name] of [...names.entries()].reverse()) {
    const lines = Math.max(1, ...prompt.map((_, p) => Math.ceil(cell(row - 1, p).length / (across[p] as number))));
    const height = lines * (NODE.height + NODE.gap) + ROW.gap;
    const middle = y + height / 2;
    rows.push({ name, y: middle, top: y });
    for (const [p, [left, width]] of columns.entries()) {
      const own = cell(row - 1, p);
      const perLine = across[p] as number;
      const ownLines = Math.ceil(own.length / perLine);
      for (const [k, i] of own.entries()) {
        const line = Math.floor(k / perLine);
        const inLine = Math.min(perLine, own.length - line * perLine);
        at[i] = [
          left + width / 2 + ((k % perLine) - (inLine - 1) / 2) * (NODE.width + NODE.gap),
          middle + (line - (ownLines - 1) / 2) * (NODE.height + NODE.gap),
        ];
      }
    }
    y += height;
  }
  return { at, columns, rows, width: x + 12, height: y + 34 };
}

/** What stands in a node. */
function nodeText({ kind, name }: Node): string {
  if (kind === 'feature') return /\[(\d+)\]/.exec(name)?.[1] ?? '';
  return { error: 'error', token: 'token', position: 'pos', output: 'Δ' }[kind];
}

/** The document. */
export function graphDrawing(graph: DrawnGraph, about: string): string {
  const layout = layOut(graph);
  const { rows, columns, at } = layout;
  // Columns without a name of their own are narrow: the heading may need more.
  const width = Math.max(720, layout.width);
  const most = Math.max(...graph.edges.map(([, , weight]) => Math.abs(weight)));
  const lines = [...graph.edges]
    .sort((a, b) => Math.abs(a[2]) - Math.abs(b[2]))
    .map(([source, target, weight]) => {
      const [[x0, y0], [x1, y1]] = [at[source] as readonly [number, number], at[target] as readonly [number, number]];
      const share = Math.abs(weight) / most;
      const [from, to] = [y0 - NODE.height / 2, y1 + NODE.height / 2];
      const bend = Math.max(12, (from - to) * 0.45);
      const sign = weight < 0 ? `stroke="${INK.against}" stroke-dasharray="4 3"` : `stroke="${INK.first}"`;
      return `<path fill="none" ${sign} stroke-width="${tenth(0.5 + (WIDEST - 0.5) * share)}" stroke-opacity="${(0.18 + 0.72 * Math.sqrt(share)).toFixed(2)}" d="M${tenth(x0)} ${tenth(from)}C${tenth(x0)} ${tenth(from - bend)} ${tenth(x1)} ${tenth(to + bend)} ${tenth(x1)} ${tenth(to)}"/>`;
    });
  const boxes = graph.nodes.map((node, i) => {
    const [x, y] = at[i] as readonly [number, number];
    const kind = node.inCircuit ? 'circuit' : node.kind === 'error' ? 'error' : 'plain';
    const radius = node.kind === 'feature' ? NODE.height / 2 : 2;
    return `<g><title>${node.name}</title><rect class="node ${kind}" x="${tenth(x - NODE.width / 2)}" y="${tenth(y - NODE.height / 2)}" width="${NODE.width}" height="${NODE.height}" rx="${radius}"/><text class="mid in ${kind}" x="${tenth(x)}" y="${tenth(y + 3.6)}">${nodeText(node)}</text></g>`;
  });
  const floor = layout.height - 34;
  const body = `${caption(about)}
<text class="soft" x="16" y="78" font-size="11">Δ = ${graph.output}</text>
${legend()}
${rows.map(({ name, y, top }) => `<path class="rule" d="M0 ${tenth(top)}H${tenth(width)}"/><text class="soft" x="8" y="${tenth(y + 4)}" font-size="11">${name}</text>`).join('')}
<path class="rule" d="M0 ${tenth(floor)}H${tenth(width)}"/>
${columns.map(([left, wide], p) => `<text class="mid" x="${tenth(left + wide / 2)}" y="${tenth(floor + 18)}">${shownToken(graph.prompt[p] ?? '')}</text>`).join('')}
${lines.join('\n')}
${boxes.join('\n')}`;
  return document(
    tenth(width),
    tenth(layout.height),
    `Attribution graph of “${graph.prompt.slice(1).join(' ')}”, pruned to ${Math.round(graph.threshold * 100)} % of the influence: ${graph.nodes.length} nodes, ${graph.edges.length} edges.`,
    body,
  );
}

const shownToken = (token: string): string => (token.startsWith('<') ? 'start' : token.trim());

function legend(): string {
  const line = (x: number, style: string, text: string): string =>
    `<path ${style} stroke-width="2.5" d="M${x} 50h22"/><text x="${x + 28}" y="54" font-size="11">${text}</text>`;
  const box = (x: number, kind: string, text: string): string =>
    `<rect class="node ${kind}" x="${x}" y="42" width="22" height="14" rx="7"/><text x="${x + 28}" y="54" font-size="11">${text}</text>`;
  return [
    line(16, `stroke="${INK.first}"`, 'for the answer'),
    line(132, `stroke="${INK.against}" stroke-dasharray="4 3"`, 'against it'),
    box(226, 'circuit', 'feature of the circuit'),
    box(378, 'plain', 'other feature'),
    box(500, 'error', 'what the transcoder misses'),
  ].join('');
}
