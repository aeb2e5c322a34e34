// What the script of a steering's page is given: numbers, and texts whose unseen characters are already signs.
import { mostOf, tokensAt } from './cell-map.js';
import { isWhole } from './steering-cell.js';
import type { CellMeaning } from './steering-cell.js';
import type { SteeringRecord } from './steering-record.js';
import { measureName } from './token-words.js';
import { visibleText } from './visible-text.js';

/** Strengths of a page whose record measured none. */
const usualStrengths = Array.from({ length: 17 }, (_, i) => i / 4 - 2);

/** Strengths that something was measured at, with those that the slider rests at. */
function strengthsOf({ sweep = [], prompts }: SteeringRecord): number[] {
  const measured = [...sweep, ...prompts.flatMap(({ outcomes = [] }) => outcomes)].map(({ strength }) => strength);
  return [...new Set([...(measured.length ? measured : usualStrengths), -1, 0, 1])].sort((a, b) => a - b);
}

/** How the numbers of a site are to be read. */
export function meaningOf({ method, grid }: SteeringRecord, site: string): CellMeaning {
  return {
    name: visibleText(measureName(grid?.measure ?? '')),
    scalar: grid?.measure === 'alpha' && isWhole(site),
    form: method.form ?? 'linear',
    bound: method.bound ?? 3,
    most: grid ? mostOf(grid.values, grid.live) : 0,
  };
}

export function liveSteering(record: SteeringRecord) {
  const { grid, prompts, rule, sweep = [], path, comparisons = [] } = record;
  const outcomes = prompts.flatMap((prompt) => prompt.outcomes ?? []);
  const top = (list: readonly { readonly token: string; readonly p: number }[] | undefined) =>
    list?.map(({ token, p }) => ({ token: visibleText(token), p }));
  const deltas = [...outcomes, ...prompts.flatMap(({ untouched }) => untouched ?? [])].map(({ delta }) => delta);
  return {
    strengths: strengthsOf(record),
    ...(grid
      ? {
          cells: {
            sites: grid.sites.map((site) => ({ name: visibleText(site), meaning: meaningOf(record, site) })),
            layers: grid.layers,
            positions: grid.positions.map(visibleText),
            values: grid.values,
            live: grid.live,
            ...(grid.heads ? { heads: grid.heads } : {}),
            others: comparisons.map(({ measure, values }) => ({ measure: visibleText(measure), values })),
          },
        }
      : {}),
    prompts: prompts.map((prompt) => ({
      tokens: tokensAt(prompt, grid?.positions.length ?? 0).map(visibleText),
      words: prompt.tokens.map(({ text }) => visibleText(text)),
      correct: visibleText(prompt.correct),
      wrong: visibleText(prompt.wrong),
      ...(prompt.untouched ? { untouched: { ...prompt.untouched, top: top(prompt.untouched.top) } } : {}),
      outcomes: (prompt.outcomes ?? []).map((outcome) => ({ ...outcome, top: top(outcome.top) })),
    })),
    ...(rule ? { rule } : {}),
    alike: record.parity !== undefined,
    sweep,
    ...(path ? { path } : {}),
    most: {
      delta: Math.max(1, rule?.margin ?? 0, ...deltas.map(Math.abs)) * 1.08,
      /** Strong steering breaks everything: beyond a few times its limit the gauge only says so. */
      bucket: rule
        ? Math.max(rule.drift * 1.6, Math.min(rule.drift * 4, ...largest(outcomes.map(({ bucket }) => bucket))))
        : Math.max(1e-3, ...outcomes.map(({ bucket }) => bucket)),
    },
  };
}

/** The largest of some numbers, as a list that is empty where there are none. */
const largest = (numbers: readonly number[]): number[] => (numbers.length ? [Math.max(...numbers)] : []);

/** The data of a page about steering. */
export type LiveSteering = ReturnType<typeof liveSteering>;
/** A prompt of the page. */
export type LivePrompt = LiveSteering['prompts'][number];
