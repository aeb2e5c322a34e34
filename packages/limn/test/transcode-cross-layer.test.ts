// Cross-layer transcoders by the command: trained, measured, converted, put in the place of MLPs, and read as features; what has no meaning is refused.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { scale, tokenBatch, type Intervention } from '@limn/hooks';
import { dictionariesFromJson, featureGraphFromJson } from '@limn/report';
import { readFloats } from '@limn/tensor';
import { testGpu } from '@limn/testing';
import {
  checkGraphJson,
  crossLayerSetOf,
  openCrossLayer,
  openDictionarySet,
  writeCrossLayerSet,
  type CrossLayerWeights,
  type StoredCrossLayer,
  type TrainingRecord,
} from '@limn/transcoders';
import { describe, expect, it } from 'vitest';
import { openDictionaryFolder, saveDictionaryFiles } from '../src/dictionary-files.js';
import { openSet } from '../src/dictionary-set.js';
import type { MeasuredDictionaries } from '../src/measured-dictionaries.js';
import { openModel } from '../src/model-source.js';
import { withReplacedMlps } from '../src/replaced-model.js';
import { progressOf } from '../src/trained-set.js';
import { runLimn, type Outcome } from './run-limn.js';
import { failed } from './steer-runs.js';
import { toyCircuit } from './toy-model.js';
import { transcodeRuns } from './transcode-runs.js';

const runs = transcodeRuns();
const asked = ['--kind', 'cross-layer', '--activation', 'jump-relu', '--l1', '0.0001', '--general', runs.general];
let first: Promise<Outcome> | undefined;
/** The set that most tests are about. */
const trained = (): Promise<Outcome> => (first ??= runLimn(runs.words('across', ...asked)));
const at = (command: string, set: string, ...more: readonly string[]): string[] => [
  ...command.split(' '),
  '--model',
  runs.model,
  '--transcoders',
  runs.at(set),
  '--json',
  ...more,
];
const storedIn = async (folder: string): Promise<StoredCrossLayer> =>
  (await openCrossLayer(await openDictionaryFolder(runs.at(folder))))!;
async function weightsIn(folder: string): Promise<CrossLayerWeights[]> {
  const { config, read } = await storedIn(folder);
  return Promise.all(Array.from({ length: config.layers }, (_, layer) => read(layer)));
}
const bytesOf = (out: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(runs.at(out))
      .filter((name) => name.endsWith('.safetensors'))
      .map((name) => [name, readFileSync(runs.at(out, name), 'base64')]),
  );

