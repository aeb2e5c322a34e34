// `limn run` writes what the model computed; `limn train` stops with a checkpoint and goes on to the same weights.
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { readSafetensorsHeader, readTensorF32 } from '@limn/gpt2';
import { openFolder } from '@limn/gpt2/node';
import type { Provenance } from '@limn/report';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runLimn } from './run-limn.js';
import { writeToyModel } from './toy-model.js';

let root: string;
beforeAll(() => {
  root = mkdtempSync(path.join(os.tmpdir(), 'limn-run-'));
  writeToyModel(path.join(root, 'model'));
  const documents = Array.from({ length: 40 }, (_, i) =>
    Array.from({ length: 4 + (i % 9) }, (_, t) => (i * 3 + t * t) % 11),
  );
  writeFileSync(path.join(root, 'corpus.jsonl'), `${documents.map((ids) => JSON.stringify(ids)).join('\n')}\n`);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('limn run', () => {
  it('writes logits and captured hooks whose values are the golden ones', async () => {
    const out = path.join(root, 'acts.safetensors');
    const words = [
      'run',
      '--model',
      path.join(root, 'model'),
      '--tokens',
      '1,4,7,2,9',
      '--capture',
      'blocks.0.hook_in',
      '--capture',
      'blocks.1.attn.hook_pattern',
      '--out',
      out,
    ];
    const outcome = await runLimn([...words, '--json']);
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    expect(outcome.json()).toMatchObject({
      tensors: { logits: [1, 5, 11], 'blocks.0.hook_resid_pre': [1, 5, 8], 'blocks.1.attn.hook_pattern': [1, 2, 5, 5] },
    });
    const files = openFolder(root);
    const { tensors, metadata } = await readSafetensorsHeader(files, 'acts.safetensors');
    const values = async (name: string): Promise<Float32Array> => {
      const entry = tensors.get(name);
      if (entry === undefined) throw new Error(`${name} is missing`);
      return readTensorF32(files, entry);
    };
    const golden = JSON.parse(readFileSync(path.join(import.meta.dirname, 'golden/eap-toy.json'), 'utf8')) as {
      logitsClean: number[];
    };
    const last = (await values('logits')).subarray(4 * 11);
    // Logits of size 1 after some fifty float32 roundings each.
    golden.logitsClean.forEach((expected, id) => expect(last[id]).toBeCloseTo(expected, 5));
    const pattern = await values('blocks.1.attn.hook_pattern');
    for (let row = 0; row < 10; row++) {
      expect(pattern.subarray(5 * row, 5 * row + 5).reduce((a, b) => a + b, 0)).toBeCloseTo(1, 5);
    }
    expect(JSON.parse(metadata.get('provenance') ?? '{}')).toMatchObject({
      prependBos: null,
      options: { tokens: [1, 4, 7, 2, 9] },
    });
    // Its own earlier file may be replaced.
    expect(await runLimn(words)).toMatchObject({ exitCode: 0 });
  });

  it('says with what it computed, with and without a file: in JSON whole, on the terminal what is not raw f32', async () => {
    const words = ['run', '--model', path.join(root, 'model'), '--tokens', '1,4,7'];
    const raw = await runLimn([...words, '--json']);
    const provenance = raw.json()['provenance'] as Provenance;
    expect(provenance).toMatchObject({
      versions: { limn: '0.1.0', node: process.versions.node },
      model: { weightProcessing: 'none', weightsSha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
      prependBos: null,
      seed: null,
      options: { tokens: [1, 4, 7], capture: [] },
      kernelPlan: expect.stringContaining('matmul'),
    });
    expect(provenance.commandLine).toContain('--tokens 1,4,7');
    expect((await runLimn(words)).stdout).not.toContain('weights:');
    const other = ['--processing', 'foldLayerNorm', '--weights', 'f16'];
    expect((await runLimn([...words, ...other])).stderr).toMatch(/^weights: foldLayerNorm, f16$/m);
    const processed = (await runLimn([...words, ...other, '--json'])).json()['provenance'] as Provenance;
    expect(processed.model.weightProcessing).toBe('foldLayerNorm, f16');
    expect(processed.model.weightsSha256).not.toBe(provenance.model.weightsSha256);
  });

  it('captures what a filter means: short names of every layer, patterns, full names', async () => {
    const out = path.join(root, 'chosen.safetensors');
    const words = ['run', '--model', path.join(root, 'model'), '--tokens', '1,4,7', '--json'];
    const chosen = ['--capture', 'pattern', '--capture', '*.hook_mlp_out', '--capture', 'embed', '--out', out];
    expect(Object.keys((await runLimn([...words, ...chosen])).json()['tensors'] as object)).toEqual([
      'logits',
      'hook_embed',
      'blocks.0.attn.hook_pattern',
      'blocks.0.hook_mlp_out',
      'blocks.1.attn.hook_pattern',
      'blocks.1.hook_mlp_out',
    ]);
    const misspelt = await runLimn([...words, '--capture', 'patern']);
    expect([misspelt.exitCode, misspelt.json().error?.code]).toEqual([2, 'hooks/unknown-site']);
    expect(misspelt.json().error?.hint).toContain('blocks.0.attn.hook_pattern');
  });
});

describe('limn train', () => {
  const train = (out: string, extra: readonly string[], signal?: AbortSignal) =>
    runLimn(
      [
        'train',
        '--data',
        path.join(root, 'corpus.jsonl'),
        '--vocabulary',
        '11',
        '--positions',
        '8',
        '--layers',
        '1',
        '--heads',
        '2',
        '--width',
        '8',
        '--batch',
        '4',
        '--steps',
        '30',
        '--checkpoint-every',
        '10',
        '--out',
        out,
        '--json',
        ...extra,
      ],
      signal,
    );

  it('stops with a checkpoint and exit code 130, and with --resume ends at the same bits', async () => {
    const whole = path.join(root, 'whole');
    const straight = await train(whole, []);
    expect(straight.exitCode, straight.stderr).toBe(0);
    expect(readdirSync(whole).sort()).toEqual([
      'checkpoint.previous.safetensors',
      'checkpoint.safetensors',
      'config.json',
      'model.safetensors',
      'training.json',
      'training.jsonl',
      'training.svg',
    ]);

    const halves = path.join(root, 'halves');
    const stopper = new AbortController();
    const stopped = runLimnUntil(halves, stopper);
    const first = await train(halves, [], stopper.signal);
    await stopped;
    expect(first.exitCode).toBe(130);
    expect(first.json().error?.message).toContain('checkpoint');
    expect(existsSync(path.join(halves, 'config.json'))).toBe(false);

    const again = await train(halves, []);
    expect(again).toMatchObject({ exitCode: 2 });
    const second = await train(halves, ['--resume']);
    expect(second.exitCode, second.stderr).toBe(0);
    expect(second.json()['weightsSha256']).toBe(straight.json()['weightsSha256']);
    expect(await runLimn(['run', '--model', halves, '--tokens', '1,2,3'])).toMatchObject({ exitCode: 0 });
  });

  it('refuses a corpus with a wrong id, naming the line', async () => {
    const corpus = path.join(root, 'bad.jsonl');
    writeFileSync(corpus, '[1, 2, 3]\n[4, 5, 11]\n');
    const outcome = await runLimn([
      'train',
      '--data',
      corpus,
      '--vocabulary',
      '11',
      '--out',
      path.join(root, 'bad'),
      '--json',
    ]);
    expect(outcome.exitCode).toBe(4);
    expect(outcome.json().error).toMatchObject({ code: 'data/corpus' });
    expect(outcome.json().error?.message).toContain('bad.jsonl:2');
    expect(existsSync(path.join(root, 'bad'))).toBe(false);
  });

  it('goes on from the checkpoint before a damaged one and says so; with both damaged it is an error', async () => {
    const out = path.join(root, 'whole');
    const about = path.join(out, 'training.json');
    const { weightsSha256 } = JSON.parse(readFileSync(about, 'utf8')) as { weightsSha256: string };
    const damage = (name: string): void => {
      const file = path.join(out, name);
      const bytes = readFileSync(file);
      bytes[bytes.length - 40] = (bytes[bytes.length - 40] ?? 0) ^ 1;
      writeFileSync(file, bytes);
    };
    damage('checkpoint.safetensors');
    const saved = await train(out, ['--resume']);
    expect(saved.exitCode, saved.stderr).toBe(0);
    expect(saved.stderr).toContain('going on from the one before it, of step 20');
    expect(saved.json()['weightsSha256']).toBe(weightsSha256);
    damage('checkpoint.safetensors');
    damage('checkpoint.previous.safetensors');
    const outcome = await train(out, ['--resume']);
    expect(outcome.exitCode).toBe(4);
    expect(outcome.json().error?.code).toBe('checkpoint/damaged');
  });
});

/** Aborts once the first checkpoint is there. */
async function runLimnUntil(folder: string, stopper: AbortController): Promise<void> {
  while (!existsSync(path.join(folder, 'checkpoint.safetensors')))
    await new Promise((resolve) => setTimeout(resolve, 1));
  stopper.abort();
}
