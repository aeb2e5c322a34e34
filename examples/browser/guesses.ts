// The table of next words: each with two bars in one SVG, filled for now and outlined for as trained.

export interface Guess {
  readonly word: string;
  /** Probability as trained. */
  readonly before: number;
  /** Probability with the part scaled. */
  readonly now: number;
}

const SVG = 'http://www.w3.org/2000/svg';

/** Replaces the rows of a table body. Words are set as text, never as markup. */
export function drawGuesses(body: HTMLElement, guesses: readonly Guess[]): void {
  body.replaceChildren(...guesses.map(row));
}

function row({ word, before, now }: Guess): HTMLTableRowElement {
  const line = document.createElement('tr');
  const head = document.createElement('th');
  head.scope = 'row';
  head.textContent = word;
  const chart = document.createElement('td');
  chart.append(bars(before, now));
  line.append(head, chart, number(now, 'number now'), number(before, 'number before'));
  return line;
}

function number(probability: number, className: string): HTMLTableCellElement {
  const cell = document.createElement('td');
  cell.className = className;
  cell.textContent = `${(100 * probability).toFixed(1)} %`;
  return cell;
}

function bars(before: number, now: number): SVGSVGElement {
  const chart = document.createElementNS(SVG, 'svg');
  chart.setAttribute('class', 'bars');
  chart.setAttribute('viewBox', '0 0 100 10');
  chart.setAttribute('preserveAspectRatio', 'none');
  chart.setAttribute('aria-hidden', 'true');
  chart.append(bar(now, 'now', 2.5, 5), bar(before, 'before', 1, 8));
  return chart;
}

function bar(probability: number, className: string, top: number, height: number): SVGRectElement {
  const shape = document.createElementNS(SVG, 'rect');
  shape.setAttribute('class', className);
  for (const [name, value] of Object.entries({ x: 0.5, y: top, width: 99 * probability, height }))
    shape.setAttribute(name, String(value));
  return shape;
}
