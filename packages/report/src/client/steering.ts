// A page about steering: the strength and the penalty are pulled, a prompt is chosen, a cell is read, and everything that is known of them follows.
import type { LiveSteering } from '../live-steering.js';
import { cellClasses, cellFigures, siteName } from '../steering-cell.js';
import { penaltySays, promptDrawings, strengthFigures, strengthSays } from '../steering-figures.js';
import { bare } from '../token-words.js';
import { numberText } from '../number-text.js';
import { walkCells } from './cell-walk.js';
import { nodesOf } from './drawing-nodes.js';
import { definitions, element, note } from './elements.js';
import { strengthSlider } from './strength.js';

export function liveSteeringPage(section: HTMLElement, data: LiveSteering): void {
  const find = <T extends Element = HTMLElement>(what: string): T | null => section.querySelector<T>(`[data-${what}]`);
  const all = (what: string): HTMLElement[] => [...section.querySelectorAll<HTMLElement>(`[data-${what}]`)];
  const cells = new Map(all('cell').map((shape) => [Number(shape.dataset['cell']), shape]));
  const same = all('same');
  const marks = [...section.querySelectorAll<Element>('[data-at]')];
  const penalty = find<HTMLInputElement>('penalty');
  const choice = find<HTMLSelectElement>('prompt');
  const now = {
    strength: 1,
    prompt: 0,
    point: data.path?.chosen,
    cell: [...cells].find(([, shape]) => shape.tabIndex === 0)?.[0] ?? 0,
  };

  const prompt = () => data.prompts[now.prompt] ?? data.prompts[0];
  const say = (what: string, text: string): void => {
    const place = find(what);
    if (place && place.textContent !== text) place.textContent = text;
  };
  /** The values that are shown: the record's own, or those that another penalty left. */
  const values = () =>
    now.point === undefined || now.point === data.path?.chosen
      ? data.cells?.values
      : data.path?.points[now.point]?.values;

  function cellNow(at: number) {
    const heads = data.cells?.heads?.[at];
    return {
      value: values()?.[at] ?? null,
      live: data.cells?.live[at] === true,
      ...(heads && now.point === data.path?.chosen ? { heads } : {}),
    };
  }

  function cellPlace(at: number) {
    const { layers = [], positions = [], sites = [] } = data.cells ?? {};
    const position = at % positions.length;
    return {
      site: sites[Math.floor(at / (layers.length * positions.length))],
      layer: layers[Math.floor(at / positions.length) % layers.length],
      name: positions[position],
      token: prompt()?.tokens[position] ?? '',
    };
  }

  function drawCells(): void {
    for (const [at, shape] of cells) {
      const { site, layer, token } = cellPlace(at);
      if (!site) continue;
      const cell = cellNow(at);
      const here = at === now.cell ? ' here' : '';
      shape.className = cellClasses(cell.value, cell.live, now.strength, site.meaning) + here;
      const figures = cellFigures(cell, now.strength, site.meaning).map(([name, value]) => `${name} ${value}`);
      shape.title = `layer ${layer}, ${token}: ${figures.join(', ')}`;
    }
    readCell(now.cell);
  }

  function readCell(at: number): void {
    const { site, layer, name, token } = cellPlace(at);
    if (!site) return;
    cells.get(now.cell)?.classList.remove('here');
    now.cell = at;
    cells.get(at)?.classList.add('here');
    for (const shape of same) shape.classList.toggle('here', shape.dataset['same'] === String(at));
    say('cell-name', `${siteName(site.name)}, layer ${layer}, position ${name}${token && ` “${token}”`}`);
    const others = (data.cells?.others ?? []).map(({ measure, values }) => [measure, numberText(values[at])] as const);
    find('cell-figures')?.replaceChildren(
      ...definitions([...cellFigures(cellNow(at), now.strength, site.meaning), ...others]),
    );
  }

  function drawOutcome(): void {
    find('strength-figures')?.replaceChildren(...definitions(strengthFigures(data, now.strength, now.point)));
    const shown = prompt();
    if (!shown) return;
    const drawings = now.point === data.path?.chosen ? promptDrawings(data, shown, now.strength) : [];
    const missing =
      now.point === data.path?.chosen
        ? 'At this strength the prompt was not run.'
        : `Prompts were run with the values of ${penaltySays(data, data.path?.chosen ?? 0)}.`;
    find('outcome')?.replaceChildren(...(drawings.length ? drawings.map(nodesOf) : [note(missing)]));
    for (const mark of marks) {
      const at = mark.getAttribute('data-at');
      mark.classList.toggle('now', at === `b ${now.strength}` || at === `l ${now.point}`);
    }
  }

  function drawPrompt(): void {
    const shown = prompt();
    if (!shown) return;
    for (const place of all('token')) place.textContent = shown.tokens[Number(place.dataset['token'])] ?? '';
    for (const place of all('answer'))
      place.textContent = bare(place.dataset['answer'] === 'correct' ? shown.correct : shown.wrong);
    find('words')?.replaceChildren(...shown.words.map(tokenNode));
  }

  /** What is shown stands in the address, `#cells/-0.75/3/1/90`: strength, place of the penalty, prompt, cell. */
  function write(): void {
    const parts = [section.id, now.strength, now.point ?? 0, now.prompt, now.cell];
    history.replaceState(null, '', `#${parts.join('/')}`);
  }
  function read(): void {
    const [id, ...given] = location.hash.slice(1).split('/');
    const [strength, at, chosen, cell] = given.map(Number);
    if (id !== section.id || strength === undefined || !data.strengths.includes(strength)) return;
    if (penalty && at !== undefined && data.path?.points[at]) now.point = at;
    if (chosen !== undefined && data.prompts[chosen]) now.prompt = chosen;
    if (cell !== undefined && cells.has(cell)) now.cell = cell;
    if (penalty) penalty.value = String(now.point);
    if (choice) choice.value = String(now.prompt);
    drawPrompt();
    drawPenalty();
    slider.go(strength);
    section.scrollIntoView();
  }

  function drawPenalty(): void {
    if (now.point === undefined) return;
    say('penalty-says', penaltySays(data, now.point));
    penalty?.setAttribute('aria-valuetext', penaltySays(data, now.point));
  }

  const slider = strengthSlider(section, data.strengths, (strength) => {
    now.strength = strength;
    say('strength-says', strengthSays(data, strength, prompt() ?? { correct: '', wrong: '' }));
    drawCells();
    drawOutcome();
    write();
  });
  penalty?.addEventListener('input', () => {
    now.point = Number(penalty.value);
    drawPenalty();
    slider.again();
  });
  choice?.addEventListener('change', () => {
    now.prompt = Number(choice.value);
    drawPrompt();
    slider.again();
  });
  if (data.cells) {
    const { sites, layers, positions } = data.cells;
    walkCells({ cells, size: [sites.length, layers.length, positions.length], read: readCell, rest: write });
    readCell(now.cell);
  }
  read();
  addEventListener('hashchange', read);
}

/** A token by itself, its leading space as a dot. */
function tokenNode(text: string): HTMLElement {
  const made = element(
    'bdi',
    ...(text.startsWith(' ') ? [element('i', '·')] : []),
    text.startsWith(' ') ? text.slice(1) : text,
  );
  made.className = 'token';
  return made;
}
