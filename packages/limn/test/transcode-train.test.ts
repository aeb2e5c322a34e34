// `limn transcode train` and `evaluate` on a model of two layers: a set with its figures and card, the same bits after a kill, refusals.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { dictionariesFromJson } from '@limn/report';
import { openDictionarySet, type TrainingPlan } from '@limn/transcoders';
import { describe, expect, it } from 'vitest';
import { openDictionaryFolder } from '../src/dictionary-files.js';
import { packed } from '../src/token-windows.js';
import type { MeasuredDictionaries } from '../src/measured-dictionaries.js';
import { progressOf } from '../src/trained-set.js';
import { runLimn } from './run-limn.js';
import { failed } from './steer-runs.js';
import { transcodeRuns } from './transcode-runs.js';

const runs = transcodeRuns();
const bytesOf = (out: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(runs.at(out))
      .filter((name) => name.endsWith('.safetensors'))
      .map((name) => [name, readFileSync(runs.at(out, name), 'base64')]),
  );

describe('limn transcode train', () => {
  it('writes a set, its provenance, and a card with what was measured', async () => {
    const outcome = await runs.first();
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const { description, dictionaries } = await openDictionarySet(await openDictionaryFolder(runs.at('first')));
    expect(dictionaries.map(({ config }) => [config.layer, config.input, config.features, config.activation])).toEqual(
      [0, 1].map((layer) => [layer, 'ln2.hook_normalized', 24, { kind: 'relu' }]),
    );
    expect(description.training).toMatchObject({ tokens: 960, rowsPerUpdate: 32, skip: 0 });
    const { measured, provenance } = outcome.json() as unknown as {
      measured: MeasuredDictionaries;
      provenance: { commandLine: string };
    };
    expect(description.command).toBe(provenance.commandLine);
    for (const [i, figures] of measured.own.figures.dictionaries.entries()) {
      expect(dictionaries[i]?.figures).toMatchObject({
        l0: figures.l0,
        fvu: figures.fvu,
        measuredOn: measured.own.name,
      });
      // Thirty updates of a model of width 8: most of what the mean leaves is explained.
      expect(figures.fvu).toBeLessThan(0.5);
      expect(measured.gaps?.[i]?.gap).toBe(figures.fvu - (measured.general?.figures.dictionaries[i]?.fvu ?? NaN));
    }
    expect(measured.own.figures.together.map(({ name }) => name)).toEqual(['layers 0, 1']);
    const training = runs.json('first', 'training.json');
    expect(training).toMatchObject({ schema: 'limn.dictionaries', state: 'finished', measured });
    expect((training['history'] as { figures: object }[])[0]?.figures).toHaveProperty('layer 1');
    const record = dictionariesFromJson(readFileSync(runs.at('first', 'result.json'), 'utf8'));
    expect(record.points.map(({ name, setting, l0 }) => [name, setting, l0])).toEqual(
      measured.own.figures.dictionaries.map(({ name, l0 }) => [name, 'λ = 0.0001', l0]),
    );
    expect(record.provenance.commandLine).toBe(provenance.commandLine);
    const card = readFileSync(runs.at('first', 'README.md'), 'utf8');
    expect(card).toContain(`| layer 1 | 24 | ${measured.own.figures.dictionaries[1]?.l0.toFixed(1)} |`);
    expect(card).toContain('960 tokens of');
    expect(readdirSync(runs.at('first')).filter((name) => name.startsWith('checkpoint'))).toEqual([]);
  });

  it('killed with SIGKILL it goes on to the same bits', async (context) => {
    context.skip(
      process.env['LIMN_LONG'] !== '1',
      'a process of its own, which compiles everything anew: with LIMN_LONG=1',
    );
    await runs.first();
    const asked = runs.words('killed', ...runs.relu, '--resume');
    const child = path.join(import.meta.dirname, 'limn-child.mts');
    const started = spawn(process.execPath, ['--conditions=limn-source', '--import', 'tsx', child, ...asked], {
      env: { ...process.env, LIMN_KERNELS: 'built-in' },
    });
    const ended = new Promise((resolve) => started.on('close', (_, signal) => resolve(signal)));
    const over = new AbortController();
    void ended.then(() => over.abort());
    while (!over.signal.aborted && !existsSync(runs.at('killed', 'checkpoint.previous.safetensors'))) await wait(1);
    started.kill('SIGKILL');
    expect(await ended).toBe('SIGKILL');
    expect(existsSync(runs.at('killed', 'config.json'))).toBe(false);
    const resumed = await runLimn(asked);
    expect(resumed.exitCode, resumed.stderr).toBe(0);
    expect(resumed.json()['resumedFrom']).toBeGreaterThan(0);
    expect(bytesOf('killed')).toEqual(bytesOf('first'));
    // There is nothing to go on with, and what is there is not replaced.
    expect(await failed(asked)).toEqual([2, 'usage/output-exists', expect.stringContaining('finished')]);
  });

  it('stopped with Ctrl-C it ends with 130 and keeps its place; other settings do not go on from it', async (context) => {
    context.skip(process.env['LIMN_LONG'] !== '1', 'trains the set twice more: with LIMN_LONG=1');
    const controller = new AbortController();
    const asked = runs.words('stopped', ...runs.relu, '--resume');
    const over = new AbortController();
    const running = runLimn(asked, controller.signal).finally(() => over.abort());
    while (!over.signal.aborted && !existsSync(runs.at('stopped', 'checkpoint.safetensors'))) await wait(1);
    controller.abort();
    const outcome = await running;
    expect([outcome.exitCode, outcome.json().error?.code]).toEqual([130, 'aborted']);
    expect((await failed([...asked, '--rate', '0.02'])).slice(0, 2)).toEqual([4, 'checkpoint/other-settings']);
    expect((await failed(runs.words('stopped', ...runs.relu))).slice(0, 2)).toEqual([2, 'usage/output-exists']);
    const resumed = await runLimn(asked);
    expect(resumed.exitCode, resumed.stderr).toBe(0);
    await runs.first();
    expect(bytesOf('stopped')).toEqual(bytesOf('first'));
  });

  it.for([
    ['sae', 'top-k', ['--k', '4'], 'hook_mlp_out', false],
    ['sae', 'batch-top-k', ['--k', '3'], 'hook_mlp_out', false],
    ['skip', 'relu', ['--l1', '0.01'], 'ln2.hook_normalized', true],
    ['transcoder', 'jump-relu', ['--l1', '0.01'], 'ln2.hook_normalized', false],
  ] as const)('%s of %s', async ([kind, activation, sparsity, input, skip], context) => {
    context.skip(process.env['LIMN_LONG'] !== '1', 'kernels of an activation each: with LIMN_LONG=1');
    const asked = ['--kind', kind, '--activation', activation, ...sparsity, '--layers', '1', '--tokens', '128'];
    const outcome = await runLimn(runs.words(`${kind}-${activation}`, ...asked));
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const { dictionaries } = await openDictionarySet(await openDictionaryFolder(runs.at(`${kind}-${activation}`)));
    expect(dictionaries.map(({ config }) => [config.layer, config.input, config.activation.kind, config.skip])).toEqual(
      [[1, input, activation, skip]],
    );
  });

  it('says with --plan what it would take, to the byte that --memory needs, and writes nothing', async () => {
    const asked = runs.words('planned', '--k', '4');
    const outcome = await runLimn([...asked, '--plan']);
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const { trainees, rows, update, memoryBytes } = outcome.json()['plan'] as TrainingPlan;
    // Two layers of 24 features for a width of 8: matrices and biases three times over, and a counter a feature.
    expect(trainees).toBe(2 * 4 * (3 * (2 * 24 * 8 + 24 + 8) + 24));
    expect(memoryBytes).toBe(2 ** 31);
    const needed = trainees + rows + update;
    const [exit, code, message] = await failed([...asked, '--plan', '--memory', String(needed - 1)]);
    expect([exit, code]).toEqual([3, 'memory/over-budget']);
    expect(message).toContain('of weights and moments');
    const said = await runLimn([...asked.filter((word) => word !== '--json'), '--plan', '--memory', String(needed)]);
    expect([said.exitCode, said.stdout]).toEqual([0, expect.stringContaining('training takes')]);
    expect(existsSync(runs.at('planned'))).toBe(false);
  });

  it('trains on processed weights: provenance and set say so, and the set opens for no other processing', async () => {
    const processing = ['--processing', 'transformer-lens'];
    const few = ['--layers', '1', '--tokens', '64'];
    const outcome = await runLimn(runs.words('processed', ...runs.relu, ...few, ...processing));
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const { provenance } = outcome.json() as unknown as { provenance: { model: { weightProcessing: string } } };
    const { description } = await openDictionarySet(await openDictionaryFolder(runs.at('processed')));
    expect(description.model.processing).toBe(provenance.model.weightProcessing);
    expect(provenance.model.weightProcessing).toContain('foldLayerNorm');
    expect(readFileSync(runs.at('processed', 'README.md'), 'utf8')).toContain(provenance.model.weightProcessing);
    const places = ['--model', runs.model, '--transcoders', runs.at('processed'), '--text', runs.text, '--json'];
    const evaluate = ['transcode', 'evaluate', ...places];
    expect((await failed(evaluate)).slice(0, 2)).toEqual([4, 'data/dictionary-foreign']);
    const again = await runLimn([...evaluate, ...processing]);
    expect(again.exitCode, again.stderr).toBe(0);
  });

  it('refuses what does not fit, with exit codes, and writes nothing', async () => {
    const code = async (...more: string[]) => (await failed(runs.words('refused', ...more))).slice(0, 2);
    expect(await code('--l1', '0.1')).toEqual([2, 'usage/dictionary-sparsity']);
    expect(await code('--activation', 'relu')).toEqual([2, 'usage/dictionary-sparsity']);
    expect(await code('--layers', '2')).toEqual([2, 'usage/dictionary-layer']);
    expect(await code('--k', '25')).toEqual([2, 'usage/dictionary-config']);
    expect(await code('--context', '6')).toEqual([2, 'usage/dictionary-context']);
    expect(await code('--memory', '1KiB')).toEqual([3, 'memory/over-budget']);
    expect(await code('--plan', '--memory', '1KiB')).toEqual([3, 'memory/over-budget']);
    expect(await code('--memory-budget', '1KiB')).toEqual([3, 'load/over-budget']);
    expect(await code('--processing', 'foldNothing')).toEqual([2, 'usage/unknown-processing']);
    expect(await code('--interpretability')).toEqual([2, 'usage/dictionary-labels']);
    expect(await code('--text', runs.at('none.txt'))).toEqual([4, 'data/text']);
    writeFileSync(runs.at('short.jsonl'), '[1, 2, 3]');
    expect(await code('--text', runs.at('short.jsonl'))).toEqual([4, 'data/text']);
    writeFileSync(runs.at('some.txt'), 'some words');
    expect(await code('--text', runs.at('some.txt'))).toEqual([2, 'usage/no-tokenizer']);
    expect(
      (await failed(runs.words('refused').filter((word) => word !== '--text' && word !== runs.text))).slice(0, 2),
    ).toEqual([2, 'usage/dictionary-data']);
    expect(existsSync(runs.at('refused', 'config.json'))).toBe(false);
  });
});

