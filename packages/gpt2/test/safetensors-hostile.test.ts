// Hostile safetensors files: the corpus by code, the reference reader's recorded verdicts, and fuzzing by mutation.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { LimnError } from '@limn/gpu';
import * as fc from 'fast-check';
import { refusal } from '@limn/testing';
import { describe, expect, test } from 'vitest';
import { newConfig } from '../src/config.js';
import { memoryFiles, type ModelFiles } from '../src/files.js';
import { readSafetensorsHeader, stricterThanReference } from '../src/safetensors.js';
import { readTensorF32 } from '../src/tensor-values.js';
import { findWeights, indexFile } from '../src/weights.js';
import { bases, mutate, numberedMutant } from './hostile/mutations.js';
import { hostileFiles } from './hostile/corpus.js';
import { accepts, verdictOf } from './hostile/verdict.js';

const folder = path.join(import.meta.dirname, 'hostile/safetensors');
const long = process.env['LIMN_LONG'] === '1';
/** Cases to try: 2,000 by default, 100,000 at night (`npm run fuzz -w @limn/gpt2`). */
const runs = Number(process.env['LIMN_FUZZ_RUNS'] ?? (long ? 100_000 : 2_000));
const prototype = Object.getOwnPropertyNames(Object.prototype).join();

const expected = JSON.parse(readFileSync(path.join(folder, 'expected.json'), 'utf8')) as {
  files: { file: string; limn: string; reference: string }[];
};

describe('the hostile corpus', () => {
  test('is complete, and what its source says', () => {
    expect(readdirSync(folder).sort()).toEqual([...expected.files.map(({ file }) => file), 'expected.json'].sort());
    for (const { name, bytes } of hostileFiles)
      expect(readFileSync(path.join(folder, `${name}.safetensors`)).equals(bytes), name).toBe(true);
    expect(expected.files.map(({ limn }) => limn)).toEqual(hostileFiles.map(({ code }) => code ?? 'accepted'));
  });

  test.each(expected.files)('$file: $limn', async ({ file, limn, reference }) => {
    const verdict = await verdictOf(readFileSync(path.join(folder, file)));
    expect(accepts(verdict) ? 'accepted' : verdict).toBe(limn);
    if (accepts(verdict)) expect(reference, 'what was read').toBe(verdict);
    expect(Object.getOwnPropertyNames(Object.prototype).join()).toBe(prototype);
  });

  test('differs from the reference reader only where it is said to be stricter, and every such case is shown', () => {
    const apart = expected.files.filter(({ limn, reference }) => (limn === 'accepted') !== accepts(reference));
    expect(apart.filter(({ limn }) => limn === 'accepted')).toEqual([]);
    expect(new Set(apart.map(({ limn }) => limn))).toEqual(new Set(stricterThanReference.keys()));
  });
});

test('2,500 numbered mutants: read as the reference reader read them, refused as it refused them, apart from the listed reasons', async () => {
  const recorded = JSON.parse(
    readFileSync(path.join(import.meta.dirname, 'recorded/safetensors-verdicts.json'), 'utf8'),
  ) as { mutants: number; sha256: string; contents: string[] };
  const contents = recorded.contents.join(' ').split(' ');
  expect(contents.length).toBe(recorded.mutants);
  const sha256 = createHash('sha256');
  const wrong: string[] = [];
  for (const [i, digest] of contents.entries()) {
    const bytes = numberedMutant(i);
    sha256.update(bytes);
    const verdict = await verdictOf(bytes);
    const alike = digest === '-' ? !accepts(verdict) : verdict === `accepted ${digest}`;
    if (!alike && !(digest !== '-' && stricterThanReference.has(verdict)))
      wrong.push(`mutant ${i}: ${verdict}, reference ${digest}`);
  }
  expect(sha256.digest('hex'), 'the mutants are not those that were recorded').toBe(recorded.sha256);
  expect(wrong).toEqual([]);
  const accepted = contents.filter((digest) => digest !== '-').length;
  expect(accepted / recorded.mutants, 'share of accepted files').toBeGreaterThan(0.2);
});

