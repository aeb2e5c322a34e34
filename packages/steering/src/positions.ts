// Which value a token's position takes: by its place from the start or the end, its role, or the same everywhere.
import { LimnError } from '@limn/gpu';

/** Every position mode. */
export const POSITION_MODES = ['absolute', 'from-start', 'from-end', 'role', 'none'] as const;

/**
 * How positions take values: 'absolute': one per place, and every prompt as long as those it was learnt from; 'from-start': one per place,
 * and prompts may be longer (their further tokens are left alone) or shorter; 'from-end': counted from the last token, −1; 'role': one per
 * name that examples give their tokens; 'none': one for all.
 */
export type PositionMode = (typeof POSITION_MODES)[number];

/** The positions that values are kept for. */
export interface PositionTable {
  readonly mode: PositionMode;
  /** What each stands for: '3', '-1', a role, or 'all'. */
  readonly names: readonly string[];
  /** Tokens at the start of a prompt that are never touched: 1 where the token in front (BOS) stands. */
  readonly skip: number;
  /** Tokens that a prompt has; of the mode 'absolute' only. */
  readonly length?: number;
}

/** A prompt as positions see it. */
export interface PositionedPrompt {
  readonly length: number;
  readonly roles?: readonly (string | undefined)[] | undefined;
}

/**
 * The table for some prompts: as many places as the longest has ('from-start', 'from-end'), their common length ('absolute'), all names that occur
 * ('role').
 * @throws LimnError `usage/position-mode`, `data/steering-length`, `data/steering-roles`
 */
export function positionTable(
  prompts: readonly PositionedPrompt[],
  mode: PositionMode,
  { skip = 0 }: { readonly skip?: number } = {},
): PositionTable {
  if (!POSITION_MODES.includes(mode))
    throw new LimnError('usage/position-mode', `There is no position mode '${String(mode)}'.`, {
      details: { given: String(mode), allowed: POSITION_MODES },
      hint: `Choose among ${POSITION_MODES.join(', ')}.`,
    });
  if (mode === 'none') return { mode, names: ['all'], skip };
  if (mode === 'role') {
    const names = [...new Set(prompts.flatMap(({ roles }) => (roles ?? []).slice(skip)))].filter(
      (role): role is string => role !== undefined,
    );
    if (names.length === 0) throw noRoles();
    return { mode, names, skip };
  }
  const longest = prompts.reduce((most, { length }) => Math.max(most, length), 0);
  if (mode === 'from-end')
    return { mode, names: Array.from({ length: Math.max(1, longest - skip) }, (_, i) => String(-1 - i)), skip };
  const names = Array.from({ length: Math.max(1, longest - skip) }, (_, i) => String(skip + i));
  if (mode === 'from-start') return { mode, names, skip };
  const odd = prompts.findIndex(({ length }) => length !== longest);
  if (odd >= 0) throw otherLength(odd, prompts[odd]?.length ?? 0, longest);
  return { mode, names, skip, length: longest };
}

/**
 * The place in the table of every token of a prompt, −1 for one that is left alone.
 * @throws LimnError `data/steering-length`, `data/steering-roles`
 */
export function slotsOf(table: PositionTable, { length, roles }: PositionedPrompt, prompt = 0): Int32Array {
  const { mode, names, skip } = table;
  if (mode === 'absolute' && length !== table.length) throw otherLength(prompt, length, table.length ?? 0);
  if (mode === 'role' && roles === undefined) throw noRoles(prompt);
  const place = new Map(names.map((name, i) => [name, i]));
  return Int32Array.from({ length }, (_, t) => {
    if (t < skip) return -1;
    if (mode === 'none') return 0;
    if (mode === 'absolute') return t - skip;
    if (mode === 'from-start') return t - skip < names.length ? t - skip : -1;
    if (mode === 'from-end') return length - 1 - t < names.length ? length - 1 - t : -1;
    const role = roles?.[t];
    return role === undefined ? -1 : (place.get(role) ?? -1);
  });
}

function otherLength(prompt: number, given: number, expected: number): LimnError {
  return new LimnError(
    'data/steering-length',
    `Prompt ${prompt} has ${given} tokens; values by absolute position hold for prompts of ${expected}.`,
    {
      details: { prompt, given, expected },
      hint: "Use positions 'from-start', 'from-end', 'role' or 'none', or the method 'dyn-scalar', for prompts of other lengths.",
    },
  );
}

function noRoles(prompt?: number): LimnError {
  return new LimnError(
    'data/steering-roles',
    `${prompt === undefined ? 'The prompts name' : `Prompt ${prompt} names`} no roles, but values are by role.`,
    {
      details: prompt === undefined ? {} : { prompt },
      hint: "Give every prompt 'roles', one name per token, or choose another position mode.",
    },
  );
}
