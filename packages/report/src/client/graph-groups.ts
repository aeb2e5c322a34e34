// Grouping pinned nodes under a name, taking a group apart, and taking groups that are proposed.
import { proposalsFor, type ProposedGroup } from '../feature-graph/graph-proposals.js';
import type { GraphReading, GraphView } from '../feature-graph/graph-view.js';

export function groupControls(
  section: HTMLElement,
  view: () => GraphView,
  change: (next: Partial<GraphReading>) => void,
): void {
  const name = section.querySelector<HTMLInputElement>('[data-group-name]');
  const group = (): void => {
    const members = [...section.querySelectorAll<HTMLInputElement>('[data-member]')]
      .filter(({ checked }) => checked)
      .map((box) => Number(box.dataset['member']));
    const { supernodes } = view();
    if (!members.length || !name) return;
    change({
      supernodes: [...supernodes, { name: name.value.trim() || `group ${supernodes.length + 1}`, members }],
    });
    name.value = '';
  };
  section.querySelector('[data-group]')?.addEventListener('click', group);
  name?.addEventListener('keydown', (event) => {
    if (event.key === 'Enter') group();
  });
  section.querySelector('[data-supernodes]')?.addEventListener('click', ({ target }) => {
    const button = target instanceof Element ? target.closest<HTMLElement>('[data-ungroup]') : null;
    if (!button) return;
    const place = Number(button.dataset['ungroup']);
    change({ supernodes: view().supernodes.filter((_, i) => i !== place) });
  });

  const take = (groups: readonly ProposedGroup[]): void => {
    const { supernodes, pinned } = view();
    change({
      supernodes: [...supernodes, ...groups.map(({ name, members }) => ({ name, members }))],
      pinned: [...new Set([...pinned, ...groups.flatMap(({ members }) => members)])],
    });
  };
  section.querySelector('[data-propose]')?.addEventListener('click', () => change({ proposing: !view().proposing }));
  section.querySelector('[data-proposals]')?.addEventListener('click', ({ target }) => {
    if (!(target instanceof Element)) return;
    const one = target.closest<HTMLElement>('[data-take]')?.dataset['take'];
    const groups = proposalsFor(view());
    if (one !== undefined) take(groups.slice(Number(one), Number(one) + 1));
    else if (target.closest('[data-take-all]')) take(groups);
    else if (target.closest('[data-no-proposals]')) change({ proposing: false });
  });
}
