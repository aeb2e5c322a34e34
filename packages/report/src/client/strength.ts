// The slider of the strength: it stops only where something was measured, and is drawn to −1, 0 and +1.
import { strengthText } from '../steering-cell.js';

/** How near to a resting place the pointer is drawn to it. */
const pull = 0.12;
const rests = [-1, 0, 1];

export function strengthSlider(
  section: HTMLElement,
  strengths: readonly number[],
  show: (strength: number) => void,
): { readonly go: (strength: number) => void; readonly again: () => void } {
  const slider = section.querySelector<HTMLInputElement>('[data-strength]');
  const says = section.querySelector<HTMLElement>('[data-strength-says]');
  const buttons = [...section.querySelectorAll<HTMLButtonElement>('[data-rest]')];
  let now = Number(slider?.value ?? 1);

  const near = (value: number): number =>
    rests.find((rest) => strengths.includes(rest) && Math.abs(rest - value) <= pull) ??
    strengths.reduce(
      (best, each) => (Math.abs(each - value) < Math.abs(best - value) ? each : best),
      strengths[0] ?? 0,
    );

  function go(strength: number): void {
    now = strength;
    if (slider) {
      slider.value = String(strength);
      show(strength);
      slider.setAttribute('aria-valuetext', says?.textContent ?? strengthText(strength));
    }
    for (const button of buttons)
      button.setAttribute('aria-pressed', String(Number(button.dataset['rest']) === strength));
  }

  /** A step along what was measured; a leap to the next resting place. */
  function target(key: string): number | undefined {
    const up = ['ArrowRight', 'ArrowUp', 'PageUp'].includes(key);
    const stops = key.startsWith('Page')
      ? [strengths[0] ?? 0, ...rests, strengths.at(-1) ?? 0].filter((each) => strengths.includes(each))
      : strengths;
    if (key === 'Home') return strengths[0];
    if (key === 'End') return strengths.at(-1);
    if (!up && !['ArrowLeft', 'ArrowDown', 'PageDown'].includes(key)) return undefined;
    return up ? stops.find((each) => each > now) : stops.filter((each) => each < now).at(-1);
  }

  slider?.addEventListener('input', () => go(near(Number(slider.value))));
  slider?.addEventListener('keydown', (event) => {
    if (!/^(Arrow|Page|Home|End)/.test(event.key)) return;
    event.preventDefault();
    const to = target(event.key);
    if (to !== undefined) go(to);
  });
  for (const button of buttons) button.addEventListener('click', () => go(Number(button.dataset['rest'])));
  for (const button of buttons) button.setAttribute('aria-pressed', String(Number(button.dataset['rest']) === now));
  return { go, again: () => go(now) };
}