describe('limn transcode train --kind cross-layer', () => {
  it('writes a set, its record and a card with the figures of every layer and of all at once', async () => {
    const outcome = await trained();
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const history = runs.json('across', 'training.json')['history'] as TrainingRecord[];
    const [from, to] = [history[0]!, history.at(-1)!];
    expect(progressOf(from).note).toMatch(/^all layers: L0 \d+\.\d, FVU \d\.\d{3}, dead \d+ %$/);
    expect(progressOf(to).note).toMatch(/, CE recovered -?\d+\.\d{3}$/);
    expect(to.figures['all layers']!.fvu).toBeLessThan(0.9 * from.figures['all layers']!.fvu);
    const { description, crossLayer } = await openDictionarySet(await openDictionaryFolder(runs.at('across')));
    expect(crossLayer?.config).toMatchObject({ layers: 2, features: 24, width: 8, activation: { kind: 'jump-relu' } });
    const { measured, provenance } = outcome.json() as unknown as {
      measured: MeasuredDictionaries;
      provenance: { commandLine: string };
    };
    expect(description.command).toBe(provenance.commandLine);
    const [across] = measured.own.figures.crossLayer;
    expect(crossLayer?.figures).toMatchObject({ divergence: across!.divergence, measuredOn: measured.own.name });
    expect(across!.layers.map(({ layer }) => layer)).toEqual([0, 1]);
    expect(measured.gaps?.map(({ name }) => name)).toEqual(['layer 0', 'layer 1']);
    const record = dictionariesFromJson(readFileSync(runs.at('across', 'result.json'), 'utf8'));
    expect(record.points.map(({ name, source, fvu }) => [name, source, fvu])).toEqual(
      across!.layers.map(({ layer, fvu }) => [`layer ${layer}`, 'cross-layer-transcoder', fvu]),
    );
    expect(record.together).toMatchObject([{ name: 'all layers', loss: across!.loss, ablations: across!.ablations }]);
    const card = readFileSync(runs.at('across', 'README.md'), 'utf8');
    expect(card).toContain('a cross-layer transcoder: 24 features of each layer');
    expect(card).toContain(`| layer 1 | 24 | ${across!.layers[1]!.l0.toFixed(1)} |`);
    expect(card).toContain(`| all layers |  |  |  |  | ${across!.loss.toFixed(4)} |`);
    expect(readdirSync(runs.at('across')).filter((name) => name.startsWith('checkpoint'))).toEqual([]);
  });

  it('stopped it goes on to the same bits', async (context) => {
    context.skip(process.env['LIMN_LONG'] !== '1', 'trains the set once more: with LIMN_LONG=1');
    await trained();
    const controller = new AbortController();
    const words = runs.words('across-stopped', ...asked, '--resume');
    const over = new AbortController();
    const running = runLimn(words, controller.signal).finally(() => over.abort());
    while (!over.signal.aborted && !existsSync(runs.at('across-stopped', 'checkpoint.safetensors'))) await wait(1);
    controller.abort();
    const outcome = await running;
    expect([outcome.exitCode, outcome.json().error?.code]).toEqual([130, 'aborted']);
    const resumed = await runLimn(words);
    expect(resumed.exitCode, resumed.stderr).toBe(0);
    expect(resumed.json()['resumedFrom']).toBeGreaterThan(0);
    expect(bytesOf('across-stopped')).toEqual(bytesOf('across'));
  });

  it('refuses what only dictionaries of one layer have', async () => {
    const code = async (...more: string[]) => (await failed(runs.words('refused', ...asked, ...more))).slice(0, 2);
    expect(await code('--layers', '0')).toEqual([2, 'usage/dictionary-cross-layer']);
    expect(await code('--initial', 'tied')).toEqual([2, 'usage/dictionary-cross-layer']);
    expect(await code('--interpretability')).toEqual([2, 'usage/dictionary-cross-layer']);
    expect(await code('--memory', '1KiB')).toEqual([3, 'memory/over-budget']);
    expect(existsSync(runs.at('refused', 'config.json'))).toBe(false);
  });
});

it('limn transcode evaluate gives what training gave: each layer, and all at once beside ablations', async () => {
  const { measured: before } = (await trained()).json() as unknown as { measured: MeasuredDictionaries };
  const words = at('transcode evaluate', 'across', '--text', runs.general, '--sequences', '40');
  const outcome = await runLimn(words);
  expect(outcome.exitCode, outcome.stderr).toBe(0);
  const { measured } = outcome.json() as unknown as { measured: MeasuredDictionaries };
  // The general text of the training is what is measured here.
  expect(measured.own.figures.crossLayer).toEqual(before.general!.figures.crossLayer);
  const [{ ablations, layers }] = measured.own.figures.crossLayer as [(typeof measured.own.figures.crossLayer)[number]];
  expect(ablations.layers).toEqual([0, 1]);
  expect(layers[1]!.recovered.mean).toHaveProperty('divergence');
  expect((await failed([...words, '--together', '0'])).slice(0, 2)).toEqual([2, 'usage/dictionary-cross-layer']);
  expect((await failed([...words, '--interpretability'])).slice(0, 2)).toEqual([2, 'usage/dictionary-cross-layer']);
});

