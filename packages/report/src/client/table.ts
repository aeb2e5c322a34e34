// The table of edges: sorting by any column, filtering, and rows made only as they are asked for, so that 32,000 edges stay quick.
import { decimalsFor, edgeParts, nodeLabel, numberText, oftenText, scoreText } from '../number-text.js';
import type { LiveCircuit, LiveData } from '../live-data.js';
import { copyButton } from './copy.js';
import { element } from './elements.js';
import type { ShownCircuit } from './shown.js';

type Key = 'from' | 'to' | 'slot' | 'score' | 'exact' | 'in' | 'often';
const more = 250;

export function liveTable(section: HTMLElement, data: LiveData, circuit: ShownCircuit | undefined): void {
  const body = section.querySelector<HTMLElement>('[data-rows]');
  const find = section.querySelector<HTMLInputElement>('[data-find]');
  const slot = section.querySelector<HTMLSelectElement>('[data-slot]');
  const only = section.querySelector<HTMLInputElement>('[data-only]');
  const count = section.querySelector<HTMLElement>('[data-count]');
  const button = section.querySelector<HTMLButtonElement>('[data-more]');
  if (!body || !find || !slot || !only || !count || !button) return;
  const exact = section.querySelector('[data-key="exact"]') !== null;
  const often = data.often && new Map(data.often.map(([index, share]) => [index, share]));
  // Without a circuit that can be drawn, the marked one.
  let inside: ReadonlySet<number> = new Set(data.edges.flatMap(([, , marked], index) => (marked ? [index] : [])));
  const rows = data.edges.map(([name, score, , reference], index) => {
    const [from, to, as] = edgeParts(name);
    const words = `${name} ${nodeLabel(from)} ${nodeLabel(to)}`.toLowerCase();
    return {
      index,
      name,
      from,
      to,
      slot: as,
      score,
      exact: reference ?? null,
      often: often?.get(index) ?? 0,
      words,
    };
  });
  const decimals = decimalsFor(rows.map((row) => row.score));
  type Row = (typeof rows)[number];
  let sort: { key: Key; down: boolean } = { key: 'score', down: true };
  let shown = data.rows;
  let selected: Row[] = [];
  let drawnFor: LiveCircuit | undefined;

  const value = (row: Row, key: Key): number | string => {
    if (key === 'score' || key === 'exact') return Math.abs(row[key] ?? -1);
    if (key === 'often') return row.often;
    return key === 'in' ? Number(inside.has(row.index)) : key === 'slot' ? row.slot : order(row[key]);
  };

  function select(): void {
    const words = (find?.value ?? '').toLowerCase().split(/\s+/).filter(Boolean);
    selected = rows.filter(
      (row) =>
        (!only?.checked || inside.has(row.index)) &&
        (!slot?.value || row.slot === slot.value.replace('-', '')) &&
        words.every((word) => row.words.includes(word)),
    );
    const sign = sort.down ? -1 : 1;
    const keyed = selected.map((row) => [value(row, sort.key), row] as const);
    keyed.sort(([a, x], [b, y]) => (a < b ? -sign : a > b ? sign : x.index - y.index));
    selected = keyed.map(([, row]) => row);
    for (const head of section.querySelectorAll<HTMLElement>('th[data-key]'))
      if (head.dataset['key'] === sort.key) head.setAttribute('aria-sort', sort.down ? 'descending' : 'ascending');
      else head.removeAttribute('aria-sort');
    shown = data.rows;
    draw(0);
  }

  function draw(from: number): void {
    const cells = (row: Row, rank: number): HTMLTableRowElement => {
      const texts = [String(rank), nodeLabel(row.from), nodeLabel(row.to), row.slot, scoreText(row.score, decimals)];
      if (exact) texts.push(scoreText(row.exact, decimals));
      const made = [...texts, inside.has(row.index) ? 'yes' : ''].map((text) => element('td', text));
      for (const cell of made.slice(4, -1)) cell.className = 'number';
      if (often) {
        const cell = element('td', oftenText(row.often));
        cell.className = 'number';
        made.push(cell);
      }
      return element('tr', ...made);
    };
    const made = selected.slice(from, shown).map((row, i) => cells(row, from + i + 1));
    if (from === 0) body?.replaceChildren(...made);
    else body?.append(...made);
    const visible = Math.min(shown, selected.length);
    if (count)
      count.textContent = `${numberText(visible, 9)} of ${numberText(selected.length, 9)} edges${selected.length === rows.length ? '' : ` that fit, out of ${numberText(rows.length, 9)}`}.`;
    if (button) button.hidden = visible === selected.length;
  }

  for (const control of [find, slot, only]) control.addEventListener('input', select);
  for (const head of section.querySelectorAll<HTMLButtonElement>('[data-sort]'))
    head.addEventListener('click', () => {
      const key = head.dataset['sort'] as Key;
      sort = {
        key,
        down: sort.key === key ? !sort.down : key === 'score' || key === 'exact' || key === 'in' || key === 'often',
      };
      select();
    });
  button.addEventListener('click', () => {
    const from = shown;
    shown += more;
    draw(from);
  });
  copyButton(section.querySelector('[data-csv]'), () => {
    const line = (row: Row): string =>
      [
        row.name,
        row.score ?? '',
        ...(exact ? [row.exact ?? ''] : []),
        inside.has(row.index),
        ...(often ? [row.often] : []),
      ].join(',');
    return [`edge,score,${exact ? 'exact,' : ''}in_circuit${often ? ',found_again' : ''}`, ...selected.map(line)].join(
      '\n',
    );
  });
  if (!circuit) return select();
  circuit.follow((shown) => {
    // A pick changes nothing here.
    if (drawnFor === shown.circuit) return;
    drawnFor = shown.circuit;
    inside = new Set(shown.circuit.edges);
    select();
  });
}

/** Nodes in the order of computation, as text that sorts so. */
function order(node: string): string {
  if (node === 'input') return ' ';
  const [layer = '~', head = ''] = node.match(/\d+/g) ?? [];
  return `${layer.padStart(4, '0')}${node.startsWith('m') ? '~' : head.padStart(4, '0')}`;
}
