// The script of worker.html: starts the worker and writes down what it tells.
import type { Likely, Look, Told } from './told.js';

const element = (id: string): HTMLElement => document.getElementById(id) as HTMLElement;
const status = element('status');

const worker = new Worker(new URL('worker.js', import.meta.url), { type: 'module' });
worker.addEventListener('message', ({ data }: MessageEvent<Told>) => show(data));
// A script that cannot be loaded says nothing more than that.
worker.addEventListener('error', ({ message }) =>
  show({ kind: 'failed', code: 'error', message: message || 'the worker did not start' }),
);

const END_OF_TEXT = '<|endoftext|>';

function show(told: Told): void {
  switch (told.kind) {
    case 'guesses':
      listLikely(element('guesses'), told.guesses);
      return say(`Running on ${told.adapter}…`);
    case 'looks':
      return tableLooks(told.looks);
    case 'next': {
      element('prompt').textContent = told.prompt;
      const word = document.createElement('strong');
      word.textContent = ` ${told.word === END_OF_TEXT ? '¶' : told.word}`;
      word.title = `${(100 * told.probability).toPrecision(3)} %`;
      return element('continued').append(word);
    }
    case 'loss':
      element('updates').append(cell('th', String(told.step)));
      return element('losses').append(cell('td', told.loss.toFixed(3)));
    case 'taught':
      element('fact').textContent = told.fact;
      return listLikely(element('taught'), told.guesses);
    case 'done':
      return finish(
        'true',
        `Everything in ${(told.milliseconds / 1000).toFixed(1)} s, none of it on this page's thread.`,
      );
    case 'failed':
      status.className = 'problem';
      return finish(told.code, told.message);
  }
}

function listLikely(list: HTMLElement, guesses: readonly Likely[]): void {
  list.replaceChildren(
    ...guesses.map(({ word, probability }) => {
      const item = document.createElement('li');
      const percent = document.createElement('span');
      percent.textContent = `${(100 * probability).toPrecision(probability < 0.01 ? 1 : 3)} %`;
      item.append(word, percent);
      return item;
    }),
  );
}

function tableLooks(looks: readonly Look[]): void {
  const heads = looks.filter(({ layer }) => layer === 0);
  element('heads').replaceChildren(cell('th', ''), ...heads.map(({ head }) => cell('th', `head ${head}`)));
  const rows: HTMLElement[] = [];
  for (const { layer, head, word, weight } of looks) {
    if (head === 0) {
      const row = document.createElement('tr');
      row.append(cell('th', `layer ${layer}`));
      rows.push(row);
    }
    // The model's end-of-text token is also what a text begins with.
    const at = word === END_OF_TEXT ? 'start' : word;
    rows.at(-1)?.append(cell('td', `${at} ${weight.toFixed(2)}`));
  }
  element('looks').replaceChildren(...rows);
}

function cell(name: 'th' | 'td', text: string): HTMLElement {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

function say(text: string): void {
  status.textContent = text;
}

function finish(ready: string, text: string): void {
  say(text);
  document.documentElement.dataset['ready'] = ready;
}