describe('limn transcode convert', () => {
  const words = (from: string, to: string, out: string, ...more: readonly string[]): string[] => {
    const places = ['transcode', 'convert', runs.at(from), '--to', to, '--out', runs.at(out), '--json'];
    return [...places, '--text', runs.text, ...more];
  };
  const withModel = ['--model', runs.model, '--name', 'toy'];

  it('to circuit-tracer and back, to the bit, once it is known to fit', async () => {
    await trained();
    const there = await runLimn(words('across', 'circuit-tracer', 'across-ct', ...withModel));
    expect(there.exitCode, there.stderr).toBe(0);
    expect(readdirSync(runs.at('across-ct'))).toContain('W_dec_1.safetensors');
    const back = await runLimn(words('across-ct', 'limn', 'across-back', '--from', 'circuit-tracer', ...withModel));
    expect(back.exitCode, back.stderr).toBe(0);
    expect(await weightsIn('across-back')).toEqual(await weightsIn('across'));
    expect((await storedIn('across-back')).provenance).toMatchObject({ expects: { gain: 'kept', bos: false } });
    const plain = await runLimn(words('across-ct', 'circuit-tracer', 'across-again', '--name', 'toy'));
    expect(plain.exitCode, plain.stderr).toBe(0);
    expect(await weightsIn('across-again')).toEqual(await weightsIn('across'));
    expect(runs.json('across-again', 'conversion.json')).toMatchObject({
      schema: 'limn.conversion',
      dictionaries: [{ convention: null, config: { layers: 2 } }],
    });
  });

  it('one that fits the model under no convention is refused; what no format has words for is, too', async () => {
    await trained();
    const { config } = await storedIn('across');
    const weights = await weightsIn('across');
    const others = weights.map((own) => ({ ...own, wEnc: own.wEnc.map((w) => 9 * w) }));
    await saveDictionaryFiles(
      runs.at('across-odd'),
      writeCrossLayerSet(crossLayerSetOf(config, others), { model: 'toy', scan: 'toy' }),
    );
    const code = async (...of: Parameters<typeof words>) => (await failed(words(...of))).slice(0, 2);
    expect(await code('across-odd', 'limn', 'refused-across', ...withModel)).toEqual([4, 'data/dictionary-convention']);
    expect(await code('across', 'saelens', 'refused-across', ...withModel)).toEqual([2, 'usage/dictionary-export']);
    expect(await code('across', 'limn', 'refused-across')).toEqual([2, 'usage/dictionary-convert']);
    expect(existsSync(runs.at('refused-across'))).toBe(false);
  });
});

it('in the place of MLPs it runs, generates and is steered; circuits, which recompute MLPs one by one, are refused', async () => {
  await trained();
  const set = runs.at('across');
  const gpu = await testGpu();
  using plain = await openModel(gpu, runs.model);
  using loaded = await openSet(plain, set);
  const { dictionary } = loaded.crossLayer!;
  const replaced = await withReplacedMlps(plain, { transcoders: set });
  const tokens = tokenBatch([[1, 4, 7]], plain.hooked.info);
  const logitsOf = async (model: typeof plain.hooked, interventions: readonly Intervention[]) => {
    using step = gpu.step();
    return readFloats(step, model.run(step, { tokens }, { interventions, logits: 'last' }).logits);
  };
  const halved = scale('blocks.0.hook_mlp_out', 0.5);
  expect(await logitsOf(replaced.hooked, [halved])).toEqual(
    await logitsOf(plain.hooked, [...dictionary.replacement(), halved]),
  );
  expect(replaced.hooked.info.processing).toMatch(/^MLPs of layers 0, 1 by a cross-layer transcoder [0-9a-f]{12}$/);
  const second = await withReplacedMlps(plain, { transcoders: set, replace: [1] });
  const expected = await logitsOf(plain.hooked, [dictionary.replacement()[1]!]);
  expect(await logitsOf(second.hooked, [])).toEqual(expected);
  using step = gpu.step();
  expect(() => replaced.hooked.run(step, { tokens }, { stopAtLayer: 1 })).not.toThrow();
  const stream = plain.hooked.embed(step, tokens);
  const later = { resid: stream, layer: 1, at: 'pre', lengths: [3] } as const;
  const code = 'usage/dictionary-cross-layer';
  expect(() => replaced.hooked.run(step, later)).toThrow(expect.objectContaining({ code }));
  expect(() => replaced.hooked.mlp(step, 1, stream)).toThrow(expect.objectContaining({ code }));

  const next = await runLimn(at('run', 'across', '--tokens', '1,4,7', '--replace', '1', '--top', '11'));
  expect(next.exitCode, next.stderr).toBe(0);
  const found = next.json()['next'] as { id: number; probability: number }[];
  const total = expected.reduce((sum, logit) => sum + Math.exp(logit), 0);
  for (const { id, probability } of found) expect(probability).toBeCloseTo(Math.exp(expected[id]!) / total, 6);
  const text = await runLimn(at('generate', 'across', '--tokens', '1,4,7', '--max-new-tokens', '2'));
  expect(text.exitCode, text.stderr).toBe(0);
  expect(text.json()['provenance']).toMatchObject({
    model: { weightProcessing: replaced.hooked.info.processing },
  });
  const circuit = [...toyCircuit(runs.model, runs.at('across-circuit')), '--transcoders', set, '--json'];
  expect((await failed(circuit)).slice(0, 2)).toEqual([2, code]);
  expect((await failed(at('run', 'across', '--tokens', '1', '--replace', '7'))).slice(0, 2)).toEqual([
    2,
    'usage/dictionary-layer',
  ]);
});

