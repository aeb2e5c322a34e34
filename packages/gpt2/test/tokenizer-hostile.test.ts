// Damaged tokenizer files: the reference reader's recorded readings, and fuzzing by structured damage.
import { createHash } from 'node:crypto';
import { LimnError } from '@limn/gpu';
import { recordResult } from '@limn/testing';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { memoryFiles, type ModelFiles } from '../src/files.js';
import { ModelTokenizer } from '../src/tokenizer.js';
import recorded from './recorded/tokenizer-verdicts.json' with { type: 'json' };
import { cpuSeconds, patience } from './tokenizer/cpu-seconds.js';
import { damage, definitions, numberedTokenizer, sampleTexts } from './tokenizer/damage.js';
import { sound, type Definition } from './tokenizer/sound.js';
import { digestOf, isListed, tokenizerVerdict } from './tokenizer/verdict.js';

const long = process.env['LIMN_LONG'] === '1';
/** Cases to try: 2,000 by default, 100,000 at night (`npm run fuzz -w @limn/gpt2`). */
const runs = Number(process.env['LIMN_FUZZ_RUNS'] ?? (long ? 100_000 : 2_000));
const prototype = Object.getOwnPropertyNames(Object.prototype).join();

test('1,000 numbered damaged files: read as the Rust tokenizers read them, refused as they refused them, apart from the listed reasons', async () => {
  const contents = recorded.contents.join(' ').split(' ');
  expect(contents.length).toBe(recorded.files);
  const sha256 = createHash('sha256');
  const wrong: string[] = [];
  let alike = 0;
  for (const [i, digest] of contents.entries()) {
    const bytes = numberedTokenizer(i);
    sha256.update(bytes);
    const verdict = await tokenizerVerdict(bytes);
    if (verdict instanceof LimnError) {
      if (digest !== '-' && !isListed(verdict, bytes)) wrong.push(`file ${i}: ${verdict.message}`);
    } else if (digest === '?') continue;
    else if (digestOf(verdict) === digest) alike++;
    else wrong.push(`file ${i}: ${JSON.stringify(verdict).slice(0, 300)}, reference ${digest}`);
  }
  expect(sha256.digest('hex'), 'the files are not those that were recorded').toBe(recorded.sha256);
  expect(wrong).toEqual([]);
  expect(alike / recorded.files, 'share of files that are read').toBeGreaterThan(0.1);
});

