// `limn steer apply` and `limn steer sweep`: a steering at several strengths, and the price at which it is learnt best.
import path from 'node:path';
import { writeFileSync } from 'node:fs';
import { steeringFromJson } from '@limn/report';
import { readSteering } from '@limn/steering';
import { beforeAll, describe, expect, it } from 'vitest';
import { runLimn } from './run-limn.js';
import { failed, steerRuns } from './steer-runs.js';

const runs = steerRuns();

describe('limn steer apply', () => {
  beforeAll(async () => void (await runs.first()));

  const apply = (...more: readonly string[]): string[] => [
    'steer',
    'apply',
    '--model',
    runs.model,
    '--steering',
    runs.at('first'),
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
      runs.model,
      '--tokens',
      '1,2,4,9',
      '--out',
      path.join(runs.root, 'bare.safetensors'),
      '--json',
    ]);
    expect(bare.exitCode, bare.stderr).toBe(0);
    const { next } = bare.json() as unknown as {
      readonly next?: readonly { readonly id: number; readonly probability: number }[];
    };
    for (const { id, probability } of next ?? []) expect(shareOf(1, id)).toBeCloseTo(probability, 5);
  });

  it('goes on with a text, in the part that it is told', async () => {
    await runs.other('dyn-scalar', 'none');
    const outcome = await runLimn([
      'steer',
      'apply',
      '--model',
      runs.model,
      '--steering',
      runs.at('dyn-scalar'),
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
    const pocket = apply('--tokens', '1,2,4,9').map((word) => (word === runs.model ? 'pocket' : word));
    const [exit, code] = await failed(pocket);
    expect(exit).toBe(4);
    expect(code).toMatch(/^data\/steering-(fingerprint|values)$/);
    const broken = path.join(runs.root, 'broken.json');
    writeFileSync(broken, runs.file('first').slice(0, 200));
    expect(
      (
        await failed(apply('--tokens', '1,2,4,9').map((word) => (word.endsWith('steering.json') ? broken : word)))
      ).slice(0, 2),
    ).toEqual([4, 'data/steering-file']);
  });
});

describe('limn steer sweep', () => {
  it('learns at every price, and writes the best with the trade-off on its page', async () => {
    const asked = runs
      .words('swept', '--minimality', '50,0,0.05', '--updates', '10')
      .map((word) => (word === 'train' ? 'sweep' : word));
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
    const { provenance, values } = readSteering(runs.file('swept'));
    expect(provenance.minimality).toEqual({ weight: best });
    expect(provenance.tokens).toHaveLength(4);
    const record = steeringFromJson(runs.file('swept', 'result.json'));
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
    const page = runs.file('swept', 'report.html');
    expect(page).toContain('data-penalty');
    expect(page).toContain('How few cells are enough');
  });
});