/** The files of `held`, noting how much was asked for. */
function counted(held: ModelFiles): { files: ModelFiles; asked: () => number } {
  let asked = 0;
  return {
    asked: () => asked,
    files: {
      ...held,
      read: async (name, begin = 0, end = 0) => {
        asked += end - begin;
        return held.read(name, begin, end);
      },
    },
  };
}

const acts = fc.array(fc.record({ kind: fc.nat(999), a: fc.nat(9999), b: fc.nat(9999) }), {
  minLength: 1,
  maxLength: 4,
});

describe(`fuzzing, ${runs} cases each`, () => {
  const seconds = 10 + runs / 500;

  test(
    'a damaged file is refused with a code, or is sound in every respect',
    async () => {
      await fc.assert(
        fc.asyncProperty(fc.nat(bases.length - 1), acts, async (base, mutations) => {
          const bytes = mutate(base, mutations);
          const { files, asked } = counted(memoryFiles({ file: bytes }));
          let header;
          try {
            header = await readSafetensorsHeader(files, 'file');
          } catch (error) {
            if (!(error instanceof LimnError) || !error.code.startsWith('safetensors/')) throw error;
          }
          expect(asked()).toBeLessThanOrEqual(bytes.length);
          expect(Object.getOwnPropertyNames(Object.prototype).join()).toBe(prototype);
          if (!header) return;
          let at = 8 + new DataView(bytes.buffer).getUint32(0, true);
          for (const entry of [...header.tensors.values()].sort((x, y) => x.begin - y.begin || x.end - y.end)) {
            expect(entry.begin).toBe(at);
            at = entry.end;
            if (!['F32', 'F16', 'BF16', 'F64'].includes(entry.dtype)) continue;
            const values = await readTensorF32(files, entry);
            expect(values.length).toBe(entry.shape.reduce((product, extent) => product * extent, 1));
          }
          expect(at).toBe(bytes.length);
          for (const [key, value] of header.metadata) expect([typeof key, typeof value]).toEqual(['string', 'string']);
        }),
        { numRuns: runs },
      );
    },
    seconds * 1000,
  );

  test(
    'a damaged index names no file outside its folder',
    async () => {
      const config = newConfig({ vocabulary: 5, maxPositions: 4, width: 4, layers: 1, heads: 2 });
      const plain =
        '{"metadata":{"total_size":8},"weight_map":{"a":"model-00001-of-00002.safetensors","b":"m.safetensors"}}';
      const pieces = fc.constantFrom(
        '/',
        '..',
        '\\',
        '\0',
        'C:',
        '%2f',
        '"',
        '{',
        '}',
        ',',
        ':',
        '.safetensors',
        '\\u002f',
        '…',
      );
      const edits = fc.array(fc.tuple(fc.nat(plain.length), fc.nat(3), pieces), { minLength: 1, maxLength: 4 });
      await fc.assert(
        fc.asyncProperty(edits, async (changes) => {
          let text = plain;
          for (const [at, cut, piece] of changes) text = text.slice(0, at) + piece + text.slice(at + cut);
          const opened: string[] = [];
          const held = memoryFiles({ [indexFile]: text });
          const files: ModelFiles = {
            ...held,
            size: async (name) => {
              if (name !== indexFile) opened.push(name);
              return held.size(name);
            },
          };
          expect((await refusal(findWeights(files, config))).code).toMatch(/^(weights|files)\//);
          for (const name of opened) expect(name).toMatch(/^[A-Za-z0-9_-][A-Za-z0-9._-]*\.safetensors$/);
        }),
        { numRuns: runs },
      );
    },
    seconds * 1000,
  );
});

test('a million and one entries are refused', { timeout: 120_000 }, async (context) => {
  context.skip(!long, 'a header of 50 MB runs in test:long');
  const entries = Array.from({ length: 1_000_001 }, (_, i) => `"${i}":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}`);
  const json = new TextEncoder().encode(`{${entries.join(',')}}`);
  const bytes = new Uint8Array(8 + json.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  expect(await verdictOf(bytes)).toBe('safetensors/limit');
});
