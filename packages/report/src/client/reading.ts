// What stands beside the drawing: the strongest edges of the circuit, or one node's or edge's, with what dropping it does.
import { dropFigures, verdictWords } from '../drop-words.js';
import type { LiveData } from '../live-data.js';
import {
  decimalsFor,
  edgeParts,
  edgeText,
  nodeLabel,
  numberText,
  oftenText,
  scoreText,
  spokenNode,
} from '../number-text.js';
import { definitions, element, note } from './elements.js';
import type { ShownCircuit } from './shown.js';

export interface Reading {
  /** Reads an edge or a node; without a name what is picked, and without that the strongest edges. */
  read(name?: string, ...way: HTMLElement[]): void;
}

export function liveReading(section: HTMLElement, data: LiveData, shown: ShownCircuit): Reading | undefined {
  const place = section.querySelector<HTMLElement>('[data-reading]');
  if (!place) return undefined;
  const parts = data.edges.map(([name]) => edgeParts(name));
  const decimals = decimalsFor(data.edges.map(([, score]) => score));
  const strength = (index: number): number => Math.abs(data.edges[index]?.[1] ?? 0);
  const often = data.often && new Map(data.often.map(([index, share]) => [index, share]));
  const drops = new Map(data.knockOut?.drops.map((drop) => [drop.name, drop]));

  const list = (indices: readonly number[], most: number): HTMLElement[] => {
    const items = indices.slice(0, most).map((index) => {
      const [from, to, slot] = parts[index] ?? ['', '', ''];
      const pick = element(
        'button',
        `${nodeLabel(from)} → ${nodeLabel(to)}`,
        ...(slot ? [' ', element('b', slot)] : []),
      );
      pick.type = 'button';
      pick.addEventListener('click', () => shown.show({ pick: data.edges[index]?.[0] }));
      return element('li', pick, ' ', element('data', scoreText(data.edges[index]?.[1], decimals)));
    });
    const more = indices.length - most;
    return [element('ol', ...items), ...(more > 0 ? [note(`and ${more} more`)] : [])];
  };
  const group = (title: string, indices: readonly number[]): HTMLElement[] =>
    indices.length ? [element('h5', title), ...list(indices, 10)] : [];

  /** Figures of a drop; for another circuit than it was measured in, where they are. */
  function worth(name: string): HTMLElement[] {
    const { knockOut } = data;
    if (!knockOut) return [];
    const { n, selection } = shown.now.circuit;
    if (knockOut.n !== n || knockOut.selection !== selection) {
      const circuit = data.circuits.find((each) => each.n === knockOut.n && each.selection === knockOut.selection);
      if (!circuit) return [];
      const go = element('button', 'Show that circuit');
      go.type = 'button';
      go.addEventListener('click', () => shown.show({ circuit }));
      return [
        note(
          `What dropping a part does was measured in the circuit of ${data.unit ? '' : 'the top '}${numberText(knockOut.n, 9)} edges. `,
          go,
        ),
      ];
    }
    const drop = drops.get(name);
    if (!drop) return name === 'input' || name === 'logits' ? [] : [note('Dropping it was not tried.')];
    const figures = element('dl', ...definitions(dropFigures(knockOut, drop)));
    figures.className = `without ${drop.verdict}`;
    return [element('h5', 'Without it'), figures, note(verdictWords[drop.verdict])];
  }

  function content(name: string | undefined, way: readonly HTMLElement[]): HTMLElement[] {
    const { circuit } = shown.now;
    const sorted = [...circuit.edges].sort((a, b) => strength(b) - strength(a) || a - b);
    const edge = circuit.edges.find((index) => data.edges[index]?.[0] === name);
    if (name === undefined) return [element('h4', 'Strongest edges'), ...list(sorted, 12)];
    if (edge !== undefined) {
      const figures: [string, string][] = [['score', scoreText(data.edges[edge]?.[1], decimals)]];
      if (often) figures.push(['found again', oftenText(often.get(edge))]);
      return [element('h4', edgeText(name)), element('dl', ...definitions(figures)), ...worth(name)];
    }
    return [
      element('h4', spokenNode(name)),
      ...way,
      ...worth(name),
      ...group(
        'Reads from',
        sorted.filter((index) => parts[index]?.[1] === name),
      ),
      ...group(
        'Writes to',
        sorted.filter((index) => parts[index]?.[0] === name),
      ),
    ];
  }

  const read = (name = shown.now.pick, ...way: HTMLElement[]): void => place.replaceChildren(...content(name, way));
  shown.follow(() => read());
  return { read };
}
