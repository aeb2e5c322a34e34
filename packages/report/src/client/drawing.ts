// The drawing of one circuit: choosing its size, and reading a node's edges by pointing at it or walking there with the keys.
import { decimalsFor, edgeParts, nodeLabel, scoreText, sizeText, spokenNode } from '../number-text.js';
import type { LiveData } from '../page.js';
import { element } from './elements.js';

export function liveDrawing(section: HTMLElement, data: LiveData): void {
  const svg = section.querySelector<SVGSVGElement>('.drawing svg');
  const reading = section.querySelector<HTMLElement>('[data-reading]');
  const slider = section.querySelector<HTMLInputElement>('[data-size]');
  const says = section.querySelector<HTMLElement>('[data-says]');
  if (!svg || !reading || !slider || !says) return;
  const edges = new Map(
    [...svg.querySelectorAll<SVGGElement>('[data-edge]')].map((g) => [Number(g.dataset['edge']), g]),
  );
  const nodes = new Map([...svg.querySelectorAll<SVGGElement>('[data-node]')].map((g) => [g.dataset['node'] ?? '', g]));
  const parts = data.edges.map(([name]) => edgeParts(name));
  const decimals = decimalsFor(data.edges.map(([, score]) => score));
  const strength = (index: number): number => Math.abs(data.edges[index]?.[1] ?? 0);
  let selection = data.circuits[data.shown]?.selection ?? 'absolute';
  let sizes = data.circuits.filter((circuit) => circuit.selection === selection);
  let current = data.circuits[data.shown];
  let pinned: string | undefined;

  function choose(position: number): void {
    const next = sizes[Math.max(0, Math.min(sizes.length - 1, position))];
    if (!next || !slider || !says) return;
    current = next;
    slider.max = String(sizes.length - 1);
    slider.value = String(sizes.indexOf(next));
    const { n, edges: kept, faithfulness } = next;
    says.textContent = sizeText({ n, kept: kept.length, edgeCount: data.edgeCount, faithfulness });
    slider.setAttribute('aria-valuetext', says.textContent);
    const shown = new Set(next.edges);
    const active = new Set(next.edges.flatMap((index) => parts[index]?.slice(0, 2) ?? []));
    for (const [index, shape] of edges) shape.classList.toggle('off', !shown.has(index));
    for (const [name, shape] of nodes) shape.classList.toggle('on', active.has(name));
    if (pinned && !active.has(pinned)) pin(undefined);
    keepOneTabStop();
    read(pinned);
  }

  /** Marks a node's edges and lists them; without a node, the strongest of the circuit. */
  function read(node: string | undefined): void {
    if (!svg || !reading || !current) return;
    const touches = (index: number): boolean =>
      node === undefined || parts[index]?.[0] === node || parts[index]?.[1] === node;
    svg.classList.toggle('reading-node', node !== undefined);
    for (const [index, shape] of edges) shape.classList.toggle('lit', node !== undefined && touches(index));
    const listed = current.edges.filter(touches).sort((a, b) => strength(b) - strength(a) || a - b);
    const inward = listed.filter((index) => parts[index]?.[1] === node);
    const outward = listed.filter((index) => parts[index]?.[0] === node);
    if (node === undefined) reading.replaceChildren(element('h4', 'Strongest edges'), ...list(listed, 12));
    else
      reading.replaceChildren(
        element('h4', spokenNode(node)),
        ...group('Reads from', inward),
        ...group('Writes to', outward),
      );
  }

  const group = (title: string, indices: readonly number[]): HTMLElement[] =>
    indices.length ? [element('h5', title), ...list(indices, 10)] : [];

  function list(indices: readonly number[], most: number): HTMLElement[] {
    const items = indices.slice(0, most).map((index) => {
      const [from, to, slot] = parts[index] ?? ['', '', ''];
      const where = element(
        'span',
        `${nodeLabel(from)} → ${nodeLabel(to)}`,
        ...(slot ? [' ', element('b', slot)] : []),
      );
      const item = element('li', where, ' ', element('data', scoreText(data.edges[index]?.[1], decimals)));
      item.addEventListener('mouseenter', () => edges.get(index)?.classList.add('lit'));
      return item;
    });
    const more = indices.length - most;
    const rest = element('p', `and ${more} more`);
    rest.className = 'note';
    return [element('ol', ...items), ...(more > 0 ? [rest] : [])];
  }

  function pin(node: string | undefined): void {
    pinned = node;
    for (const [name, shape] of nodes) shape.setAttribute('aria-pressed', String(name === node));
  }

  /** Of the nodes in the circuit one is reached by Tab, the others by arrow keys from it. */
  function keepOneTabStop(focus?: SVGGElement): void {
    const walk = [...nodes.values()].filter((shape) => shape.classList.contains('on'));
    const stop = focus ?? walk[0];
    for (const shape of nodes.values()) shape.setAttribute('tabindex', shape === stop ? '0' : '-1');
  }

  /** The nearest circuit node in the direction of an arrow key. */
  function neighbour(from: SVGGElement, key: string): SVGGElement | undefined {
    const centre = (g: SVGGElement): [number, number] => {
      const box = g.getBBox();
      return [box.x + box.width / 2, box.y + box.height / 2];
    };
    const [x, y] = centre(from);
    const [dx, dy] = (
      { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] } as Record<
        string,
        [number, number]
      >
    )[key] ?? [0, 0];
    return [...nodes.values()]
      .filter((shape) => shape !== from && shape.classList.contains('on'))
      .map((shape) => {
        const [a, b] = centre(shape);
        const along = (a - x) * dx + (b - y) * dy;
        const aside = Math.abs((a - x) * dy) + Math.abs((b - y) * dx);
        return { shape, along, cost: along + (dx ? 4 : 0.35) * aside };
      })
      .filter(({ along }) => along > 1)
      .sort((p, q) => p.cost - q.cost)[0]?.shape;
  }

  for (const [name, shape] of nodes) {
    shape.addEventListener('mouseenter', () => pinned ?? read(name));
    shape.addEventListener('mouseleave', () => read(pinned));
    shape.addEventListener('focus', () => read(name));
    shape.addEventListener('blur', () => read(pinned));
    shape.addEventListener('click', () => {
      pin(pinned === name ? undefined : name);
      read(pinned ?? name);
    });
    shape.addEventListener('keydown', (event) => {
      const next = event.key.startsWith('Arrow') ? neighbour(shape, event.key) : undefined;
      if (next) {
        keepOneTabStop(next);
        next.focus();
      } else if (event.key === 'Enter' || event.key === ' ') pin(pinned === name ? undefined : name);
      else if (event.key === 'Escape') {
        pin(undefined);
        shape.blur();
      } else return;
      event.preventDefault();
    });
  }
  slider.addEventListener('input', () => choose(Number(slider.value)));
  for (const button of section.querySelectorAll<HTMLButtonElement>('[data-step]'))
    button.addEventListener('click', () => choose(Number(slider.value) + Number(button.dataset['step'])));
  for (const radio of section.querySelectorAll<HTMLInputElement>('[data-selection]'))
    radio.addEventListener('change', () => {
      const n = current?.n ?? 0;
      selection = radio.value as typeof selection;
      sizes = data.circuits.filter((circuit) => circuit.selection === selection);
      const nearest = sizes.reduce(
        (best, circuit, i) => (Math.abs(circuit.n - n) < Math.abs((sizes[best]?.n ?? 0) - n) ? i : best),
        0,
      );
      choose(nearest);
    });
  choose(Math.max(0, current ? sizes.indexOf(current) : 0));
}
