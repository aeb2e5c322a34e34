// `limn steer train`: writes values that can be used and checked again, to the same bits however often it is stopped, and refuses what does not fit.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { steeringFromJson } from '@limn/report';
import { readSteering } from '@limn/steering';
import { describe, expect, it } from 'vitest';
import { runLimn } from './run-limn.js';
import { failed, steerRuns } from './steer-runs.js';

const runs = steerRuns();

describe('limn steer train', () => {
  it('writes values with their provenance, and what they do', async () => {
    const outcome = await runs.first();
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const { values, provenance } = readSteering(runs.file('first'));
    expect(values.spec).toMatchObject({
      method: { kind: 'activ-scalar' },
      sites: ['hook_attn_out', 'hook_mlp_out'],
      positions: { mode: 'absolute', length: 4 },
    });
    expect(provenance.minimality).toEqual({ weight: 0.02 });
    expect(provenance.training).toMatchObject({ seed: 3 });
    expect(provenance.command).toContain('limn steer train');
    const record = steeringFromJson(runs.file('first', 'result.json'));
    expect(record.task).toEqual({ name: runs.data, train: 6, validation: 2, test: 2 });
    expect(record.history!.at(-1)!.effect).toBeLessThan(record.history![0]!.effect);
    expect(record.sweep!.map(({ strength }) => strength)).toEqual([-2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2]);
    expect(record.sweep![4]!.bucket).toBeCloseTo(0, 6);
    expect(record.grid!.positions).toEqual(['0', '1', '2', '3']);
    expect(record.comparisons!.map(({ measure }) => measure)).toEqual(['gradient × activation', 'zero ablation']);
    const [prompt] = record.prompts;
    expect(prompt!.tokens.map(({ role }) => role)).toEqual([undefined, 'subject', undefined, 'end']);
    const zero = prompt!.outcomes!.find(({ strength }) => strength === 0)!;
    expect([zero.delta, zero.correct]).toEqual([prompt!.untouched!.delta, prompt!.untouched!.correct]);
    expect(runs.file('first', 'report.html')).toContain('activ-scalar on');
    expect(outcome.json()).toMatchObject({ ok: true, command: 'steer train', train: { examples: 6 } });
  });

  it('gives the same bits again, and says in a few lines what it learnt', async () => {
    await runs.first();
    const outcome = await runs.again();
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    expect(readSteering(runs.file('again')).values).toEqual(readSteering(runs.file('first')).values);
    expect(outcome.stdout).toMatch(/activ-scalar: \d+ of 10 cells that can have an effect are not 0/);
    expect(outcome.stdout).toMatch(/others +2 prompts: both ways/);
  });

  it.each([
    ['steer-vec', 'role'],
    ['dyn-scalar', 'none'],
    ['gated-scalar', 'from-end'],
    ['dimension-scale', 'none'],
  ])('%s by %s', async (method, positions) => {
    const outcome = await runs.other(method, positions);
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const { spec } = readSteering(runs.file(method)).values;
    expect([spec.method.kind, spec.positions.mode]).toEqual([method, positions]);
  });

  it('subspace-scale in a basis of the activations, kept with the values; no larger than they have directions', async () => {
    const asked = ['--method', 'subspace-scale', '--positions', 'none', '--updates', '5'];
    const outcome = await runLimn(runs.words('subspace', ...asked, '--basis-size', '2'));
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const { values } = readSteering(runs.file('subspace'));
    expect(values.spec.method).toEqual({ kind: 'subspace-scale', rank: 2 });
    for (const own of values.places.values()) {
      const basis = own.get('basis')!;
      for (const [a, b, expected] of [
        [0, 0, 1],
        [0, 1, 0],
        [1, 1, 1],
      ] as const) {
        const product = Array.from({ length: 8 }, (_, j) => basis[2 * j + a]! * basis[2 * j + b]!);
        // Orthonormal in float64, rounded to f32.
        expect(product.reduce((sum, x) => sum + x, 0)).toBeCloseTo(expected, 6);
      }
    }
    expect([...values.places.values()].some((own) => own.get('alpha')!.some((x) => x !== 0))).toBe(true);
    expect(steeringFromJson(runs.file('subspace', 'result.json')).method.settings).toMatchObject({ rank: 2 });
    const swept = runs.words('subspaces', ...asked, '--basis-size', '2', '--minimality', '0');
    const sweep = await runLimn(swept.map((word) => (word === 'train' ? 'sweep' : word)));
    expect(sweep.exitCode, sweep.stderr).toBe(0);
    expect(readSteering(runs.file('subspaces')).values.spec.method).toEqual({ kind: 'subspace-scale', rank: 2 });
    // Wider than the stream of 8; and a basis of a method that has none.
    expect((await failed(runs.words('refused', ...asked, '--basis-size', '9'))).slice(0, 2)).toEqual([
      4,
      'data/steering-basis',
    ]);
    expect((await failed(runs.words('refused', '--basis-size', '2'))).slice(0, 2)).toEqual([
      2,
      'usage/steering-option',
    ]);
  });

  it('stopped with Ctrl-C it ends with 130, and with --resume goes on to the same bits', async () => {
    await runs.first();
    const controller = new AbortController();
    const over = new AbortController();
    const asked = runs.words('stopped', '--minimality', '0.02', '--seed', '3', '--resume');
    const running = runLimn(asked, controller.signal).finally(() => over.abort());
    const kept = path.join(runs.root, 'stopped.shards');
    while (!over.signal.aborted && !(existsSync(kept) && readdirSync(kept).some((name) => name.endsWith('.shard'))))
      await wait(1);
    controller.abort();
    expect((await running).exitCode).toBe(130);
    expect(existsSync(path.join(runs.root, 'stopped'))).toBe(false);
    const resumed = await runLimn(asked);
    expect(resumed.exitCode, resumed.stderr).toBe(0);
    expect(readSteering(runs.file('stopped')).values).toEqual(readSteering(runs.file('first')).values);
  });

  it('refuses what does not fit, with exit codes', async () => {
    const out = path.join(runs.root, 'refused');
    expect((await failed(['steer', 'train', '--model', runs.model, '--out', out, '--json'])).slice(0, 2)).toEqual([
      2,
      'usage/steering-data',
    ]);
    expect((await failed(runs.words('refused', '--method', 'dyn-scalar', '--positions', 'role'))).slice(0, 2)).toEqual([
      2,
      'usage/position-mode',
    ]);
    expect((await failed(runs.words('refused', '--sites', 'hook_q'))).slice(0, 2)).toEqual([2, 'usage/unknown-site']);
    expect((await failed(runs.words('refused', '--layers', '9'))).slice(0, 2)).toEqual([2, 'usage/steering-layer']);
    const bad = path.join(runs.root, 'bad.jsonl');
    writeFileSync(bad, `${readFileSync(runs.data, 'utf8')}\n{"prompt": [1, 2], "correct": 8, "wrong": 8}`);
    const [exit, code, message] = await failed(runs.words('refused').map((word) => (word === runs.data ? bad : word)));
    expect([exit, code]).toEqual([4, 'data/steering-answer']);
    expect(message).toContain('bad.jsonl:11');
    const text = path.join(runs.root, 'text.jsonl');
    writeFileSync(text, '{"prompt": "the", "correct": 8, "wrong": 5}');
    expect((await failed(runs.words('refused').map((word) => (word === runs.data ? text : word)))).slice(0, 2)).toEqual(
      [4, 'data/steering-no-tokenizer'],
    );
    const parity = [
      'steer',
      'train',
      '--model',
      'pocket',
      '--task',
      'ioi',
      '--objective',
      'parity',
      '--out',
      out,
      '--json',
    ];
    expect((await failed(parity)).slice(0, 2)).toEqual([2, 'usage/steering-objective']);
  });
});
