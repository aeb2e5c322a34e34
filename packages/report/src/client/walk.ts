// Walking a circuit with the keys: up and down along the strongest edge, back the way one came, and sideways to its neighbours.
import type { LiveData } from '../live-data.js';
import { edgeParts, edgeText, numberText } from '../number-text.js';
import { note } from './elements.js';
import type { ShownCircuit } from './shown.js';

interface Walk {
  readonly nodes: ReadonlyMap<string, SVGGElement>;
  readonly data: LiveData;
  readonly shown: ShownCircuit;
  /** Reads a node, and how it was reached. */
  look(node: string, ...way: HTMLElement[]): void;
  leave(): void;
}

/** An edge that was walked: from a node up to one that reads it, or down to one that it reads. */
interface Step {
  readonly from: string;
  readonly up: boolean;
}

export function walkNodes({ nodes, data, shown, look, leave }: Walk): void {
  let step: Step | undefined;

  /** Nodes that one edge up or down leads to, strongest first, each with its strongest edge. */
  function next(node: string, up: boolean): { readonly node: string; readonly edge: string; readonly score: number }[] {
    const found = new Map<string, { node: string; edge: string; score: number }>();
    for (const index of shown.now.circuit.edges) {
      const [edge, score] = data.edges[index] ?? ['', 0];
      const [from, to] = edgeParts(edge);
      if ((up ? from : to) !== node) continue;
      const other = up ? to : from;
      const known = found.get(other);
      if (!known || Math.abs(score ?? 0) > Math.abs(known.score))
        found.set(other, { node: other, edge, score: score ?? 0 });
    }
    return [...found.values()].sort((a, b) => Math.abs(b.score) - Math.abs(a.score));
  }

  const onWalk = (): string[] => [...nodes].filter(([, shape]) => shape.classList.contains('on')).map(([node]) => node);

  /** Where an arrow key leads, and along which edge. */
  function target(node: string, key: string): { readonly node: string; readonly step: Step | undefined } | undefined {
    if (key === 'ArrowUp' || key === 'ArrowDown') {
      const up = key === 'ArrowUp';
      const choices = next(node, up);
      const back = step && step.up !== up && choices.find((choice) => choice.node === step?.from);
      const to = back || choices[0];
      return to && { node: to.node, step: { from: node, up } };
    }
    const beside = step ? next(step.from, step.up).map((choice) => choice.node) : onWalk();
    const place = beside.indexOf(node) + (key === 'ArrowRight' ? 1 : -1);
    const to = beside[(place + beside.length) % beside.length];
    return to === undefined || to === node ? undefined : { node: to, step };
  }

  function way(node: string): HTMLElement[] {
    if (!step) return [];
    const choices = next(step.from, step.up);
    const i = choices.findIndex((choice) => choice.node === node);
    const choice = choices[i];
    if (!choice) return [];
    return [note(`Along ${edgeText(choice.edge)} (${numberText(choice.score)}), ${i + 1} of ${choices.length}.`)];
  }

  /** Of the nodes in the circuit one is reached by Tab, the others by arrow keys from it. */
  function keepOneTabStop(stop: string | undefined): void {
    for (const [node, shape] of nodes) shape.setAttribute('tabindex', node === stop ? '0' : '-1');
  }

  shown.follow(({ pick }) => {
    const walk = onWalk();
    const focused = walk.find((node) => nodes.get(node) === document.activeElement);
    keepOneTabStop(focused ?? walk.find((node) => node === pick) ?? walk[0]);
    if (focused !== undefined) look(focused, ...way(focused));
  });

  for (const [node, shape] of nodes) {
    shape.addEventListener('focus', () => look(node, ...way(node)));
    shape.addEventListener('blur', leave);
    shape.addEventListener('keydown', (event) => {
      if (event.key.startsWith('Arrow')) {
        const to = target(node, event.key);
        if (to) {
          step = to.step;
          keepOneTabStop(to.node);
          nodes.get(to.node)?.focus();
        }
      } else if (event.key === 'Enter' || event.key === ' ')
        shown.show({ pick: shown.now.pick === node ? undefined : node });
      else if (event.key === 'Escape') {
        step = undefined;
        if (shown.now.pick !== undefined) shown.show({ pick: undefined });
        shape.blur();
      } else return;
      event.preventDefault();
    });
  }
}
