// Answers that a diff gives itself while it is trained: drawn now and then for the rounds to come, each from a random stream of its own.
import { LimnError } from '@limn/gpu';
import { generate, type HookedModel } from '@limn/hooks';
import { randomU32 } from '@limn/tensor';
import type { DiffSettings } from './diff-options.js';
import type { DiffSpec } from './diff-spec.js';
import type { DiffStack } from './diff-stack.js';

/** Answers by place, round and row of the round. */
export type DrawnAnswers = Readonly<Record<string, readonly number[]>>;

/** Who stands in a place: its rows until its last round. */
export type Drawer = Pick<DiffSpec, 'id' | 'seed' | 'samples'> & { readonly updates: number };

/** Rows that are continued together, always so many: shapes decide bits. */
const ROWS = 64;
/** Of all drawings: streams are what keep them apart. */
const SEED = 0;

/**
 * GPU bytes of a drawing: keys and values of all rows, and the pass over their prompts.
 * @throws LimnError `hooks/…`
 */
export function drawingBytes(model: HookedModel, { shape, own }: DiffSettings): number {
  if (!own) return 0;
  const [B, T] = [ROWS + 1, shape.positions - own.maxNewTokens];
  const { layers, width } = model.info;
  const tokens = { ids: new Uint32Array(B * T), B, T, lengths: Array.from({ length: B }, () => T) };
  using step = model.gpu.step({ label: 'plan of a drawing' });
  model.run(step, { tokens }, { logits: 'last' });
  // A cache has room for whole sixteens of positions.
  return 4 * 2 * layers * B * 16 * Math.ceil(shape.positions / 16) * width + step.plan().bytesPeak;
}

/** The name of an answer among those drawn. */
export const answerName = (place: number, round: number, row: number): string => `${place}/${round}/${row}`;

/**
 * The answers of every row with `own` in rounds [from, to), from the diffs as they are now. A diff's answers depend on its seed, its rows and its
 * factors alone.
 * @throws LimnError `usage/diff-training` where the options have no `own`, `data/diff-sample` for a prompt that leaves no room, `hooks/…`; AbortedError
 */
export async function drawAnswers(
  model: HookedModel,
  places: readonly (Drawer | undefined)[],
  { shape, own }: DiffSettings,
  stack: DiffStack,
  { from, to, signal }: { readonly from: number; readonly to: number; readonly signal?: AbortSignal | undefined },
): Promise<DrawnAnswers> {
  const prompts: {
    readonly name: string;
    readonly place: number;
    readonly tokens: readonly number[];
    readonly stream: number;
  }[] = [];
  const longest = shape.positions - (own?.maxNewTokens ?? 0);
  places.forEach((diff, place) => {
    if (!diff) return;
    for (let round = from; round < Math.min(to, diff.updates); round++)
      diff.samples(round).forEach(({ tokens, own: asked }, row) => {
        if (asked !== true) return;
        if (!own) throw missingOwn(diff.id);
        if (tokens.length === 0 || tokens.length > longest)
          throw noRoom({ id: diff.id, round, row }, tokens.length, longest);
        prompts.push({ name: answerName(place, round, row), place, tokens, stream: randomU32(diff.seed, round, row) });
      });
  });
  if (!own) return {};
  const drawn: Record<string, readonly number[]> = {};
  for (let first = 0; first < prompts.length; first += ROWS) {
    const some = prompts.slice(first, first + ROWS);
    const spare = ROWS - some.length;
    // The last row is as long as any can be, so that every pass has the same shape; rows that are spare hold one token.
    const rows = [
      ...some.map(({ tokens }) => tokens),
      ...Array.from({ length: spare }, () => [0]),
      new Uint32Array(longest),
    ];
    const streams = [...some.map(({ stream }) => stream), ...Array.from({ length: spare + 1 }, () => 0)];
    const taskOfRow = [...some.map(({ place }) => place), ...Array.from({ length: spare + 1 }, () => -1)];
    const { maxNewTokens, temperature, eosIds } = own;
    const made = await generate(
      model,
      rows.map((row) => Array.from(row)),
      {
        maxNewTokens,
        eosIds,
        sampling: { kind: 'sample', seed: SEED, temperature, streams },
        interventions: stack.interventions({ taskOfRow }),
        rowsAtOnce: rows.length,
        ...(signal ? { signal } : {}),
      },
    );
    some.forEach(({ name }, i) => (drawn[name] = (made.rows[i]?.newTokens ?? []).map(({ id }) => id)));
  }
  return drawn;
}

/** The refusal of rows that ask for answers of their own where nobody says how they are drawn. */
export function missingOwn(id: string): LimnError {
  return new LimnError(
    'usage/diff-training',
    `Diff '${id}' has rows with 'own', but the options do not say how answers are drawn.`,
    {
      details: { id },
      hint: 'Give options.own, such as { maxNewTokens: 12 }.',
    },
  );
}

function noRoom(
  where: { readonly id: string; readonly round: number; readonly row: number },
  tokens: number,
  longest: number,
): LimnError {
  const { id, round, row } = where;
  return new LimnError(
    'data/diff-sample',
    `Diff '${id}', row ${row} of round ${round}: a prompt of ${tokens} tokens; allowed: 1 to ${longest}, which leaves room for an answer.`,
    { details: { ...where, tokens, longest }, hint: 'Shorten prompts or own.maxNewTokens, or raise shape.positions.' },
  );
}
