// The shape of what bench/steering.mts measures: for every model, task and seed what each method does on prompts about things that it has not seen.
import type { KeptStudy } from '../kept-study.mjs';
import type { SteeringFigures } from '@limn/steering';

/** The tasks, and what +1 favours. */
export const STUDY_TASKS = {
  'country-capital-conflict': 'what the context says, against what memory says',
  'ioi-abba': 'the receiver, against the giver',
} as const;
export type StudyTask = keyof typeof STUDY_TASKS;

/** The rows of the table. */
export const STUDY_ROWS = [
  'untouched',
  'ActivScalar',
  'ActivScalar, by head',
  'SteerVec',
  'DynScalar',
  'role-constant scale',
  'gradient × activation',
  'best single cell',
  'ActAdd',
  'CAA',
  'mean difference',
  'PCA direction',
  'prompting',
] as const;
export type StudyRow = (typeof STUDY_ROWS)[number];

/** What one method does for one task and seed, with what was chosen on validation prompts. */
export interface RowFinding {
  /** On prompts learnt from, for choosing, and about things never seen. */
  readonly train: SteeringFigures;
  readonly validation: SteeringFigures;
  readonly test: SteeringFigures;
  /** Of the test prompts, those whose answers have p(c) + p(w) ≥ .9 in the untouched model, where there are any. */
  readonly sure?: SteeringFigures | undefined;
  /** What was chosen: λ_M, a layer, a number of cells; and the strength that stands for β = 1. */
  readonly chosen: Readonly<Record<string, number | string>>;
  /** Numbers stored; cells that can have an effect, and those that are not 0, where the method has cells. */
  readonly parameters: number;
  readonly live?: number;
  readonly nonZero?: number;
}

/** ActivScalar by head, kept to the nodes of the EAP-IG circuit and to as many random nodes; the row of that name is everywhere. */
export interface RestrictionFinding {
  readonly heads: number;
  readonly mlps: number;
  readonly circuit: RowFinding;
  readonly random: RowFinding;
}

/** DynScalar on prompts of some lengths, other documents standing in front; learnt at other lengths where `learnt` says no. */
export interface LengthFinding {
  readonly learnt: boolean;
  readonly shortest: number;
  readonly longest: number;
  readonly prompts: number;
  readonly figures: SteeringFigures;
}

/** One task under one seed of one model. */
export interface TaskFinding {
  readonly model: string;
  readonly task: StudyTask;
  readonly seed: number;
  readonly prompts: {
    readonly train: number;
    readonly validation: number;
    readonly test: number;
    /** Of the test prompts, those whose answers have p(c) + p(w) ≥ .9 in the untouched model. */
    readonly sure: number;
  };
  readonly rows: Readonly<Partial<Record<StudyRow, RowFinding>>>;
  readonly restriction: RestrictionFinding;
  readonly lengths: readonly LengthFinding[];
  /** Δ of the untouched model on the test prompts. */
  readonly untouchedDeltas: readonly number[];
}

/** The whole study. */
export interface Study extends KeptStudy<TaskFinding> {
  readonly study: 'limn.steering';
  readonly version: 3;
  readonly updates: number;
}
