// The drawing: shows the chosen circuit, marks what is pointed at or picked, and what goes when that is dropped.
import type { LiveData } from '../live-data.js';
import { edgeParts, spokenNode } from '../number-text.js';
import { withoutPart } from './pruning.js';
import type { Reading } from './reading.js';
import type { ShownCircuit } from './shown.js';
import { walkNodes } from './walk.js';

export function liveDrawing(section: HTMLElement, data: LiveData, shown: ShownCircuit, reading: Reading): void {
  const svg = section.querySelector<SVGSVGElement>('.drawing svg');
  if (!svg) return;
  const name = (index: number): string => data.edges[index]?.[0] ?? '';
  const edges = new Map(
    [...svg.querySelectorAll<SVGGElement>('[data-edge]')].map((g) => [name(Number(g.dataset['edge'])), g]),
  );
  const nodes = new Map([...svg.querySelectorAll<SVGGElement>('[data-node]')].map((g) => [g.dataset['node'] ?? '', g]));
  const touches = (edge: string, part: string): boolean => edge === part || edgeParts(edge).slice(0, 2).includes(part);

  /** Marks the edges of a node, or one edge; without a name none. */
  function light(part: string | undefined): void {
    svg?.classList.toggle('reading-node', part !== undefined);
    for (const [edge, shape] of edges) shape.classList.toggle('lit', part !== undefined && touches(edge, part));
  }
  const look = (part?: string): void => {
    light(part ?? shown.now.pick);
    reading.read(part);
  };

  shown.follow(({ circuit, pick }) => {
    const names = circuit.edges.map(name);
    const inside = new Set(names);
    const times = (end: 0 | 1): Map<string, number> => {
      const counted = new Map<string, number>();
      for (const edge of names) counted.set(edgeParts(edge)[end], (counted.get(edgeParts(edge)[end]) ?? 0) + 1);
      return counted;
    };
    const [out, into] = [times(0), times(1)];
    svg.setAttribute('aria-label', `Circuit with ${names.length} edges from input, below, to logits, above`);
    const left = pick === undefined || !data.knockOut ? undefined : withoutPart(names, pick);
    const living = left && new Set([...left].flatMap((edge) => edgeParts(edge).slice(0, 2)));
    for (const [edge, shape] of edges) {
      shape.classList.toggle('off', !inside.has(edge));
      shape.classList.toggle('gone', left !== undefined && inside.has(edge) && !left.has(edge));
    }
    for (const [node, shape] of nodes) {
      const has = out.has(node) || into.has(node);
      shape.classList.toggle('on', has);
      shape.classList.toggle('gone', living !== undefined && has && !living.has(node));
      shape.setAttribute(
        'aria-label',
        `${spokenNode(node)}, ${into.get(node) ?? 0} edges in, ${out.get(node) ?? 0} out`,
      );
      shape.setAttribute('aria-pressed', String(node === pick));
    }
    svg.classList.toggle('knocking', left !== undefined);
    svg.closest('.drawing')?.classList.toggle('picked', pick !== undefined);
    light(pick);
  });

  for (const [node, shape] of nodes) {
    shape.addEventListener('mouseenter', () => shown.now.pick ?? look(node));
    shape.addEventListener('mouseleave', () => look());
    shape.addEventListener('click', () => shown.show({ pick: shown.now.pick === node ? undefined : node }));
  }
  for (const [edge, shape] of edges)
    shape.addEventListener('click', () => shown.show({ pick: shown.now.pick === edge ? undefined : edge }));
  const again = section.querySelector<HTMLInputElement>('[data-again]');
  again?.addEventListener('change', () => svg.classList.toggle('by-again', again.checked));
  walkNodes({
    nodes,
    data,
    shown,
    look: (node, ...way) => (light(node), reading.read(node, ...way)),
    leave: () => look(),
  });
}
