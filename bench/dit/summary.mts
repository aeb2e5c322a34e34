// Figures of the study's pages, from what it keeps of every diff: means with intervals, and differences of methods on the same diffs.
import path from 'node:path';
import { clusteredMean, clusteredShare, pairedDifference, type MeanFigure } from '@limn/dit';
import { percent, shown } from '../markdown-table.mjs';
import type { AdapterFinding, BaseFinding, DitStudy, Scores } from './study.mjs';

/** A base model's name, or its folder's. */
export const baseTitle = ({ model }: { readonly model: string }): string => path.basename(model);

/** A column of scores. */
export type Column = keyof Scores;

/** Adapters of a name on a base, over their seeds. */
export const adaptersOf = (study: DitStudy, model: string, name: string): readonly AdapterFinding[] =>
  study.adapters.filter((each) => each.model === model && each.name === name);

/** Of every diff the mean over seeds. */
export function meanColumn(scores: readonly Scores[], column: Column): number[] {
  const [first] = scores;
  if (!first) return [];
  return first[column].map((_, i) => scores.reduce((sum, each) => sum + (each[column][i] ?? 0), 0) / scores.length);
}

/** Names of methods in tables. */
export const GATE_OPENING = 'an adapter that opens gates, words counted';
export const RIDGE = 'ridge regression on weights';
export const EVERY_CODE = 'every code tried once';

/** A method's row of the main table. */
export interface MethodRow {
  readonly name: string;
  /** Of what it was told: 'code' for methods that were given the right one. */
  readonly given: 'nothing' | 'code';
  readonly scores: readonly Scores[];
}

/** Every method on the test diffs of a base. */
export function methodRows(study: DitStudy, base: BaseFinding): MethodRow[] {
  const of = (name: string): Scores[] =>
    adaptersOf(study, base.model, name).flatMap(({ topics }) => topics['test'] ?? []);
  const adapters = [
    ['DIT', 'main'],
    ['DIT with permuted labels', 'permuted labels'],
    [GATE_OPENING, 'gate opening'],
  ] as const;
  return [
    ...adapters.map(([name, adapter]): MethodRow => ({ name, given: 'nothing', scores: of(adapter) })),
    ...Object.entries(base.probing).map(([name, scores]): MethodRow => ({
      name,
      given: name.includes('right code') ? 'code' : 'nothing',
      scores: [scores],
    })),
  ].filter(({ scores }) => scores.length > 0);
}

/** Mean over diffs with its interval. */
export const figureOf = ({ scores }: MethodRow, column: Column): MeanFigure =>
  (column === 'grade' ? clusteredMean : clusteredShare)(meanColumn(scores, column));

/** The method without the code, other than DIT, with the most exact answers. */
export function bestBaseline(rows: readonly MethodRow[]): MethodRow | undefined {
  const others = rows.filter(({ name, given }) => name !== 'DIT' && given === 'nothing');
  return others.sort((a, b) => figureOf(b, 'exact').mean - figureOf(a, 'exact').mean)[0];
}

/** DIT minus a method on the same diffs. */
export const advantage = (dit: MethodRow, other: MethodRow, column: Column): MeanFigure =>
  pairedDifference(meanColumn(dit.scores, column), meanColumn(other.scores, column));

/** A share in percent with its interval: '61.7 % (53.1 to 70.3)'. */
export function percentText({ mean, interval }: MeanFigure): string {
  const bare = (end: number): string => shown(100 * end, 1);
  return interval ? `${percent(mean)} (${interval.map(bare).join(' to ')})` : percent(mean);
}

/** What a map is in every layer: 'mlp.c_proj' of 'h.2.mlp.c_proj'. */
export const kindOf = (map: string): string => map.split('.').slice(-2).join('.');
