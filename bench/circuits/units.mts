// What the study's intervals are over: trained models where there are several, else data seeds.
import type { Study } from './study.mjs';

/** A measurement of one run: one model under one data seed. */
export interface OfRun {
  readonly model: string;
  readonly seed: number;
}

/**
 * What intervals are over: the models, each with the mean of its runs, as data seeds of one model are not independent of one another;
 * of a single model its data seeds, each with the mean of what it has.
 */
export function units<T extends OfRun>(
  study: Study,
  items: readonly T[],
  value: (item: T) => number | null | undefined,
): number[] {
  const groups = new Map<string, number[]>();
  for (const item of items) {
    const measured = value(item);
    if (measured === null || measured === undefined) continue;
    const unit = study.models.length > 1 ? item.model : `${item.seed}`;
    groups.set(unit, [...(groups.get(unit) ?? []), measured]);
  }
  return [...groups.values()].map((values) => values.reduce((sum, x) => sum + x, 0) / values.length);
}
