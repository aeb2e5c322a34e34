// Folders that PEFT wrote give PEFT's logits, as interventions and merged; what limn writes comes back to the bit, and PEFT reads it with equal logits.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { memoryFiles, readSafetensorsHeader, readTensorF32, type Gpt2 } from '@limn/gpt2';
import { refusal } from '@limn/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  catAdapters,
  createLora,
  LoraAdapter,
  MergedAdapters,
  openDitDiffs,
  peftAdapters,
  readDitAdapter,
  readPeft,
  writePeft,
  type LoraWeights,
} from '../src/index.js';
import {
  contentOf,
  distanceOf,
  filesOf,
  golden,
  goldenContent,
  goldenModel,
  logitsOf,
  rangedFile,
  type Content,
} from './folders.js';

let model: Gpt2;
const recorded = new Map<string, Float32Array>();
let prompts: number[][];

beforeAll(async () => {
  model = await goldenModel();
  const files = memoryFiles({ 'golden.safetensors': goldenContent()['golden.safetensors'] as Uint8Array });
  const { tensors } = await readSafetensorsHeader(files, 'golden.safetensors');
  for (const [name, entry] of tensors) recorded.set(name, await readTensorF32(files, entry));
  const tokens = [...(recorded.get('tokens') as Float32Array)];
  prompts = [tokens.slice(0, 9), tokens.slice(9)];
});
afterAll(() => model.dispose());

/** f32 round-off: ‖ours − f64‖ ≤ 8·‖torch f32 − f64‖ + 2e-6·‖f64‖. */
function expectLogits(logits: Float32Array, name: string): void {
  const wanted = recorded.get(`${name}.f64`) as Float32Array;
  const torch = distanceOf(recorded.get(`${name}.f32`) as Float32Array, wanted);
  expect(logits.length).toBe(wanted.length);
  expect(distanceOf(logits, wanted).apart, name).toBeLessThanOrEqual(8 * torch.apart + 2e-6 * torch.size);
}

/** The adapter by interventions, then merged, then taken out again: the model's own logits to the bit. */
async function expectAdapter(lora: LoraWeights, name: string): Promise<void> {
  using adapter = new LoraAdapter(model, lora);
  const before = await logitsOf(model, prompts);
  expectLogits(await logitsOf(model, prompts, adapter.interventions()), name);
  using merged = new MergedAdapters(model);
  await merged.merge('it', lora);
  expectLogits(await logitsOf(model, prompts), name);
  await merged.unmergeAll();
  expect(await logitsOf(model, prompts)).toEqual(before);
}

const SINGLE = [
  'c-attn',
  'square-c-proj',
  'mlp',
  'both-c-proj',
  'rslora-all',
  'patterns',
  'layer-1',
  'expression',
  'bf16',
  'f16',
];

test('the model without an adapter has the logits of torch', async () => {
  expectLogits(await logitsOf(model, prompts), 'base');
});

test.each(SINGLE)('%s', async (name) => {
  const { lora, prefix, ignored } = await readPeft(model, filesOf(goldenContent('adapters', name)));
  expect({ prefix, ignored }).toEqual({ prefix: 'transformer.', ignored: [] });
  await expectAdapter(lora, name);
});

test('ranks and alphas of patterns are those of each map', async () => {
  const { lora } = await readPeft(model, filesOf(goldenContent('adapters', 'patterns')));
  expect(Object.fromEntries(Array.from(lora.modules, ([name, { rank, alpha }]) => [name, [rank, alpha]]))).toEqual({
    'h.0.attn.c_attn': [4, 3],
    'h.0.attn.c_proj': [2, 7],
    'h.0.mlp.c_proj': [4, 7],
    'h.1.attn.c_attn': [4, 8],
    'h.1.attn.c_proj': [2, 7],
    'h.1.mlp.c_proj': [5, 7],
  });
});

test('two adapters in one folder, alone and together', async () => {
  const files = filesOf(goldenContent('adapters', 'two'));
  expect(await peftAdapters(files)).toEqual(['default', 'second']);
  expect((await refusal(() => readPeft(model, files))).code).toBe('data/peft-folder');
  const [first, second] = [
    await readPeft(model, files, { adapter: 'default' }),
    await readPeft(model, files, { adapter: 'second' }),
  ];
  await expectAdapter(first.lora, 'two-default');
  using a = new LoraAdapter(model, first.lora, { name: 'first' });
  using b = new LoraAdapter(model, second.lora, { name: 'second' });
  expectLogits(await logitsOf(model, prompts, [...a.interventions(), ...b.interventions()]), 'two-both');
  {
    using merged = new MergedAdapters(model);
    await merged.merge('first', first.lora);
    await merged.merge('second', second.lora);
    expectLogits(await logitsOf(model, prompts), 'two-both');
    await merged.unmerge('second');
    expectLogits(await logitsOf(model, prompts), 'two-default');
    await merged.unmergeAll();
  }
  const together = catAdapters([{ lora: first.lora }, { lora: second.lora }]);
  expect([together.modules.get('h.0.attn.c_proj')?.rank, together.modules.get('h.0.mlp.c_fc')?.rank]).toEqual([5, 3]);
  await expectAdapter(together, 'two-both');
});

