// Grouping pinned nodes under a name, and taking a group apart.
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
}
