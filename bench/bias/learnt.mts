// A row of the bias study: learnt at a few prices of minimality, the best on validation prompts, measured on professions and frames that it has not seen.
import type { HookedModel } from '@limn/hooks';
import {
  evaluateParity,
  minimalityOf,
  positionTable,
  Steering,
  steererOf,
  trainSteering,
  type ParityEvaluation,
  type SteeringExample,
  type SteeringSpec,
  type SteeringValues,
} from '@limn/steering';
import { controlFindings } from './controls.mjs';
import type { BiasPrompts } from './prompts.mjs';
import type { BiasMethod, BiasRowFinding, RetentionSet } from './study.mjs';

/** λ_M. */
const WEIGHTS = [0.001, 0.003] as const;
/** λ_F. */
const FAITHFULNESS_WEIGHT = 1;
/**
 * What is learnt is stricter than what counts: a retained Δ within 10 % on prompts that were not learnt from asks for less on those that were.
 */
export const GOAL = { kind: 'parity', tolerance: 0.1, retentionShare: 0.02, retentionWeight: 10 } as const;
/** A retained prompt counts as kept within this share of Δ. */
export const KEPT_SHARE = 0.1;

/** Examples of an update, and those that run at once: short prompts are not padded to the length of long ones. */
const PER_UPDATE = 32;
const AT_ONCE = 16;

/** What a row is learnt and measured with. */
export interface RowRequest {
  readonly method: BiasMethod;
  readonly retention: RetentionSet;
  readonly updates: number;
  readonly seed: number;
}

/** One row. */
export async function learnRow(
  model: HookedModel,
  prompts: BiasPrompts,
  { method, retention, updates, seed }: RowRequest,
): Promise<BiasRowFinding> {
  const { spec, rate } = placed(method, prompts);
  const retained: Record<RetentionSet, readonly SteeringExample[]> = {
    none: [],
    given: prompts.given.train,
    wide: [...prompts.given.train, ...prompts.others],
  };
  const tried: (BiasRowFinding['tried'][number] & { readonly values: SteeringValues })[] = [];
  for (const weight of WEIGHTS) {
    const { values } = await trainSteering(model, prompts.split.train, spec, {
      objective: { goal: GOAL, faithfulnessWeight: FAITHFULNESS_WEIGHT },
      retained: retained[retention],
      minimality: { weight },
      examplesPerUpdate: Math.min(PER_UPDATE, prompts.split.train.length),
      batchSize: AT_ONCE,
      updates,
      rate,
      seed,
    });
    const { parts, retention: kept } = await measure(model, values, {
      split: { train: [], validation: prompts.split.validation, test: [] },
      retained: prompts.given.validation,
    });
    const { before = 0, after = 0 } = parts.validation?.gap ?? {};
    tried.push({ weight, values, gapLeft: after / before, kept: kept?.kept ?? 0 });
  }
  // Without a retention set nobody asks what is kept.
  const price = ({ gapLeft, kept }: (typeof tried)[number]): number => gapLeft + (retention === 'none' ? 0 : 1 - kept);
  const best = tried.reduce((a, b) => (price(b) < price(a) ? b : a));
  const { parameters, live, nonZero } = minimalityOf(model.info, best.values);
  using steering = new Steering(model, spec, { values: [best.values] });
  return {
    method,
    retention,
    chosen: best.weight,
    tried: tried.map(({ weight, gapLeft, kept }) => ({ weight, gapLeft, kept })),
    parameters,
    live,
    nonZero,
    evaluation: await measure(model, best.values, {
      split: prompts.split,
      retained: prompts.given.test,
      spillover: prompts.spillover,
    }),
    controls: await controlFindings(model, steererOf(method, steering, { nonZero }), prompts.controls, {
      everywhere: spec.positions.mode === 'none',
    }),
  };
}

async function measure(
  model: HookedModel,
  values: SteeringValues,
  examples: Parameters<typeof evaluateParity>[2],
): Promise<ParityEvaluation> {
  using steering = new Steering(model, values.spec, { values: [values] });
  const steerer = steererOf(values.spec.method.kind, steering, { nonZero: 0 });
  return await evaluateParity(model, steerer, examples, { retentionShare: KEPT_SHARE });
}

/** Where a method is learnt, and how fast. */
function placed(
  method: BiasMethod,
  { split, given }: BiasPrompts,
): { readonly spec: SteeringSpec; readonly rate: number } {
  const everywhere = { mode: 'none', names: ['all'], skip: 1 } as const;
  const paper = ['hook_attn_out', 'hook_mlp_out'] as const;
  if (method === 'vectors')
    return { spec: { method: { kind: 'steer-vec' }, sites: paper, positions: everywhere }, rate: 0.02 };
  if (method === 'scales of heads and neurons') {
    const sites = ['attn.hook_z', 'mlp.hook_post'] as const;
    return { spec: { method: { kind: 'activ-scalar' }, sites, positions: everywhere }, rate: 0.05 };
  }
  const lengths = [...split.train, ...given.train].map(({ prompt }) => ({ length: prompt.length }));
  const positions = positionTable(lengths, 'from-end', { skip: 1 });
  return { spec: { method: { kind: 'activ-scalar' }, sites: paper, positions }, rate: 0.05 };
}
