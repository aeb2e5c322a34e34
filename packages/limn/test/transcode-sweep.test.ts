// `limn transcode sweep`: sets of every setting, a frontier and a recommendation, in parts where memory is short, the same after a stop; and models run with a set in place.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { scale, tokenBatch, type Intervention } from '@limn/hooks';
import { dictionariesFromJson } from '@limn/report';
import { openDictionarySet } from '@limn/transcoders';
import { readFloats } from '@limn/tensor';
import { testGpu } from '@limn/testing';
import { describe, expect, it } from 'vitest';
import { openDictionaryFolder } from '../src/dictionary-files.js';
import type { MeasuredSetting } from '../src/dictionary-record.js';
import { openSet } from '../src/dictionary-set.js';
import { openModel } from '../src/model-source.js';
import { recommend } from '../src/recommended-setting.js';
import { withReplacedMlps } from '../src/replaced-model.js';
import { runLimn } from './run-limn.js';
import { failed } from './steer-runs.js';
import { toyCircuit } from './toy-model.js';
import { transcodeRuns } from './transcode-runs.js';

const runs = transcodeRuns();
const words = (out: string, ...more: readonly string[]): string[] => {
  const asked = runs.words(out, '--tokens', '320', '--features', '192', '--l0', '4,2', '--kind', 'transcoder,sae');
  return [...asked.map((word) => (word === 'train' ? 'sweep' : word)), '--neurons', ...more];
};
const NAMES = ['sae-k-2', 'sae-k-4', 'transcoder-k-2', 'transcoder-k-4'];
const setsOf = (out: string): string[] =>
  readdirSync(runs.at(out), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();
const weightsOf = (out: string): string[] =>
  NAMES.flatMap((name) =>
    readdirSync(runs.at(out, name))
      .filter((file) => file.endsWith('.safetensors'))
      .map((file) => readFileSync(runs.at(out, name, file), 'base64')),
  );

describe('limn transcode sweep', () => {
  it('trains all settings from one stream, and in parts, stopped and gone on with, to the same bits', async (context) => {
    context.skip(process.env['LIMN_LONG'] !== '1', 'sixteen dictionaries, half of them twice: with LIMN_LONG=1');
    const outcome = await runLimn(words('sweep'));
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    expect(setsOf('sweep')).toEqual(NAMES);
    const record = dictionariesFromJson(readFileSync(runs.at('sweep', 'result.json'), 'utf8'));
    expect(record.points.map(({ source, layer, setting }) => [source, layer, setting])).toEqual([
      ...['transcoder', 'sae'].flatMap((source) =>
        [2, 4].flatMap((k) => [0, 1].map((layer) => [source, layer, `k = ${k}`])),
      ),
      ...[0, 1].flatMap((layer) => [2, 4].map((k) => ['neurons', layer, `k = ${k}`])),
    ]);
    expect(record.together?.length).toBe(4);
    const { recommended } = outcome.json() as unknown as { recommended: { name: string; rule: string } };
    expect(record.rule).toBe(recommended.rule);
    expect(record.points.filter((point) => point.recommended).map(({ name }) => name)).toEqual(
      [0, 1].map((layer) => `${recommended.name}, layer ${layer}`),
    );
    expect(readFileSync(runs.at('sweep', 'report.html'), 'utf8')).toContain('Sparsity against faithfulness');
    const { dictionaries } = await openDictionarySet(await openDictionaryFolder(runs.at('sweep', 'sae-k-2')));
    expect(dictionaries.map(({ config }) => [config.layer, config.input])).toEqual(
      [0, 1].map((layer) => [layer, 'hook_mlp_out']),
    );

    // Two settings fit at once, four do not; stopped in the second part.
    const controller = new AbortController();
    const over = new AbortController();
    const asked = words('parts', '--memory', '450KB', '--resume');
    const running = runLimn(asked, controller.signal).finally(() => over.abort());
    while (!over.signal.aborted && !existsSync(runs.at('parts', 'transcoder-k-4', 'config.json'))) await wait(1);
    controller.abort();
    const stopped = await running;
    expect([stopped.exitCode, stopped.json().error?.code], stopped.stderr).toEqual([130, 'aborted']);
    expect((await failed([...asked, '--rate', '0.5'])).slice(0, 2)).toEqual([4, 'checkpoint/other-settings']);
    const resumed = await runLimn(asked);
    expect(resumed.exitCode, resumed.stderr).toBe(0);
    expect(setsOf('parts')).toEqual(NAMES);
    expect(weightsOf('parts')).toEqual(weightsOf('sweep'));
  });

  it('refuses lists that are not of the activation, and two rules', async () => {
    const code = async (...more: string[]) => (await failed(words('refused-sweep', ...more))).slice(0, 2);
    expect(await code('--activation', 'relu')).toEqual([2, 'usage/dictionary-sparsity']);
    expect(await code('--k', '2')).toEqual([2, 'usage/dictionary-sweep']);
    expect(await code('--target-l0', '4', '--target-recovered', '0.9')).toEqual([2, 'usage/dictionary-sweep']);
    expect(await code('--kind', 'transcoders')).toEqual([2, 'usage/unknown-kind']);
    expect(existsSync(runs.at('refused-sweep', 'training.json'))).toBe(false);
  });
});

describe('recommend', () => {
  /** L0, and what is recovered of the loss and of the divergence in two layers, of which ablating the second costs little. */
  const setting = (name: string, l0: number, loss: number, divergence: number): MeasuredSetting => ({
    name,
    kind: 'transcoder',
    setting: '',
    seed: 0,
    features: 8,
    measured: {
      own: {
        name: '',
        sequences: 1,
        figures: {
          layers: [
            { layers: [0], cost: 1 },
            { layers: [1], cost: 0.1 },
          ],
          dictionaries: [
            { layer: 0, l0, recovered: { mean: { loss, divergence: 0 } } },
            { layer: 1, l0, recovered: { mean: { loss: -5, divergence } } },
          ],
        },
      },
    } as unknown as MeasuredSetting['measured'],
  });
  const all = [
    setting('a', 4, 0.8, 0.9),
    setting('b', 8, 0.96, 0.97),
    setting('c', 16, 0.99, 0.96),
    setting('d', 32, 0.995, 0.99),
  ];

  it.each([
    [{}, 'b', true, /^the sparsest setting in which .* is at least 0\.95: b, with a mean L0 of 8\.0 and 0\.960$/],
    [{ recovered: 0.98 }, 'd', true, /at least 0\.98/],
    [{ recovered: 0.999 }, 'd', false, /^in no setting .* this comes closest/],
    [{ l0: 16 }, 'b', true, /^of the settings with a mean L0 of at most 16/],
    [{ l0: 5 }, 'a', true, /at most 5/],
    [{ l0: 1 }, 'a', false, /^no setting has a mean L0 of at most 1; this is the sparsest/],
  ] as const)('%j: %s', (target, name, met, rule) => {
    const found = recommend(all, target);
    expect([found.name, found.met]).toEqual([name, met]);
    expect(found.rule).toMatch(rule);
  });

  it('says of which kind it speaks where there are others', () => {
    const others = all.map((each) => ({ ...each, name: `sae-${each.name}`, kind: 'sae' as const }));
    const { name, rule } = recommend([...all.slice(0, 1), ...others], {});
    expect([name, rule]).toEqual(['a', expect.stringMatching(/^of kind transcoder: in no setting .* a, with/)]);
  });
});

describe('--transcoders', () => {
  it('a model with its MLPs replaced runs, generates, is steered and has circuits as any other', async () => {
    await runs.first();
    const set = runs.at('first');
    const gpu = await testGpu();
    using plain = await openModel(gpu, runs.model);
    using loaded = await openSet(plain, set);
    const replaced = await withReplacedMlps(plain, { transcoders: set, replace: [1] });
    const tokens = tokenBatch([[1, 4, 7]], plain.hooked.info);
    const logitsOf = async (model: typeof plain.hooked, interventions: readonly Intervention[]) => {
      using step = gpu.step();
      return readFloats(step, model.run(step, { tokens }, { interventions, logits: 'last' }).logits);
    };
    const expected = await logitsOf(plain.hooked, [loaded.dictionaries[1]!.dictionary.replacement()]);
    expect(await logitsOf(replaced.hooked, [])).toEqual(expected);
    expect(expected).not.toEqual(await logitsOf(plain.hooked, []));
    expect(replaced.hooked.info.processing).toMatch(/^MLPs of layers 1 by dictionaries [0-9a-f]{12}$/);
    // What a caller edits, it edits in the model that is replaced already: here half of what the dictionary writes.
    const halved = scale('blocks.1.hook_mlp_out', 0.5);
    expect(await logitsOf(replaced.hooked, [halved])).toEqual(
      await logitsOf(plain.hooked, [loaded.dictionaries[1]!.dictionary.replacement(), halved]),
    );
    expect(await logitsOf(replaced.hooked, [halved])).not.toEqual(expected);
    // A run that ends before the layer has nothing to replace.
    using step = gpu.step();
    expect(() => replaced.hooked.run(step, { tokens }, { stopAtLayer: 1 })).not.toThrow();

    const model = ['--model', runs.model, '--tokens', '1,4,7', '--json'];
    const next = await runLimn(['run', ...model, '--transcoders', set, '--replace', '1', '--top', '11']);
    expect(next.exitCode, next.stderr).toBe(0);
    const probabilities = (next.json()['next'] as { id: number; probability: number }[]).sort((a, b) => a.id - b.id);
    const total = expected.reduce((sum, logit) => sum + Math.exp(logit), 0);
    probabilities.forEach(({ id, probability }) => expect(probability).toBeCloseTo(Math.exp(expected[id]!) / total, 6));
    expect(next.json()['provenance']).toMatchObject({ model: { weightProcessing: replaced.hooked.info.processing } });
    const text = await runLimn(['generate', ...model, '--transcoders', set, '--max-new-tokens', '2']);
    expect(text.exitCode, text.stderr).toBe(0);
    const circuit = await runLimn([
      ...toyCircuit(runs.model, runs.at('circuit')),
      '--method',
      'eap',
      '--draws',
      '0',
      '--transcoders',
      set,
      '--json',
    ]);
    expect(circuit.exitCode, circuit.stderr).toBe(0);
    expect((await failed(['run', ...model, '--replace', '1'])).slice(0, 2)).toEqual([2, 'usage/dictionary-replace']);
    expect((await failed(['run', ...model, '--transcoders', set, '--replace', '7'])).slice(0, 2)).toEqual([
      2,
      'usage/dictionary-layer',
    ]);
  });
});