describe('limn transcode evaluate', () => {
  const words = (...more: readonly string[]): string[] => [
    'transcode',
    'evaluate',
    '--model',
    runs.model,
    '--transcoders',
    runs.at('first'),
    '--text',
    runs.text,
    ...more,
  ];

  it('gives the figures as a table and as JSON, layers together and the gap to general text', async () => {
    await runs.first();
    const [table, json] = [
      await runLimn(words('--general', runs.general)),
      await runLimn(words('--general', runs.general, '--json')),
    ];
    expect(table.exitCode, table.stderr).toBe(0);
    const { measured } = json.json() as unknown as { measured: MeasuredDictionaries };
    const [first] = measured.own.figures.dictionaries;
    expect(table.stdout).toContain('recovered');
    expect(table.stdout).toMatch(new RegExp(`layer 0 +24 +${first?.l0.toFixed(1)} +${first?.fvu.toFixed(3)}`));
    // Beside every layer what the mean in its MLP's place costs, last.
    for (const { layers, cost } of measured.own.figures.layers) {
      expect(table.stdout).toMatch(new RegExp(`^ *layer ${layers[0]} +24 .* ${cost.toFixed(3)} *$`, 'm'));
    }
    expect(table.stdout).toMatch(/same top +mean costs *$/m);
    expect(table.stdout).toMatch(/layer 1: FVU 0\.\d{3} here, \d\.\d{3} on .*general\.jsonl: a gap of [+-]\d\.\d{3}/);
    const [together] = measured.own.figures.together;
    expect(together?.ablations.layers).toEqual([0, 1]);
    // Both at once lose at least about as much as the better of the two alone.
    expect(together?.divergence).toBeGreaterThan(
      Math.min(...measured.own.figures.dictionaries.map((d) => d.divergence)),
    );
  });

  it('refuses sets of other weights, other formats, and layers that are not there', async () => {
    await runs.first();
    expect((await failed([...words('--json'), '--together', '0,5'])).slice(0, 2)).toEqual([
      2,
      'usage/dictionary-layer',
    ]);
    expect((await failed([...words('--json'), '--processing', 'foldLayerNorm'])).slice(0, 2)[0]).not.toBe(0);
    const [exit, code] = await failed([...words('--json'), '--transcoders', runs.model]);
    expect([exit, code]).toEqual([4, 'data/dictionary-set']);
    expect((await failed([...words('--json'), '--model', 'pocket'])).slice(0, 2)).toEqual([
      4,
      'data/dictionary-foreign',
    ]);
  });
});

