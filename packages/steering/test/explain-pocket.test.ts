// Explanation of what pocket learnt about IOI: scalars found on some names steer others, pass their controls, and stand beside other measures.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { loadGpt2 } from '@limn/gpt2';
import { openFolder } from '@limn/gpt2/node';
import { modelFolder } from '@limn/pocket';
import { steeringExamples } from '@limn/tasks';
import { testGpu } from '@limn/testing';
import {
  causalVerdict,
  compareGrids,
  integratedGrid,
  positionTable,
  trainSteering,
  zeroAblationGrid,
  type SteeringExample,
  type SteeringSpec,
  type SteeringValues,
} from '../src/index.js';

const SKIPPED = !existsSync(new URL('model.safetensors', modelFolder()))
  ? "pocket's weights are not in this checkout"
  : process.env['LIMN_LONG'] === '1'
    ? undefined
    : 'learning on pocket three times over takes two minutes: LIMN_LONG=1';

describe('pocket and IOI', () => {
  it(
    'a verdict supports a quarter of the cells at most, which steer names that they were not learnt from',
    { timeout: 600_000 },
    async (context) => {
      context.skip(SKIPPED !== undefined, SKIPPED);
      const { model } = await loadGpt2(await testGpu(), openFolder(fileURLToPath(modelFolder())));
      const draw = (split: 'train' | 'held-out', n: number): SteeringExample[] =>
        steeringExamples('ioi', { seed: 1, n, split, template: 'ioi/friends/baba' });
      const [train, test] = [draw('train', 32), draw('held-out', 16)];
      const positions = positionTable(
        train.map(({ prompt, roles }) => ({ length: prompt.length, roles })),
        'role',
        { skip: 1 },
      );
      const spec: SteeringSpec = {
        method: { kind: 'activ-scalar' },
        sites: ['hook_attn_out', 'hook_mlp_out'],
        positions,
      };
      const refit = async (examples: readonly SteeringExample[], seed: number): Promise<SteeringValues> => {
        const learnt = await trainSteering(model, examples, spec, {
          objective: { goal: { kind: 'flip', margin: 4 } },
          minimality: { weight: 0.1 },
          updates: 100,
          refitUpdates: 20,
          examplesPerUpdate: 16,
          rate: 0.05,
          seed,
        });
        return learnt.values;
      };
      const values = await refit(train, 0);
      const ablated = await zeroAblationGrid(model, test, spec);
      const integrated = await integratedGrid(model, test, spec);
      // 2 sites, 3 layers and 15 positions; of the last layer's only the last position is live: 90 − 2 · 14.
      expect(ablated.live.filter(Boolean)).toHaveLength(62);
      expect(compareGrids(ablated, integrated).spearman as number).toBeGreaterThan(0.5);
      const verdict = await causalVerdict(model, test, values, {
        training: train,
        refit,
        bootstraps: 2,
        margin: 2,
        grids: [ablated, integrated],
        controls: draw('held-out', 20).slice(16),
      });
      expect(verdict.pPerm).toBe(1 / 21);
      expect(verdict.randomVectors.p).toBe(1 / 21);
      expect(verdict.ci95?.[0] as number).toBeGreaterThan(2 * 2);
      expect(verdict.twoWay).toBeGreaterThanOrEqual(0.8);
      expect(verdict.kept).toBeLessThanOrEqual(0.25 * verdict.live);
      expect(Math.abs(verdict.placebo.ofPlaceboFit as number)).toBeLessThan(0.5 * verdict.effect);
      expect(Math.abs(verdict.placebo.onPlacebo)).toBeLessThan(0.5 * verdict.effect);
      expect(verdict.necessity.at(-1)?.share).toBeCloseTo(0, 4);
      expect(verdict).toMatchObject({ supported: true, because: [] });
    },
  );
});