describe(`fuzzing, ${runs} cases each`, () => {
  const timeout = (10 + runs / 50) * 1000;
  const acts = fc.array(fc.record({ kind: fc.nat(9999), a: fc.nat(9999), b: fc.nat(9999) }), {
    minLength: 1,
    maxLength: 4,
  });

  /** Opens and tries a tokenizer. True if it opened; every error must have a code of its family. */
  async function tried(files: ModelFiles, vocabulary: number, exact: boolean): Promise<boolean> {
    const started = process.cpuUsage();
    try {
      const tokenizer = await ModelTokenizer.open(files, undefined, vocabulary);
      for (const text of tokenizer ? sampleTexts : []) tryText(tokenizer as ModelTokenizer, text, vocabulary, exact);
      return tokenizer !== undefined;
    } catch (error) {
      if (!(error instanceof LimnError) || !/^(?:tokenizer|files)\//.test(error.code)) throw error;
      expect(error.message.length).toBeLessThan(1000);
      return false;
    } finally {
      const seconds = cpuSeconds(started);
      if (seconds > patience) expect.fail(`${seconds} s`);
      if (Object.getOwnPropertyNames(Object.prototype).join() !== prototype)
        expect.fail('Object.prototype was changed');
    }
  }

  function tryText(tokenizer: ModelTokenizer, text: string, vocabulary: number, exact: boolean): void {
    const { ids } = tokenizer.encode(text, { prependBos: false, unknown: 'allow' });
    const wrong = ids.find((id) => !Number.isInteger(id) || id < 0 || id >= vocabulary);
    // A call of expect for each id would take longer than all the rest.
    if (wrong !== undefined) expect.fail(`id ${wrong} of ${JSON.stringify(text)}`);
    const decoded = tokenizer.decode(ids);
    if (typeof decoded !== 'string') expect.fail(`text ${String(decoded)}`);
    tokenizer.decodeBytes(ids);
    try {
      const refused = tokenizer.encode(text, { prependBos: false });
      if (exact && tokenizer.decode(refused.ids) !== text) expect.fail(`text ${JSON.stringify(text)}`);
    } catch (error) {
      if (!(error instanceof LimnError) || error.code !== 'tokenizer/unknown-text') throw error;
    }
  }

  /** Whether text must come back exactly: bytes in, bytes out, and nothing that changes text on the way. */
  function isExact(bytes: Uint8Array): boolean {
    try {
      const root = JSON.parse(new TextDecoder().decode(bytes)) as Definition &
        Record<string, Record<string, unknown> | null>;
      const [before, after] = [root['pre_tokenizer'], root['decoder']];
      return (
        (root['normalizer'] ?? null) === null &&
        before?.['type'] === 'ByteLevel' &&
        before['add_prefix_space'] === false &&
        after?.['type'] === 'ByteLevel' &&
        (root.added_tokens ?? []).every((token) => token['lstrip'] === false && token['rstrip'] === false)
      );
    } catch {
      return false;
    }
  }

  test(
    'a damaged tokenizer.json is refused with a code, or reads text to ids of the model and back',
    { timeout },
    async () => {
      let [opened, exact] = [0, 0];
      await fc.assert(
        fc.asyncProperty(
          fc.nat(definitions.length - 1),
          acts,
          fc.constantFrom(262, 263, 11, 1000),
          async (base, damages, vocabulary) => {
            const bytes = damage(base, damages);
            const byBytes = isExact(bytes);
            if (!(await tried(memoryFiles({ 'tokenizer.json': bytes }), vocabulary, byBytes))) return;
            opened++;
            if (byBytes) exact++;
          },
        ),
        { numRuns: runs, seed: 20251122 },
      );
      expect(opened).toBeGreaterThan(runs / 50);
      expect(exact).toBeGreaterThan(runs / 100);
      recordResult('tokenizer.json, fuzzed', { cases: runs, opened, 'exact back': exact, uncoded: 0 });
    },
  );

  test('damaged vocab.json, merges.txt and tokenizer_config.json', { timeout }, async () => {
    const { vocab, merges } = sound().model;
    const plain = {
      'vocab.json': JSON.stringify(vocab),
      'merges.txt': `#version: 0.2\n${(merges as string[]).join('\n')}\n`,
      'tokenizer_config.json': '{"bos_token": {"content": "<|endoftext|>"}, "add_prefix_space": false}',
    };
    const names = Object.keys(plain) as (keyof typeof plain)[];
    // prettier-ignore
    const pieces = fc.constantFrom('\0', '"', '\\', '{', '}', '[', ']', ',', ':', '-', '9', '0', ' ', '  ', '\n', '\r\n', '\ufeff', 'a b', 'x', '#version', '"__proto__":1,', 'null', '\\ud800', '[['.repeat(999));
    const edits = fc.array(fc.tuple(fc.nat(2), fc.nat(9999), fc.nat(3), pieces), { minLength: 1, maxLength: 3 });
    const json = JSON.stringify(sound());
    let opened = 0;
    await fc.assert(
      fc.asyncProperty(edits, fc.boolean(), fc.nat(), async (changes, cut, where) => {
        const files: Record<string, string> = { ...plain };
        for (const [file, at, gone, piece] of changes) {
          const name = names[file] as keyof typeof plain;
          const text = files[name] as string;
          files[name] = text.slice(0, at % text.length) + piece + text.slice((at % text.length) + gone);
        }
        const name = names[where % 3] as keyof typeof plain;
        const bytes = new TextEncoder().encode(files[name]);
        const held = cut ? bytes.subarray(0, where % bytes.length) : bytes;
        const damaged = { ...files, [name]: held };
        // The third file is read beside a tokenizer.json only.
        const given =
          name === 'tokenizer_config.json' ? { 'tokenizer.json': json, 'tokenizer_config.json': held } : damaged;
        if (await tried(memoryFiles(given), 262, true)) opened++;
      }),
      { numRuns: runs, seed: 20251122 },
    );
    expect(opened).toBeGreaterThan(runs / 100);
    recordResult('vocab.json and merges.txt, fuzzed', { cases: runs, opened, uncoded: 0 });
  });
});
