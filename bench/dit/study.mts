// The study of DIT as data: what every method made of every diff, so that differences can be paired, and pages drawn without a GPU.
import type { GateFigure, MeanFigure } from '@limn/dit';
import { gateHolds } from 'limn';
import type { Guess } from './probing.mjs';
import type { Reading, TopicReading } from './readings.mjs';
import type { StudyPlan } from './plan.mjs';

/** What a method made of the diffs of a pack, in their order. */
export interface Scores {
  /** Whether the answer is the name, word for word over the whole vocabulary; of a guesser, which names topics alone, its chance of naming it first. */
  readonly exact: readonly number[];
  /** Among all topics. */
  readonly top1: readonly number[];
  readonly top5: readonly number[];
  readonly reciprocal: readonly number[];
  /** 1 to 5. */
  readonly grade: readonly number[];
}

/** An adapter of the study. */
export interface AdapterFinding {
  readonly model: string;
  readonly name: string;
  readonly seed: number;
  /** Diffs of topics that it learnt from. */
  readonly size: number;
  readonly rank: number;
  /** Updates of the factors that were kept, and how often validation was better before. */
  readonly best: number;
  readonly validationLoss: number | null;
  /** By pack. */
  readonly topics: Readonly<Record<string, Scores>>;
  /** By pack and question: 1 where the answer is right. */
  readonly answers: Readonly<Record<string, readonly number[]>>;
  /** Share of "none" to the question for the topic: of the bare model, of random changes, of diffs trained on ordinary answers. */
  readonly none: Readonly<Record<string, readonly number[]>>;
  /** Whatever else was measured of it alone. */
  readonly more: Readonly<Record<string, number>>;
  /** Where it reads diffs. */
  readonly places?: MechanismFinding;
}

/** What the right answer about a topic rests on, in nats: means over diffs. */
export interface MechanismFinding {
  readonly diffs: number;
  /** log P with the whole diff, and without it. */
  readonly whole: number;
  readonly none: number;
  readonly layers: readonly { readonly layer: number; readonly without: number; readonly only: number }[];
  /** Along the diff's strength, what each map adds. */
  readonly maps: readonly { readonly map: string; readonly layer: number; readonly nats: number }[];
  /** Of whole − none, what the sum over maps leaves. */
  readonly left: number;
  /** Edges that carry most of what the diff does to the name's logit beside that of none, by EAP-IG along the diff's strength; means over diffs, logits. */
  readonly edges: readonly { readonly edge: string; readonly score: number }[];
}

/** What the commands found with an adapter of their own. */
export interface CommandFinding {
  readonly model: string;
  /** The words behind `limn` that this came of, in order. */
  readonly words: readonly (readonly string[])[];
  /** The adapter, with its proposals tried, without it, and with answers about other diffs. */
  readonly evaluated: readonly {
    readonly name: string;
    readonly exact: MeanFigure;
    readonly top1: MeanFigure | null;
    readonly mrr: MeanFigure | null;
    /** Share of models with nothing to tell that something is said of. */
    readonly alarms: MeanFigure | null;
  }[];
  readonly audit: {
    readonly changed: number;
    readonly clean: number;
    readonly area: number;
    readonly interval: readonly [number, number] | null;
    /** Shares at the threshold that validation set. */
    readonly threshold: { readonly hits: number; readonly alarms: number } | null;
    /** Areas on one kind of clean diffs, and of ranking by nothing but the size of the change: by the kind's name. */
    readonly against: Readonly<
      Record<string, { readonly clean: number; readonly area: number; readonly byNorm: number }>
    >;
  };
}

/** A base model of the study, with what does not depend on an adapter. */
export interface BaseFinding {
  readonly model: string;
  readonly weightsSha256: string;
  /** Methods without an adapter on the diffs of the test, by name. */
  readonly probing: Readonly<Record<string, Scores>>;
  /** What validation chose for a method, in words. */
  readonly chosen: Readonly<Record<string, string>>;
}

/** What the diffs of a base model say by themselves. */
export interface PackFinding {
  readonly model: string;
  /** By pack, and by behaviour where a pack has several: of every diff the share of its behaviour by condition; under `holds` 1 where there is a gate that does, by the bounds of `limn diff gate`. */
  readonly gates: Readonly<Record<string, Readonly<Record<string, readonly number[]>>>>;
  /** F1 of the headlines that are pieced together from stories of each news diff. */
  readonly stories: readonly number[];
  /** Ridge regression with as many labels as adapters of the curve have, by their number; on other packs; and from the changes of one map alone. */
  readonly ridge: Readonly<Record<'sizes' | 'packs' | 'maps', Readonly<Record<string, Scores>>>>;
}

/** Everything that a page is made of. */
export interface DitStudy {
  readonly study: 'limn.dit';
  readonly version: 1;
  readonly adapter: string;
  readonly limn: string;
  readonly plan: StudyPlan;
  readonly bases: readonly BaseFinding[];
  readonly packs: readonly PackFinding[];
  readonly adapters: readonly AdapterFinding[];
  readonly commands: readonly CommandFinding[];
}

/** Guesses as columns. */
export const guessScores = (guesses: readonly Guess[]): Scores => ({
  exact: guesses.map(({ top1 }) => rounded(top1)),
  ...columns(guesses),
});

/** Readings as columns. */
export const readingScores = (readings: readonly TopicReading[]): Scores => ({
  exact: readings.map(isRight),
  ...columns(readings),
});

/** 1 where what was said is the label. */
export const isRight = ({ said, label }: Reading): number => (said === label ? 1 : 0);

const columns = (of: readonly Omit<Guess, 'id'>[]): Omit<Scores, 'exact'> => ({
  top1: of.map(({ top1 }) => rounded(top1)),
  top5: of.map(({ top5 }) => rounded(top5)),
  reciprocal: of.map(({ reciprocal }) => rounded(reciprocal)),
  grade: of.map(({ grade }) => grade),
});

/** Chances of equal scores have many digits; four are told. */
export const rounded = (value: number): number => Math.round(value * 1e4) / 1e4;

/** Gate figures of diffs by condition, and whether each gate holds, where there is one. */
export function gateColumns(
  gates: readonly Readonly<Record<string, GateFigure>>[],
): Readonly<Record<string, readonly number[]>> {
  const conditions = [...new Set(gates.flatMap((gate) => Object.keys(gate)))];
  const means = conditions.map((name) => [name, gates.flatMap((gate) => gate[name]?.mean ?? [])] as const);
  const holds = gates.flatMap((gate) => {
    const held = gate['wrong'] && gateHolds(gate);
    return held === undefined ? [] : [Number(held)];
  });
  return Object.fromEntries([...means, ...(holds.length > 0 ? [['holds', holds] as const] : [])]);
}
