// `limn steer`: learns from a task or a file, writes what can be used and checked again, applies it, and refuses what does not fit.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { steeringFromJson } from '@limn/report';
import { readSteering } from '@limn/steering';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runLimn } from './run-limn.js';
import { writeToyModel } from './toy-model.js';

let root: string;
let model: string;
let data: string;
beforeAll(() => {
  root = mkdtempSync(path.join(os.tmpdir(), 'limn-steer-'));
  model = path.join(root, 'model');
  writeToyModel(model);
  data = path.join(root, 'examples.jsonl');
  const line = (i: number): string =>
    JSON.stringify({ prompt: [1, 2 + (i % 7), 4, 9], correct: 8, wrong: 5, roles: [null, 'subject', null, 'end'] });
  writeFileSync(data, Array.from({ length: 10 }, (_, i) => line(i)).join('\n'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const words = (out: string, ...more: readonly string[]): string[] => [
  'steer',
  'train',
  '--model',
  model,
  '--data',
  data,
  '--out',
  path.join(root, out),
  '--json',
  '--margin',
  '0.5',
  '--faithfulness-weight',
  '0.1',
  '--updates',
  '40',
  '--rate',
  '0.05',
  ...more,
];
const file = (out: string, name = 'steering.json'): string => readFileSync(path.join(root, out, name), 'utf8');
const failed = async (given: readonly string[]): Promise<readonly [number, string | undefined, string | undefined]> => {
  const outcome = await runLimn(given);
  const { error } = outcome.json();
  return [outcome.exitCode, error?.code, error?.message];
};

describe('limn steer train', () => {
  it('writes values with their provenance, and what they do', async () => {
    const outcome = await runLimn(words('first', '--minimality', '0.02', '--seed', '3'));
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const { values, provenance } = readSteering(file('first'));
    expect(values.spec).toMatchObject({
      method: { kind: 'activ-scalar' },
      sites: ['hook_attn_out', 'hook_mlp_out'],
      positions: { mode: 'absolute', length: 4 },
    });
    expect(provenance.minimality).toEqual({ weight: 0.02 });
    expect(provenance.training).toMatchObject({ seed: 3 });
    expect(provenance.command).toContain('limn steer train');
    const record = steeringFromJson(file('first', 'result.json'));
    expect(record.task).toEqual({ name: data, train: 6, validation: 2, test: 2 });
    expect(record.history!.at(-1)!.effect).toBeLessThan(record.history![0]!.effect);
    expect(record.sweep!.map(({ strength }) => strength)).toEqual([-2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2]);
    expect(record.sweep![4]!.bucket).toBeCloseTo(0, 6);
    expect(record.grid!.positions).toEqual(['0', '1', '2', '3']);
    expect(record.comparisons!.map(({ measure }) => measure)).toEqual(['gradient × activation', 'zero ablation']);
    const [prompt] = record.prompts;
    expect(prompt!.tokens.map(({ role }) => role)).toEqual([undefined, 'subject', undefined, 'end']);
    const zero = prompt!.outcomes!.find(({ strength }) => strength === 0)!;
    expect([zero.delta, zero.correct]).toEqual([prompt!.untouched!.delta, prompt!.untouched!.correct]);
    expect(file('first', 'report.html')).toContain('activ-scalar on');
    expect(outcome.json()).toMatchObject({ ok: true, command: 'steer train', train: { examples: 6 } });
  });

  it('gives the same bits again, and says in a few lines what it learnt', async () => {
    const said = words('again', '--minimality', '0.02', '--seed', '3').filter((word) => word !== '--json');
    const outcome = await runLimn(said);
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    expect(readSteering(file('again')).values).toEqual(readSteering(file('first')).values);
    expect(outcome.stdout).toMatch(/activ-scalar: \d+ of 10 cells that can have an effect are not 0/);
    expect(outcome.stdout).toMatch(/others +2 prompts: both ways/);
  });

  it.each([
    ['steer-vec', 'role'],
    ['dyn-scalar', 'none'],
    ['gated-scalar', 'from-end'],
    ['dimension-scale', 'none'],
  ])('%s by %s', async (method, positions) => {
    const outcome = await runLimn(
      words(method, '--method', method, '--positions', positions, '--updates', '5', '--rate', '0.01'),
    );
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const { spec } = readSteering(file(method)).values;
    expect([spec.method.kind, spec.positions.mode]).toEqual([method, positions]);
  });

  it('subspace-scale in a basis of the activations, kept with the values; no larger than they have directions', async () => {
    const asked = ['--method', 'subspace-scale', '--positions', 'none', '--updates', '5'];
    const outcome = await runLimn(words('subspace', ...asked, '--basis-size', '2'));
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const { values } = readSteering(file('subspace'));
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
    expect(steeringFromJson(file('subspace', 'result.json')).method.settings).toMatchObject({ rank: 2 });
    const swept = words('subspaces', ...asked, '--basis-size', '2', '--minimality', '0');
    const sweep = await runLimn(swept.map((word) => (word === 'train' ? 'sweep' : word)));
    expect(sweep.exitCode, sweep.stderr).toBe(0);
    expect(readSteering(file('subspaces')).values.spec.method).toEqual({ kind: 'subspace-scale', rank: 2 });
    // Wider than the stream of 8; and a basis of a method that has none.
    expect((await failed(words('refused', ...asked, '--basis-size', '9'))).slice(0, 2)).toEqual([
      4,
      'data/steering-basis',
    ]);
    expect((await failed(words('refused', '--basis-size', '2'))).slice(0, 2)).toEqual([2, 'usage/steering-option']);
  });

  it('stopped with Ctrl-C it ends with 130, and with --resume goes on to the same bits', async () => {
    const controller = new AbortController();
    const over = new AbortController();
    const asked = words('stopped', '--minimality', '0.02', '--seed', '3', '--resume');
    const running = runLimn(asked, controller.signal).finally(() => over.abort());
    const kept = path.join(root, 'stopped.shards');
    while (!over.signal.aborted && !(existsSync(kept) && readdirSync(kept).some((name) => name.endsWith('.shard'))))
      await wait(1);
    controller.abort();
    expect((await running).exitCode).toBe(130);
    expect(existsSync(path.join(root, 'stopped'))).toBe(false);
    const resumed = await runLimn(asked);
    expect(resumed.exitCode, resumed.stderr).toBe(0);
    expect(readSteering(file('stopped')).values).toEqual(readSteering(file('first')).values);
  });

  const onPocket = (...more: readonly string[]) => {
    const places = ['--sites', 'hook_mlp_out', '--layers', '1', '--updates', '2'];
    return runLimn([
      'steer',
      'train',
      '--model',
      'pocket',
      ...places,
      '--json',
      '--out',
      path.join(root, 'task'),
      ...more,
    ]);
  };

  it('learns a task in pocket’s words', async () => {
    const flip = await onPocket('--task', 'ioi-abba', '--examples', '60', '--positions', 'role');
    expect(flip.exitCode, flip.stderr).toBe(0);
    const { provenance, values } = readSteering(file('task'));
    expect(provenance.tokens?.at(-1)?.trim()).toBe('to');
    expect(values.spec.positions).toMatchObject({ mode: 'role', skip: 1 });
    expect(values.spec.positions.names).toContain('last');
  });

  it('learns a parity that keeps what is given', async () => {
    const parity = await onPocket(
      '--task',
      'gender',
      '--examples',
      '20',
      '--objective',
      'parity',
      '--positions',
      'from-end',
    );
    expect(parity.exitCode, parity.stderr).toBe(0);
    expect(readSteering(file('task')).provenance.objective).toMatchObject({ goal: { kind: 'parity' } });
    const { parity: found } = steeringFromJson(file('task', 'result.json'));
    expect([found!.answers!.first.trim(), found!.answers!.second.trim()].sort()).toEqual(['he', 'she']);
    // Of 12 frames with both pronouns each, two fifths are not learnt from.
    expect(found!.retention).toMatchObject({ learnt: false, rightBefore: 1 });
    expect(found!.retention!.prompts).toHaveLength(10);
    expect(found!.spillover.map(({ name }) => name)).toEqual(['man, woman behind the same prompts']);
  });

  it('refuses what does not fit, with exit codes', async () => {
    const out = path.join(root, 'refused');
    expect((await failed(['steer', 'train', '--model', model, '--out', out, '--json'])).slice(0, 2)).toEqual([
      2,
      'usage/steering-data',
    ]);
    expect((await failed(words('refused', '--method', 'dyn-scalar', '--positions', 'role'))).slice(0, 2)).toEqual([
      2,
      'usage/position-mode',
    ]);
    expect((await failed(words('refused', '--sites', 'hook_q'))).slice(0, 2)).toEqual([2, 'usage/unknown-site']);
    expect((await failed(words('refused', '--layers', '9'))).slice(0, 2)).toEqual([2, 'usage/steering-layer']);
    const bad = path.join(root, 'bad.jsonl');
    writeFileSync(bad, `${readFileSync(data, 'utf8')}\n{"prompt": [1, 2], "correct": 8, "wrong": 8}`);
    const [exit, code, message] = await failed(words('refused').map((word) => (word === data ? bad : word)));
    expect([exit, code]).toEqual([4, 'data/steering-answer']);
    expect(message).toContain('bad.jsonl:11');
    const text = path.join(root, 'text.jsonl');
    writeFileSync(text, '{"prompt": "the", "correct": 8, "wrong": 5}');
    expect((await failed(words('refused').map((word) => (word === data ? text : word)))).slice(0, 2)).toEqual([
      4,
      'data/steering-no-tokenizer',
    ]);
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

describe('limn steer apply', () => {
  const apply = (...more: readonly string[]): string[] => [
    'steer',
    'apply',
    '--model',
    model,
    '--steering',
    path.join(root, 'first', 'steering.json'),
    '--json',
    ...more,
  ];

  it('says what comes next at each strength: 0 is the model itself', async () => {
    const outcome = await runLimn(apply('--tokens', '1,2,4,9', '--strength=-1,0,1', '--top', '11'));
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const { results } = outcome.json() as unknown as {
      readonly results: readonly {
        readonly strength: number;
        readonly top: readonly { readonly id: number; readonly probability: number }[];
      }[];
    };
    const shareOf = (i: number, id: number): number => results[i]!.top.find((each) => each.id === id)!.probability;
    expect(results.map(({ strength }) => strength)).toEqual([-1, 0, 1]);
    expect(shareOf(2, 8) / shareOf(2, 5)).toBeGreaterThan(shareOf(1, 8) / shareOf(1, 5));
    expect(shareOf(0, 8) / shareOf(0, 5)).toBeLessThan(shareOf(1, 8) / shareOf(1, 5));
    const bare = await runLimn([
      'run',
      '--model',
      model,
      '--tokens',
      '1,2,4,9',
      '--out',
      path.join(root, 'bare.safetensors'),
      '--json',
    ]);
    expect(bare.exitCode, bare.stderr).toBe(0);
    const { next } = bare.json() as unknown as {
      readonly next?: readonly { readonly id: number; readonly probability: number }[];
    };
    for (const { id, probability } of next ?? []) expect(shareOf(1, id)).toBeCloseTo(probability, 5);
  });

  it('goes on with a text, in the part that it is told', async () => {
    const outcome = await runLimn([
      'steer',
      'apply',
      '--model',
      model,
      '--steering',
      path.join(root, 'dyn-scalar', 'steering.json'),
      '--json',
      '--tokens',
      '1,2',
      '--max-new-tokens',
      '2',
      '--strength',
      '1',
      '--phase',
      'generated',
    ]);
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const { results } = outcome.json() as unknown as {
      readonly results: readonly { readonly tokens: readonly number[] }[];
    };
    expect(results[0]!.tokens.length).toBeGreaterThan(0);
  });

  it('refuses prompts of other lengths, files of other models and files that are none', async () => {
    expect((await failed(apply('--tokens', '1,2'))).slice(0, 2)).toEqual([4, 'data/steering-length']);
    const pocket = apply('--tokens', '1,2,4,9').map((word) => (word === model ? 'pocket' : word));
    const [exit, code] = await failed(pocket);
    expect(exit).toBe(4);
    expect(code).toMatch(/^data\/steering-(fingerprint|values)$/);
    const broken = path.join(root, 'broken.json');
    writeFileSync(broken, file('first').slice(0, 200));
    expect(
      (
        await failed(apply('--tokens', '1,2,4,9').map((word) => (word.endsWith('steering.json') ? broken : word)))
      ).slice(0, 2),
    ).toEqual([4, 'data/steering-file']);
  });
});

describe('limn steer sweep', () => {
  it('learns at every price, and writes the best with the trade-off on its page', async () => {
    const asked = words('swept', '--minimality', '50,0,0.05', '--updates', '10').map((word) =>
      word === 'train' ? 'sweep' : word,
    );
    const outcome = await runLimn(asked);
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const { points, best } = outcome.json() as unknown as {
      readonly points: readonly {
        readonly weight: number;
        readonly minimality: { readonly nonZero: number };
        readonly validation: { readonly drift: number };
      }[];
      readonly best: number;
    };
    expect(points.map(({ weight }) => weight)).toEqual([50, 0, 0.05]);
    expect(points[0]!.minimality.nonZero).toBe(0);
    const { provenance, values } = readSteering(file('swept'));
    expect(provenance.minimality).toEqual({ weight: best });
    expect(provenance.tokens).toHaveLength(4);
    const record = steeringFromJson(file('swept', 'result.json'));
    const { path: traded, grid } = record;
    expect(traded!.points.map(({ penalty }) => penalty)).toEqual([0, 0.05, 50]);
    expect(traded!.points.map(({ nonZero, drift }) => [nonZero, drift])).toEqual(
      [points[1]!, points[2]!, points[0]!].map(({ minimality, validation }) => [minimality.nonZero, validation.drift]),
    );
    // The slider rests where the grid is, and every point has the cells of its own.
    expect(traded!.points[traded!.chosen]!.penalty).toBe(best);
    expect(traded!.points[traded!.chosen]!.values).toEqual(grid!.values);
    expect(traded!.points[2]!.values!.every((value) => value === 0)).toBe(true);
    const [first] = grid!.layers;
    expect(grid!.values.slice(0, 4)).toEqual([...values.places.get(`blocks.${first!}.hook_attn_out`)!.get('alpha')!]);
    expect(record.methods!.map(({ own }) => own)).toEqual([true]);
    const page = file('swept', 'report.html');
    expect(page).toContain('data-penalty');
    expect(page).toContain('How few cells are enough');
  });
});

describe('limn steer compare', () => {
  const at = (name: string): string => path.join(root, name, 'steering.json');
  const compare = (...files: readonly string[]): string[] => [
    'steer',
    'compare',
    ...files,
    '--model',
    model,
    '--data',
    data,
  ];

  it('measures every file on the same prompts, and says how far those of equal cells agree', async () => {
    const outcome = await runLimn([...compare(at('first'), at('again'), at('steer-vec'), at('dyn-scalar')), '--json']);
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const { steerings, agreements, prompts } = outcome.json() as unknown as {
      readonly prompts: number;
      readonly steerings: readonly { readonly method: string; readonly figures: { readonly shift: number } }[];
      readonly agreements: readonly {
        readonly a: string;
        readonly b: string;
        readonly agreement: { readonly spearman: number };
      }[];
    };
    expect(prompts).toBe(10);
    expect(steerings.map(({ method }) => method)).toEqual(['activ-scalar', 'activ-scalar', 'steer-vec', 'dyn-scalar']);
    expect(steerings[0]!.figures).toEqual(steerings[1]!.figures);
    // Learnt twice to the same bits; vectors by role have other cells.
    expect(agreements.map(({ a, b }) => [a, b])).toEqual([[at('first'), at('again')]]);
    expect(agreements[0]!.agreement.spearman).toBeCloseTo(1, 9);
    const said = await runLimn(compare(at('first'), at('steer-vec')));
    expect(said.stdout).toMatch(/activ-scalar +\d+\/10 +[01]\.\d\d/);
  });

  it('with --baselines and --out: rows without learning on the same unseen prompts, and a page of all of it', async () => {
    const out = path.join(root, 'compared');
    const asked = [...compare(at('first'), at('again'), at('dyn-scalar')), '--baselines', '--out', out, '--json'];
    const outcome = await runLimn(asked);
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const { prompts, steerings, baselines } = outcome.json() as unknown as {
      readonly prompts: number;
      readonly steerings: readonly { readonly figures: { readonly twoWaySuccess: number; readonly drift: number } }[];
      readonly baselines: readonly {
        readonly name: string;
        readonly chosen: Readonly<Record<string, number>>;
        readonly strength: number | null;
        readonly figures: { readonly examples: number; readonly drift: number };
      }[];
    };
    expect(prompts).toBe(2);
    const names = baselines.map(({ name }) => name);
    expect(names.slice(0, 3)).toEqual(['untouched', 'gradient × activation', 'best single cell']);
    expect(names).toContain('CAA');
    expect(baselines.every(({ figures }) => figures.examples === 2)).toBe(true);
    expect([baselines[0]!.strength, baselines[0]!.figures.drift]).toEqual([null, expect.closeTo(0, 6)]);
    const vectors = baselines.find(({ name }) => name === 'CAA')!;
    expect([0, 1]).toContain(vectors.chosen.layer);
    expect([0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 3]).toContain(vectors.strength);
    const record = steeringFromJson(file('compared', 'result.json'));
    expect(record.task).toEqual({ name: data, train: 6, validation: 2, test: 2 });
    const rows = record.methods!;
    expect(rows).toHaveLength(3 + baselines.length);
    expect(rows.map(({ own }) => own)).toEqual([true, ...rows.slice(1).map(() => undefined)]);
    expect(rows[0]!.name).toBe(`activ-scalar (${at('first')})`);
    expect(rows[0]!.drift.mean).toBe(steerings[0]!.figures.drift);
    expect(rows.map(({ name }) => name)).toContain(`CAA, layer ${vectors.chosen.layer}, strength ${vectors.strength}`);
    // The twin has the same cells; probes have none.
    expect(record.comparisons!.map(({ measure }) => measure)).toEqual([
      'gradient × activation',
      'zero ablation',
      at('again'),
    ]);
    expect(record.comparisons![2]!.values).toEqual(record.grid!.values);
    expect(record.history).toBeUndefined();
    expect(file('compared', 'report.html')).toContain('Beside other methods');
  });

  it('refuses a file of another model and two sources of prompts', async () => {
    expect((await failed([...compare(at('task')), '--json'])).slice(0, 2)).toEqual([4, 'data/steering-fingerprint']);
    expect((await failed([...compare(at('first')), '--task', 'ioi', '--json'])).slice(0, 2)).toEqual([
      2,
      'usage/steering-data',
    ]);
  });
});
