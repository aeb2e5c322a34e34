// Learnt rows of the table: each with a few settings of the objective, from which validation prompts choose, together with the strength.
import type { HookedModel } from '@limn/hooks';
import {
  positionTable,
  trainSteering,
  type EntitySplit,
  type PositionTable,
  type SteerableSite,
  type SteeredPart,
  type SteeringCandidate,
  type SteeringMethod,
  type SteeringValues,
} from '@limn/steering';

/** λ_F of everything that is learnt, and examples of an update. */
const FAITHFULNESS = 20;
const EXAMPLES_PER_UPDATE = 16;

/** The paper's sites, and its attention by heads. */
export const PAPER_SITES = ['hook_attn_out', 'hook_mlp_out'] as const;
export const HEAD_SITES = ['attn.hook_z', 'hook_mlp_out'] as const;

/** A margin m in logits, all above the 2 that count as a success, and λ_M. */
interface Setting {
  readonly margin: number;
  readonly minimality: number;
}

/** Few values first: of settings that serve validation prompts alike, the first is taken. */
const BY_PLACE: readonly Setting[] = [
  { margin: 4, minimality: 0.1 },
  { margin: 3, minimality: 0.03 },
];
/** Probes have no cells to be few of. */
const PROBES: readonly Setting[] = [
  { margin: 4, minimality: 0 },
  { margin: 5, minimality: 0 },
];

/** What is learnt, and how: every row of the table that is learnt. */
const LEARNT_ROWS = {
  ActivScalar: { kind: 'activ-scalar', sites: PAPER_SITES, settings: BY_PLACE, rate: 0.03 },
  'ActivScalar, by head': { kind: 'activ-scalar', sites: HEAD_SITES, settings: BY_PLACE, rate: 0.03 },
  SteerVec: { kind: 'steer-vec', sites: PAPER_SITES, settings: BY_PLACE, rate: 0.01 },
  DynScalar: { kind: 'dyn-scalar', sites: PAPER_SITES, settings: PROBES, rate: 0.02 },
} as const satisfies Readonly<
  Record<
    string,
    { kind: SteeringMethod['kind']; sites: readonly SteerableSite[]; settings: readonly Setting[]; rate: number }
  >
>;
export type LearntRow = keyof typeof LEARNT_ROWS;

/** How long, in which order of examples, and where. */
export interface LearningSettings {
  readonly updates: number;
  readonly seed: number;
  /** Default: everywhere. */
  readonly only?: readonly SteeredPart[];
}

/** Positions by place: prompts of a task have one length. */
export function tableOf({ train, validation, test }: EntitySplit): PositionTable {
  const prompts = [...train, ...validation, ...test].map(({ prompt }) => ({ length: prompt.length }));
  return positionTable(prompts, 'absolute', { skip: 1 });
}

/** What was learnt at one setting. */
export type LearntCandidate = SteeringCandidate & { readonly values: SteeringValues };

/** A row learnt at each of its settings. */
export async function learn(
  model: HookedModel,
  split: EntitySplit,
  row: LearntRow,
  { updates, seed, only }: LearningSettings,
): Promise<LearntCandidate[]> {
  const { kind, sites, settings, rate } = LEARNT_ROWS[row];
  const positions: PositionTable = kind === 'dyn-scalar' ? { mode: 'none', names: ['all'], skip: 1 } : tableOf(split);
  const found: LearntCandidate[] = [];
  for (const { margin, minimality } of settings) {
    const { values } = await trainSteering(
      model,
      split.train,
      { method: { kind }, sites, positions },
      {
        objective: { goal: { kind: 'flip', margin }, faithfulnessWeight: FAITHFULNESS },
        minimality: { weight: minimality },
        examplesPerUpdate: EXAMPLES_PER_UPDATE,
        updates,
        seed,
        rate,
        only,
      },
    );
    found.push({ chosen: { margin, λ_M: minimality }, values });
  }
  return found;
}