it('a progress line names few dictionaries, and of many the least and the most', () => {
  const figures = { loss: 1, fvu: 0.25, l0: 3.96, deadShare: 0.1, recovered: 0.9 };
  const at = { update: 20, updates: 100 };
  expect(progressOf({ ...at, figures: { 'layer 0': figures } })).toEqual({
    phase: 'training 1 dictionary',
    done: 20,
    total: 100,
    unit: 'updates',
    note: 'layer 0: L0 4.0, FVU 0.250, dead 10 %, CE recovered 0.900',
  });
  const many = Object.fromEntries([1, 2, 3, 4].map((i) => [`layer ${i}`, { ...figures, fvu: i / 10 }]));
  expect(progressOf({ ...at, figures: many }).note).toBe('L0 4.0, FVU 0.100–0.400, dead 10 %, CE recovered 0.900');
});

it('documents are packed behind BOS, which also begins a sequence where a document goes on', () => {
  const rows = packed([[1, 2, 3, 4, 5], [6], [7, 8]], 4, 0).map((row) => [...row]);
  expect(rows).toEqual([
    [0, 1, 2, 3],
    [0, 4, 5, 0],
    [0, 6, 0, 7],
    [0, 8],
  ]);
  expect(packed([[1], [2, 3]], 2, undefined).map((row) => [...row])).toEqual([[1, 2]]);
});
