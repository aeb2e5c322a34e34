// `limn steer compare`: steerings beside one another, and beside what needs no learning, on the same prompts.
import path from 'node:path';
import { steeringFromJson } from '@limn/report';
import { beforeAll, describe, expect, it } from 'vitest';
import { runLimn } from './run-limn.js';
import { steerRuns } from './steer-runs.js';

const runs = steerRuns();

describe('limn steer compare', () => {
  const at = (name: string): string => runs.at(name);
  /** The first, its twin from an equal run, and two others. */
  beforeAll(async () => {
    await runs.first();
    await runs.again();
    await runs.other('steer-vec', 'role');
    await runs.other('dyn-scalar', 'none');
  });
  const compare = (...files: readonly string[]): string[] => [
    'steer',
    'compare',
    ...files,
    '--model',
    runs.model,
    '--data',
    runs.data,
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
    const out = path.join(runs.root, 'compared');
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
    const record = steeringFromJson(runs.file('compared', 'result.json'));
    expect(record.task).toEqual({ name: runs.data, train: 6, validation: 2, test: 2 });
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
    expect(runs.file('compared', 'report.html')).toContain('Beside other methods');
  });
});
