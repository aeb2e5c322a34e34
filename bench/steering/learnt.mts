// Learnt rows of the table: each at a few prices of minimality, the best on validation prompts, at the strength that serves most there.
import type { HookedModel } from '@limn/hooks';
import {
  bestPoint,
  positionTable,
  sweepSteering,
  type EntitySplit,
  type PositionTable,
  type SteeringMethod,
  type SteeringSpec,
  type SteeringValues,
  type SweepPoint,
} from '@limn/steering';

/** λ_M per method: those that keep a few cells to most of them. */
const WEIGHTS = {
  'activ-scalar': [0.03, 0.1],
  'steer-vec': [0.03],
  'dyn-scalar': [0],
} as const;
/** λ_F. */
const FAITHFULNESS = [20, 60] as const;

/** What all learnt rows share: a margin above the one that counts as a success. */
export const LEARNING = { goal: { kind: 'flip', margin: 3 }, examplesPerUpdate: 16 } as const;

/** Where scalars and vectors are: the paper's sites. */
export const PAPER_SITES = ['hook_attn_out', 'hook_mlp_out'] as const;

/** Positions by place: prompts of a task have one length. */
export function tableOf({ train, validation, test }: EntitySplit): PositionTable {
  const prompts = [...train, ...validation, ...test].map(({ prompt }) => ({ length: prompt.length }));
  return positionTable(prompts, 'absolute', { skip: 1 });
}

/** The best of a method's prices. */
export async function learn(
  model: HookedModel,
  split: EntitySplit,
  kind: keyof typeof WEIGHTS,
  { updates, seed }: { readonly updates: number; readonly seed: number },
): Promise<{ readonly chosen: Readonly<Record<string, number>>; readonly values: SteeringValues }> {
  const method: SteeringMethod = { kind };
  const spec: SteeringSpec = {
    method,
    sites: PAPER_SITES,
    positions: kind === 'dyn-scalar' ? { mode: 'none', names: ['all'], skip: 1 } : tableOf(split),
  };
  const rate = kind === 'activ-scalar' ? 0.03 : kind === 'steer-vec' ? 0.01 : 0.02;
  const points: (SweepPoint & { readonly faithfulness: number })[] = [];
  for (const faithfulness of FAITHFULNESS) {
    const { goal, examplesPerUpdate } = LEARNING;
    const found = await sweepSteering(model, split, spec, {
      objective: { goal, faithfulnessWeight: faithfulness },
      examplesPerUpdate,
      weights: WEIGHTS[kind],
      updates,
      seed,
      rate,
    });
    points.push(...found.map((point) => ({ ...point, faithfulness })));
  }
  const best = bestPoint(points);
  const { weight, trained } = best;
  const faithfulness = points.find((point) => point === best)?.faithfulness ?? Number.NaN;
  return { chosen: { λ_M: weight, λ_F: faithfulness }, values: trained.values };
}
