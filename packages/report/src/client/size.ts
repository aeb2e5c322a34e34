// The size slider: walks the circuits that were computed, and what it says, the figures, the plot and its table follow.
import type { LiveData } from '../live-data.js';
import { sizeText } from '../number-text.js';
import { sizeFigures } from '../size-figures.js';
import { definitions } from './elements.js';
import type { ShownCircuit } from './shown.js';

export function liveSize(section: HTMLElement, data: LiveData, shown: ShownCircuit): void {
  const slider = section.querySelector<HTMLInputElement>('[data-size]');
  const says = section.querySelector<HTMLElement>('[data-says]');
  const figures = section.querySelector<HTMLElement>('[data-figures]');
  if (!slider || !says || !figures) return;
  const radios = [...section.querySelectorAll<HTMLInputElement>('[data-selection]')];
  const marks = [...section.querySelectorAll<Element>('[data-at]')];

  shown.follow(({ circuit }) => {
    const { n, selection, edges, units } = circuit;
    slider.max = String(shown.sizes.length - 1);
    slider.value = String(shown.sizes.indexOf(circuit));
    const text = sizeText({ n, kept: edges.length, edgeCount: data.edgeCount, unit: data.unit, units });
    if (says.textContent !== text) says.textContent = text;
    slider.setAttribute('aria-valuetext', text);
    figures.replaceChildren(...definitions(sizeFigures(circuit)));
    for (const radio of radios) radio.checked = radio.value === selection;
    for (const mark of marks) mark.classList.toggle('now', mark.getAttribute('data-at') === `${selection} ${n}`);
  });

  const move = (position: number): void => {
    const circuit = shown.sizes[Math.max(0, Math.min(shown.sizes.length - 1, position))];
    if (circuit) shown.show({ circuit });
  };
  slider.addEventListener('input', () => move(Number(slider.value)));
  for (const button of section.querySelectorAll<HTMLButtonElement>('[data-step]'))
    button.addEventListener('click', () => move(Number(slider.value) + Number(button.dataset['step'])));
  for (const radio of radios)
    radio.addEventListener('change', () => {
      const { n } = shown.now.circuit;
      const others = data.circuits.filter(({ selection }) => selection === radio.value);
      others.sort((a, b) => Math.abs(a.n - n) - Math.abs(b.n - n));
      if (others[0]) shown.show({ circuit: others[0] });
    });
}