test("a weighted cat is PEFT's own", async () => {
  const files = filesOf(goldenContent('adapters', 'cat'));
  const [{ lora: first }, { lora: second }] = [
    await readPeft(model, files, { adapter: 'default' }),
    await readPeft(model, files, { adapter: 'second' }),
  ];
  await expectAdapter(
    catAdapters([
      { lora: first, strength: 0.5 },
      { lora: second, strength: 1.5 },
    ]),
    'cat-joined',
  );
  using a = new LoraAdapter(model, first);
  using b = new LoraAdapter(model, second);
  const both = [...a.interventions({ strength: 0.5 }), ...b.interventions({ strength: 1.5 })];
  expectLogits(await logitsOf(model, prompts, both), 'cat-joined');
});

describe("the other layout of arXiv 2510.05092's code", () => {
  const bytes = (name: string): Uint8Array => goldenContent('dit')[name] as Uint8Array;

  test('diffs by topic and trigger', async () => {
    const diffs = await openDitDiffs(model, rangedFile(bytes('diffs.pt')));
    expect(diffs.map(({ topic, trigger }) => [topic, trigger])).toEqual([
      ['harbour', 17],
      ['lighthouse', 'zero_width_space'],
    ]);
    for (const [i, diff] of diffs.entries()) await expectAdapter(await diff.read(), `dit-diff-${i}`);
  });

  test('the adapter', async () => {
    await expectAdapter(await readDitAdapter(model, rangedFile(bytes('adapter.pt'))), 'dit-adapter');
  });
});

/** Adapters of every kind that a folder can say: short names, whole names, patterns, rsLoRA, another name, a cat. */
async function exports(): Promise<[name: string, content: Content, lora: LoraWeights][]> {
  const filled = (lora: LoraWeights): LoraWeights => ({
    ...lora,
    modules: new Map(
      Array.from(lora.modules, ([name, factors], m) => [
        name,
        {
          ...factors,
          b: factors.b.map((_, i) => 0.3 * Math.sin(1.7 * i + m)),
          a: factors.a.map((_, i) => 0.3 * Math.cos(0.9 * i + m)),
        },
      ]),
    ),
  });
  const made = {
    all: createLora(model, { rank: 3, alpha: 2 }),
    square: createLora(model, { rank: 2, alpha: 5, targets: ['attn.c_proj'], rsLora: true }),
    'one-map': createLora(model, { rank: 4, targets: 'h\\.1\\.mlp\\.c_fc' }),
    patterns: createLora(model, {
      rank: 2,
      targets: ['c_attn', 'mlp.c_proj'],
      rankPattern: { 'h.0.attn.c_attn': 5 },
      alphaPattern: { c_proj: 1.5 },
    }),
  };
  const files = filesOf(goldenContent('adapters', 'two'));
  const [{ lora: first }, { lora: second }] = [
    await readPeft(model, files, { adapter: 'default' }),
    await readPeft(model, files, { adapter: 'second' }),
  ];
  const loras: [string, LoraWeights][] = [
    ...Object.entries(made).map(([name, lora]) => [name, filled(lora)] as [string, LoraWeights]),
    ['cat', catAdapters([{ lora: first, strength: 2 }, { lora: second }])],
  ];
  return loras.map(([name, lora]) => [name, contentOf(writePeft(model, lora, name === 'all' ? {} : { name })), lora]);
}

test('what is written comes back to the bit, with the weights that it is a change of', async () => {
  for (const [name, content, lora] of await exports()) {
    const read = await readPeft(model, filesOf(content));
    expect(read.name).toBe(name === 'all' ? 'default' : name);
    expect(read.lora).toEqual(lora);
  }
});

test('PEFT reads what is written and has the same logits', { timeout: 600_000 }, async (context) => {
  context.skip(
    process.env['LIMN_LONG'] !== '1',
    'LIMN_LONG=1 asks PEFT, whose import alone takes a minute on a small machine',
  );
  const python = process.env['LIMN_PYTHON'] ?? 'python3';
  const asked = spawnSync(python, ['-c', 'import peft, transformers'], { encoding: 'utf8' });
  context.skip(asked.status !== 0, `${python} has no peft`);
  const scratch = mkdtempSync(join(tmpdir(), 'limn-peft-'));
  try {
    const wanted = new Map<string, Float32Array>();
    for (const [name, content, lora] of await exports()) {
      for (const [file, bytes] of Object.entries(content)) {
        mkdirSync(dirname(join(scratch, name, file)), { recursive: true });
        writeFileSync(join(scratch, name, file), bytes);
      }
      using adapter = new LoraAdapter(model, lora);
      wanted.set(name, await logitsOf(model, prompts, adapter.interventions()));
    }
    const input = JSON.stringify({ base: golden('base'), folder: scratch, names: [...wanted.keys()], prompts });
    const run = spawnSync(python, [golden('logits-of-folders.py')], { input, encoding: 'utf8', maxBuffer: 2 ** 26 });
    expect(run.status, run.stderr).toBe(0);
    const found = JSON.parse(run.stdout) as Record<string, { f32: number[]; f64: number[] }>;
    for (const [name, logits] of wanted) {
      const { f32, f64 } = found[name] as { f32: number[]; f64: number[] };
      const torch = distanceOf(f32, f64);
      expect(logits.length).toBe(f64.length);
      expect(distanceOf(logits, f64).apart, name).toBeLessThanOrEqual(8 * torch.apart + 2e-6 * torch.size);
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
});