it('dictionaries in the place of MLPs are also what circuits recompute of them', async () => {
  await runs.first();
  const gpu = await testGpu();
  using plain = await openModel(gpu, runs.model);
  const { hooked } = await withReplacedMlps(plain, { transcoders: runs.at('first'), replace: [1] });
  using step = gpu.step();
  const sites = ['blocks.1.hook_resid_mid', 'blocks.1.hook_mlp_out'] as const;
  const run = hooked.run(step, { tokens: tokenBatch([[1, 4, 7]], hooked.info) }, { capture: sites, logits: 'none' });
  const [mid, out] = sites.map((site) => run.at(site));
  const alone = [hooked, plain.hooked].map((model) => model.mlp(step, 1, mid!));
  const [written, ours, theirs] = await Promise.all([out!, ...alone].map((x) => readFloats(step, x)));
  expect(ours).toEqual(written);
  expect(theirs).not.toEqual(written);
});

describe('limn features', () => {
  it('makes graphs whose edges sum to every value, and checks them in the model', async () => {
    await trained();
    const out = runs.at('across-graph');
    const outcome = await runLimn(
      at('features graph', 'across', '--tokens', '1,4,7,2,9', '--check', '3', '--out', out),
    );
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const record = featureGraphFromJson(readFileSync(runs.at('across-graph', 'result.json'), 'utf8'));
    expect(record.accounting?.worst).toBeLessThan(1e-5);
    expect(record.withoutDictionary).toEqual([]);
    expect(checkGraphJson(runs.json('across-graph', 'graph.json')).nodes.length).toBeGreaterThan(3);
    const check = outcome.json()['check'] as { changed: string[]; frozen: { worst: number } };
    expect(check.changed).toHaveLength(3);
    expect(check.frozen.worst).toBeLessThan(1e-3);
    const paths = await runLimn(at('features paths', 'across', '--tokens', '1,4,7,2,9', '--target', 'diff:8,5'));
    expect(paths.exitCode, paths.stderr).toBe(0);
  });

  it('reads, labels and finds features of every layer by all that they write', async () => {
    await trained();
    const label = ['features', 'label', '0:3', 'years', '--transcoders', runs.at('across'), '--json'];
    expect((await runLimn(label)).json()).toMatchObject({ labels: 1 });
    expect((await failed(label.map((word) => (word === '0:3' ? '2:3' : word)))).slice(0, 2)).toEqual([
      2,
      'usage/dictionary-layer',
    ]);
    const moved = await runLimn(at('features search', 'across', '--logit', '8', '--top', '4'));
    expect(moved.exitCode, moved.stderr).toBe(0);
    const { most } = moved.json() as unknown as { most: { layer: number; feature: number; label: string }[] };
    expect(most).toHaveLength(4);
    const named = await runLimn(at('features search', 'across', '--label', 'year'));
    expect(named.json()['most']).toMatchObject([{ layer: 0, feature: 3, label: 'years' }]);
    const out = runs.at('across-dashboards');
    const pages = await runLimn(
      at('features dashboards', 'across', '--text', runs.text, '--features', '0:3,1:5', '--out', out),
    );
    expect(pages.exitCode, pages.stderr).toBe(0);
    const { features } = runs.json('across-dashboards', 'result.json') as unknown as {
      features: { origin: { kind: string; layer: number }; logits?: object }[];
    };
    expect(features.map(({ origin }) => [origin.kind, origin.layer])).toEqual([
      ['cross-layer', 0],
      ['cross-layer', 1],
    ]);
    expect(features.every(({ logits }) => logits !== undefined)).toBe(true);
    expect((await failed(at('features search', 'across', '--sae', '--token', '3'))).slice(0, 2)).toEqual([
      2,
      'usage/dictionary-layer',
    ]);
  });
});
