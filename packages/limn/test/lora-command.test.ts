// `--lora` of commands: what a model with the LoRAs in its weights says, finds and learns; recorded, beside transcoders too, and refused on another base.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createLora, loraScale, writePeft, type LoraWeights } from '@limn/dit';
import { referenceRandom, lentGpu } from '@limn/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { givenLora } from '../src/commands/lora-option.js';
import { saveDictionaryFiles } from '../src/dictionary-files.js';
import { openModel } from '../src/model-source.js';
import { featuresRuns, randomMember } from './features-runs.js';
import { runLimn } from './run-limn.js';
import { safetensorsBytes, toyCircuit, toyConfig, toyWeights, writeToyModel } from './toy-model.js';

const root = mkdtempSync(path.join(os.tmpdir(), 'limn-lora-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const at = (...names: readonly string[]): string => path.join(root, ...names);

const STRENGTH = -0.5;
/** Two LoRAs, the second times STRENGTH. */
const both = [at('one'), `${at('two')}@${STRENGTH}`].flatMap((text) => ['--lora', text]);

interface Provenance {
  readonly model: {
    readonly weightsSha256: string;
    readonly weightProcessing: string;
    readonly loras?: readonly { readonly name: string; readonly sha256: string; readonly strength: number }[];
  };
}

beforeAll(async () => {
  writeToyModel(at('model'));
  using gpu = await lentGpu();
  using model = await openModel(gpu, at('model'));
  const loras = [random(createLora(model.hooked, { rank: 2, alpha: 3 }), 1), random(createLora(model.hooked, { rank: 1, alpha: 1, targets: ['c_attn'] }), 2)] as const; // prettier-ignore
  for (const [i, name] of ['one', 'two'].entries())
    await saveDictionaryFiles(at(name), writePeft(model.hooked, loras[i]!, { baseName: 'toy' }));
  // The same in the weights, in float64.
  const weights = toyWeights();
  for (const [lora, strength] of [
    [loras[0], 1],
    [loras[1], STRENGTH],
  ] as const)
    // prettier-ignore
    for (const [name, factors] of lora.modules) {
      const { a, b, rank } = factors;
      const { shape, data } = weights.get(`transformer.${name}.weight`)!;
      const [inWidth, outWidth] = shape as [number, number];
      const s = strength * loraScale(factors, false);
      weights.set(`transformer.${name}.weight`, {
        shape,
        data: data.map((value, w) => {
          const [i, o] = [Math.floor(w / outWidth), w % outWidth];
          let sum = 0;
          for (let k = 0; k < rank; k++) sum += b[o * rank + k]! * a[k * inWidth + i]!;
          return value + s * sum;
        }),
      });
    }
  mkdirSync(at('merged'));
  writeFileSync(at('merged', 'config.json'), JSON.stringify(toyConfig));
  writeFileSync(at('merged', 'model.safetensors'), safetensorsBytes(weights));
  writeFileSync(at('merged', 'pairs.jsonl'), readFileSync(at('model', 'pairs.jsonl')));
});

function random(lora: LoraWeights, seed: number): LoraWeights {
  const drawn = referenceRandom(seed);
  const modules = Array.from(lora.modules, ([name, { a, b, rank, alpha }]) => {
    const numbers = (values: Float32Array): Float32Array => Float32Array.from(drawn.normals(values.length, 0.4));
    return [name, { a: numbers(a), b: numbers(b), rank, alpha }] as const;
  });
  return { ...lora, modules: new Map(modules) };
}

async function done(words: readonly string[]) {
  const outcome = await runLimn(words);
  expect(outcome.exitCode, outcome.stderr).toBe(0);
  return outcome.json();
}

const failed = async (words: readonly string[]): Promise<[number, string | undefined]> => {
  const outcome = await runLimn(words);
  return [outcome.exitCode, outcome.json().error?.code];
};

const run = (model: string, ...more: readonly string[]): string[] =>
  ['run', '--model', at(model), '--tokens', '1,4,7,2', '--top', '11', '--json'].concat(more);
const probabilities = (result: Record<string, unknown>): number[] =>
  [...(result['next'] as readonly { id: number; probability: number }[])]
    .sort((x, y) => x.id - y.id)
    .map(({ probability }) => probability);
const apart = (x: readonly number[], y: readonly number[]): number => Math.max(...x.map((p, i) => Math.abs(p - y[i]!)));

it('run and generate with LoRAs say what the model with them in its weights says, and the result names them', async () => {
  const [with_, merged, plain] = [
    await done(run('model', ...both)),
    await done(run('merged')),
    await done(run('model')),
  ];
  expect(apart(probabilities(with_), probabilities(merged))).toBeLessThan(1e-5);
  expect(apart(probabilities(with_), probabilities(plain))).toBeGreaterThan(1e-2);
  const { model } = with_['provenance'] as Provenance;
  expect(model.weightsSha256).toBe((plain['provenance'] as Provenance).model.weightsSha256);
  expect(model.loras).toEqual([
    { name: at('one'), sha256: expect.stringMatching(/^[0-9a-f]{64}$/), strength: 1 },
    { name: at('two'), sha256: expect.stringMatching(/^[0-9a-f]{64}$/), strength: STRENGTH },
  ]);
  for (const { sha256 } of model.loras!) expect(model.weightProcessing).toContain(sha256.slice(0, 16));
  expect((plain['provenance'] as Provenance).model).not.toHaveProperty('loras');
  const generate = (name: string, ...more: string[]) =>
    done(['generate', '--model', at(name), '--tokens', '1,4', '--max-new-tokens', '3', '--json', ...more]);
  const ids = (result: Record<string, unknown>) => (result['tokens'] as readonly { id: number }[]).map(({ id }) => id);
  expect(ids(await generate('model', ...both))).toEqual(ids(await generate('merged')));
});

it('circuit scores edges of the model with the LoRAs', async () => {
  const scores = async (name: string, ...more: string[]) => {
    await done([...toyCircuit(at(name), at(`found-${name}`)), '--draws', '0', '--json', ...more]);
    const graph = JSON.parse(readFileSync(at(`found-${name}`, 'graph.json'), 'utf8')) as {
      readonly edges: Readonly<Record<string, { readonly score: number }>>;
    };
    return new Map(Object.entries(graph.edges).map(([edge, { score }]) => [edge, score]));
  };
  const [with_, merged] = [await scores('model', ...both), await scores('merged')];
  const size = Math.max(...Array.from(merged.values(), Math.abs));
  expect(with_.size).toBe(merged.size);
  for (const [edge, score] of merged) expect(Math.abs(with_.get(edge)! - score), edge).toBeLessThan(2e-4 * size);
  const result = JSON.parse(readFileSync(at('found-model', 'result.json'), 'utf8')) as { provenance: Provenance };
  expect(result.provenance.model.loras?.map(({ strength }) => strength)).toEqual([1, STRENGTH]);
});

it('a steering is learnt on the model with LoRAs, and transcoders of the base stand in it', async () => {
  const line = (i: number): string => JSON.stringify({ prompt: [1, 2 + (i % 7), 4, 9], correct: 8, wrong: 5 });
  writeFileSync(at('examples.jsonl'), Array.from({ length: 10 }, (_, i) => line(i)).join('\n'));
  const places = ['--model', at('model'), '--data', at('examples.jsonl'), '--out', at('steered'), '--json'];
  await done(['steer', 'train', ...places, '--updates', '3', '--rate', '0.05', '--minimality', '0', ...both]);
  const record = JSON.parse(readFileSync(at('steered', 'result.json'), 'utf8')) as { provenance: Provenance };
  expect(record.provenance.model.loras?.length).toBe(2);
  const apply = [
    'steer',
    'apply',
    '--model',
    at('model'),
    '--steering',
    at('steered', 'steering.json'),
    '--tokens',
    '1,2,4,9',
    '--json',
  ];
  const applied = await done([...apply, ...both, '--strength=0']);
  expect((applied['loras'] as readonly unknown[]).length).toBe(2);

  const runs = await featuresRuns();
  await runs.writeSet('beside-loras', [randomMember(8, 0), randomMember(8, 1)]);
  const set = ['--transcoders', runs.at('beside-loras')];
  // The toy model of both is one.
  const [all, alone, loras] = [
    await done(run('model', ...both, ...set)),
    await done(run('model', ...set)),
    await done(run('model', ...both)),
  ];
  expect(apart(probabilities(all), probabilities(alone))).toBeGreaterThan(1e-3);
  expect(apart(probabilities(all), probabilities(loras))).toBeGreaterThan(1e-3);
  expect((all['provenance'] as Provenance).model.weightProcessing).toMatch(/^LoRA .*; LoRA .*; MLPs of layers 0, 1 by/);
  // What a set is worth on it, and what its features fire on.
  const text = ['--text', runs.text];
  const measured = async (...more: string[]) =>
    done(['transcode', 'evaluate', '--model', at('model'), ...set, ...text, '--json', ...more]);
  const [changed, own] = [await measured(...both), await measured()];
  expect((changed['provenance'] as Provenance).model.loras?.length).toBe(2);
  expect(changed['measured']).not.toEqual(own['measured']);
  const found = await done(['features', 'search', '--model', at('model'), ...set, ...text, '--token', '3', '--json', ...both]); // prettier-ignore
  expect((found['provenance'] as Provenance).model.loras?.length).toBe(2);
});

it('a LoRA of other weights, of no folder, and a strength that is none are refused', async () => {
  expect(await failed(run('merged', '--lora', at('one')))).toEqual([4, 'data/lora-base']);
  expect(await failed(run('model', '--lora', at('nowhere')))).toEqual([2, 'usage/diff-name']);
  expect(await failed(run('model', '--lora', `${at('one')}@much`))).toEqual([2, 'usage/lora-strength']);
  expect(await failed(run('model', '--lora', `${at('one')}@`))).toEqual([2, 'usage/lora-strength']);
  expect(givenLora(at('one'))).toEqual({ diff: at('one'), strength: 1 });
  expect(givenLora(`${at('one')}@2`)).toEqual({ diff: at('one'), strength: 2 });
  // A folder of that name is itself.
  mkdirSync(at('one@3'));
  expect(givenLora(at('one@3'))).toEqual({ diff: at('one@3'), strength: 1 });
});
