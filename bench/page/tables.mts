// The page's tables, made of elements so that nothing in a file can be markup.
import { scaleLinear } from 'd3-scale';
import type { BesideRecord, CeilingRecord, JobRecord } from '../harness/record.mjs';
import type { SideBySide, SideBySideRow } from '../harness/side-by-side.mjs';
import { digits, duration, percent, rate, times } from '../harness/text.mjs';

/** An element with classes and children. */
export function element(tag: string, className = '', ...children: readonly (Node | string)[]): HTMLElement {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

const rowHead = (text: string): HTMLElement => {
  const head = element('th', '', text);
  head.setAttribute('scope', 'row');
  return head;
};

export const ceilingRow = ({ name, value, unit, way }: CeilingRecord): HTMLElement =>
  element('tr', '', rowHead(name), element('td', 'number', `${digits(value)} ${unit}`), element('td', '', way));

/** A bar of a share, full at 1. */
function bar(share: number): SVGElement {
  const svg = (tag: string, attributes: Readonly<Record<string, string | number>>): SVGElement => {
    const made = document.createElementNS('http://www.w3.org/2000/svg', tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
    return made;
  };
  const x = scaleLinear([0, 1], [0, 100]).clamp(true);
  const drawn = svg('svg', {
    class: 'share',
    viewBox: '0 0 100 8',
    preserveAspectRatio: 'none',
    'aria-hidden': 'true',
  });
  drawn.append(svg('rect', { width: 100, height: 8 }), svg('rect', { width: x(share), height: 8 }));
  return drawn;
}

const besideText = ({ name, ratio }: BesideRecord): HTMLElement =>
  element(
    'div',
    '',
    `${times(ratio.median)} ${name}`,
    element('small', '', `${times(ratio.low)} to ${times(ratio.high)}`),
  );

export function jobRow(job: JobRecord): HTMLElement {
  const { name, time, work, ceiling, beside } = job;
  const share = element('td');
  if (ceiling) share.append(`${percent(ceiling.share)} `, element('small', '', ceiling.id), bar(ceiling.share));
  return element(
    'tr',
    '',
    rowHead(name),
    element(
      'td',
      'number',
      duration(time.median),
      element('small', '', `${duration(time.low)} to ${duration(time.high)}`),
    ),
    element('td', 'number', rate(work.flops, time.median)),
    element('td', 'number', rate(work.bytes, time.median)),
    share,
    element('td', '', ...beside.map(besideText)),
  );
}

/** A column per run; the first is what the others are compared with. */
export function besideTable({ titles, ceilings, jobs }: SideBySide): HTMLElement[] {
  const column = (title: string): HTMLElement => {
    const head = element('th', '', title);
    head.setAttribute('scope', 'col');
    return head;
  };
  const group = (title: string): HTMLElement => {
    const head = element('th', 'group', title);
    head.setAttribute('colspan', String(titles.length + 1));
    return element('tr', '', head);
  };
  const row = ({ name, unit, cells }: SideBySideRow): HTMLElement =>
    element(
      'tr',
      '',
      rowHead(`${name}, ${unit}`),
      ...cells.map((cell) => {
        if (!cell) return element('td', '', '–');
        const verdict = !cell.clear ? '' : cell.faster > 1 ? 'better' : 'worse';
        return element('td', '', element('span', verdict, cell.text), element('small', '', cell.note));
      }),
    );
  return [
    element('thead', '', element('tr', '', column(''), ...titles.map(column))),
    element('tbody', '', group('What the adapter can do'), ...ceilings.map(row), group('Jobs'), ...jobs.map(row)),
  ];
}
