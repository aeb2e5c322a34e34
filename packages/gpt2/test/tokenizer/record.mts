// Records what Hugging Face's Rust tokenizers make of numbered strings with GPT-2's vocabulary. `npm run record:tokenizer -w @limn/gpt2 -- <folder>`
// The folder holds vocab.json and merges.txt. Needs Python with tokenizers; LIMN_PYTHON names another python3.
// With a number after the folder nothing is written: that many strings are compared with the live reference.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { memoryFiles } from '../../src/files.ts';
import { ModelTokenizer } from '../../src/tokenizer.ts';
import { numberedString } from './strings.ts';

const [folder, asked] = process.argv.slice(2);
if (!folder) throw new Error('name the folder that holds vocab.json and merges.txt');
const here = import.meta.dirname;
/** Strings in the record, and strings per checksum. */
const [recorded, block] = [20_480, 512];

/** Asked in UTF-8, which has no unpaired surrogates: U+FFFD stands for each. */
function referenceIds(texts: readonly string[]): { readonly version: string; readonly lines: readonly string[] } {
  const program = process.env['LIMN_PYTHON'] ?? 'python3';
  const files = ['vocab.json', 'merges.txt'].map((name) => path.join(folder as string, name));
  const input = texts.map((text) => JSON.stringify(Buffer.from(text).toString()) + '\n').join('');
  const run = spawnSync(program, [path.join(here, 'reference-ids.py'), ...files], {
    input,
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
  });
  if (run.status !== 0) throw new Error(`${program} could not run the reference: ${run.error?.message ?? run.stderr}`);
  const [version = '', ...lines] = run.stdout.trimEnd().split('\n');
  if (lines.length !== texts.length) throw new Error(`${texts.length} strings, but ${lines.length} answers`);
  return { version, lines };
}

const count = asked === undefined ? recorded : Number(asked);
const texts = Array.from({ length: count }, (_, i) => numberedString(i));
const { version, lines } = referenceIds(texts);
if (asked === undefined) {
  const sums = Array.from({ length: count / block }, (_, b) =>
    createHash('sha256')
      .update(lines.slice(b * block, (b + 1) * block).join('\n'))
      .digest('hex'),
  );
  const record = {
    reference: `tokenizers ${version} (Rust, from Python)`,
    command: 'npm run record:tokenizer -w @limn/gpt2 -- <folder of vocab.json and merges.txt>',
    strings: count,
    block,
    sha256: sums,
  };
  writeFileSync(path.join(here, '../recorded/gpt2-token-ids.json'), `${JSON.stringify(record, null, 2)}\n`);
  console.log(`${count} strings by ${record.reference}`);
} else {
  const read = (name: string): string => readFileSync(path.join(folder, name), 'utf8');
  const tokenizer = await ModelTokenizer.open(
    memoryFiles({ 'vocab.json': read('vocab.json'), 'merges.txt': read('merges.txt') }),
    undefined,
  );
  if (!tokenizer) throw new Error('no tokenizer was found');
  let different = 0;
  for (const [i, text] of texts.entries()) {
    const ours = JSON.stringify(tokenizer.encode(text, { prependBos: false }).ids);
    if (ours !== lines[i] && ++different <= 20)
      console.error(`string ${i} ${JSON.stringify(text)}: ${ours} here, ${lines[i]} by the reference`);
  }
  console.log(`${count} strings, ${different} different`);
  process.exitCode = different > 0 ? 1 : 0;
}
