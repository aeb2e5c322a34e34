// The set that comes with pocket: opened by name, and as faithful on held-out sentences as its card was asked to show.
import { readFile } from 'node:fs/promises';
import { dictionariesFromJson } from '@limn/report';
import { transcodersFolder } from '@limn/pocket';
import { expect, test } from 'vitest';
import { runLimn } from './run-limn.js';

test('--transcoders pocket: every layer recovers .95 of what its MLP is worth with 16 of 512 features', async () => {
  const words = 'transcode evaluate --model pocket --transcoders pocket --sequences 12 --json';
  const { exitCode, json } = await runLimn(words.split(' '));
  expect(exitCode).toBe(0);
  const { measured } = json() as unknown as {
    readonly measured: {
      readonly own: {
        readonly figures: {
          readonly dictionaries: readonly {
            readonly l0: number;
            readonly fvu: number;
            readonly recovered: { readonly mean: { readonly loss: number } };
          }[];
          readonly together: readonly { readonly recovered: { readonly mean: { readonly loss: number } } }[];
        };
      };
    };
  };
  const { dictionaries, together } = measured.own.figures;
  expect(dictionaries).toHaveLength(3);
  for (const { l0, fvu, recovered } of dictionaries) {
    expect(l0).toBeLessThanOrEqual(16);
    expect(fvu).toBeLessThan(0.04);
    expect(recovered.mean.loss).toBeGreaterThan(0.95);
  }
  expect(together[0]?.recovered.mean.loss).toBeGreaterThan(0.95);
});

test('the figures in its folder meet what was asked of it', async () => {
  const record = dictionariesFromJson(await readFile(new URL('result.json', transcodersFolder()), 'utf8'));
  const asked = record.layers.filter(({ cost }) => cost >= 0.2).flatMap(({ layers }) => layers);
  expect(asked).toEqual([0, 1, 2]);
  for (const layer of asked) {
    const point = record.points.find((each) => each.layer === layer);
    expect(point?.l0).toBeLessThanOrEqual(16);
    expect(point?.recovered.mean.loss).toBeGreaterThanOrEqual(0.95);
    expect(point?.deadShare).toBeLessThanOrEqual(0.2);
    expect(point?.features).toBeGreaterThanOrEqual(8 * 64);
  }
});
