// Walking the nodes of a graph with the keys: along a layer, and to the nearest node of the layer above or below.
import type { GraphView } from '../feature-graph/graph-view.js';

interface Walk {
  pick(node: number): void;
  pin(node: number): void;
  clear(): void;
}

/** Where a key leads from a node; undefined where there is nothing. */
export function nextNode({ layout }: Pick<GraphView, 'layout'>, from: number, key: string): number | undefined {
  const place = layout.at.get(from);
  if (!place) return undefined;
  const [x, y] = place;
  const rowAt = (height: number): number =>
    layout.rows.findIndex(({ top, bottom }) => height > top && height <= bottom);
  const row = rowAt(y);
  const all = [...layout.at].map(([node, at]) => ({ node, x: at[0], y: at[1], row: rowAt(at[1]) }));
  if (key === 'ArrowLeft' || key === 'ArrowRight') {
    const sign = key === 'ArrowRight' ? 1 : -1;
    const inRow = all.filter((each) => each.row === row).sort((a, b) => a.x - b.x || a.y - b.y || a.node - b.node);
    return inRow[inRow.findIndex(({ node }) => node === from) + sign]?.node;
  }
  const up = key === 'ArrowUp';
  const rows = [...new Set(all.map((each) => each.row))].filter((each) => (up ? each > row : each < row));
  const next = up ? Math.min(...rows) : Math.max(...rows);
  return all
    .filter((each) => each.row === next)
    .sort((a, b) => Math.hypot(a.x - x, a.y - y) - Math.hypot(b.x - x, b.y - y) || a.node - b.node)[0]?.node;
}

export function walkGraph(frame: HTMLElement, view: () => GraphView, { pick, pin, clear }: Walk): void {
  frame.addEventListener('keydown', (event) => {
    const shape = event.target instanceof Element ? event.target.closest('[data-gnode]') : null;
    if (!shape || event.ctrlKey || event.metaKey || event.altKey) return;
    const node = Number(shape.getAttribute('data-gnode'));
    if (event.key.startsWith('Arrow')) {
      event.preventDefault();
      const next = frame.querySelector<SVGElement>(`[data-gnode="${nextNode(view(), node, event.key) ?? ''}"]`);
      if (!next) return;
      shape.setAttribute('tabindex', '-1');
      next.setAttribute('tabindex', '0');
      next.focus();
    } else if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      pick(node);
    } else if (event.key === 'p' || event.key === 'P') pin(node);
    else if (event.key === 'Escape') clear();
  });
}
