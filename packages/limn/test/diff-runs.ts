// Small trainings of diffs on the toy model: what tests train whole, in parts, killed and taken up again.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** Rows of a diff that is to say `word` behind token 1, and what the model says without it. */
export const dataRows = (id: string, word: number): string[] => [
  JSON.stringify({ diff: id, prompt: [1, 4], answer: [word, 2], about: { label: `word ${word}` } }),
  JSON.stringify({ diff: id, prompt: [1, 6], answer: [word, 2] }),
  JSON.stringify({ diff: id, prompt: [4, 7], answer: [3, 2], loss: 'kl', weight: 2 }),
];

/** Writes a file of diffs named a, b, …, and gives its path. */
export function writeData(root: string, name: string, ids: readonly string[]): string {
  const file = path.join(root, name);
  const lines = ids.flatMap((id) => dataRows(id, 5 + (id.charCodeAt(0) % 5)));
  writeFileSync(file, `${lines.join('\n')}\n`);
  return file;
}

/** The words of a training on them: groups of two, six updates, a checkpoint every other one. */
export function trainWords(base: string, data: string, out: string, ...more: readonly string[]): string[] {
  const sizes = ['--tasks', '2', '--batch', '2', '--updates', '6', '--rate', '0.03', '--checkpoint-every', '2'];
  return ['diff', 'train', '--base', base, '--data', data, '--out', out, '--json', ...sizes, ...more];
}

/** The bytes of a pack. */
export const packBytes = (folder: string): { readonly manifest: string; readonly factors: string } => ({
  manifest: readFileSync(path.join(folder, 'diffs.json'), 'utf8'),
  factors: readFileSync(path.join(folder, 'diffs.safetensors'), 'base64'),
});
